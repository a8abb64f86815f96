//! All documents of all sources, each with its own text.

use serde_json::Value;

use super::{
    Source,
    object::{self, Object},
    yaml,
};

/// One document, from its `---` to the next.
#[derive(Debug, Clone)]
pub(super) struct Document {
    pub(super) source: String,
    pub(super) text: String,
    /// What it means, if that can be read.
    pub(super) value: Option<Value>,
    /// Why it has no objects.
    pub(super) aside: Option<Aside>,
}

/// Why a document is passed on unread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Aside {
    /// Nothing but comments, or nothing at all.
    Empty,
    /// Not of Kubernetes.
    Foreign,
    Unread(yaml::Unread),
}

pub(super) struct Stream {
    pub(super) documents: Vec<Document>,
    pub(super) objects: Vec<Object>,
}

impl Stream {
    pub(super) fn of(sources: &[Source]) -> Self {
        let mut stream = Self {
            documents: Vec::new(),
            objects: Vec::new(),
        };
        for source in sources {
            for (place, text) in split(&source.text).into_iter().enumerate() {
                let mut text = text.to_owned();
                let is_next = place == 0 && !stream.documents.is_empty();
                if is_next && !text.trim_start_matches('\u{feff}').starts_with("---") {
                    text.insert_str(0, "---\n");
                }
                stream.push(&source.name, text);
            }
        }
        stream
    }

    fn push(&mut self, source: &str, text: String) {
        let at = self.documents.len();
        let read = yaml::read(&text).and_then(|node| node.as_ref().map(yaml::meaning).transpose());
        let (value, aside) = match read {
            Err(unread) => (None, Some(Aside::Unread(unread))),
            Ok(None | Some(Value::Null)) => (None, Some(Aside::Empty)),
            Ok(Some(value)) => match object::of(at, &value) {
                None => (Some(value), Some(Aside::Foreign)),
                Some(objects) => {
                    self.objects.extend(objects);
                    (Some(value), None)
                }
            },
        };
        let source = source.to_owned();
        self.documents.push(Document {
            source,
            text,
            value,
            aside,
        });
    }

    /// Puts new texts in the place of those that are changed.
    pub(super) fn replace(&mut self, texts: Vec<Option<String>>) {
        for (document, text) in self.documents.iter_mut().zip(texts) {
            if let Some(text) = text {
                document.text = text;
            }
        }
    }

    /// All of it, one source behind the other.
    pub(super) fn text(&self) -> String {
        let mut all = String::new();
        for document in &self.documents {
            // a file need not end with a line end
            if document.text.starts_with("---") && !all.is_empty() && !all.ends_with('\n') {
                all.push('\n');
            }
            all.push_str(&document.text);
        }
        all
    }
}

/// Its documents. A line that begins with `---` always begins one, in a quoted text too.
fn split(text: &str) -> Vec<&str> {
    let mut begins = vec![0];
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let rest = line.strip_prefix("---");
        let is_marker =
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']));
        let begun = begins.last().map_or(0, |&begun| begun);
        if is_marker && !text[begun..at].lines().all(is_before_marker) {
            begins.push(at);
        }
        at += line.len();
    }
    begins.push(text.len());
    begins
        .windows(2)
        .map(|ends| &text[ends[0]..ends[1]])
        .collect()
}

/// Whether a line may stand before the marker of its own document: a directive, a comment, nothing.
fn is_before_marker(line: &str) -> bool {
    let line = line.trim_start_matches('\u{feff}').trim();
    line.is_empty() || line.starts_with(['%', '#'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_begin_at_their_markers_and_lose_nothing() {
        for (text, expected) in [
            ("a: 1\n---\nb: 2\n", vec!["a: 1\n", "---\nb: 2\n"]),
            (
                "---\na: 1\n--- # x\nb: 2",
                vec!["---\na: 1\n", "--- # x\nb: 2"],
            ),
            ("a: |\n  ---\n  x\n", vec!["a: |\n  ---\n  x\n"]),
            (
                "a: 1\r\n---\r\nb: 2\r\n",
                vec!["a: 1\r\n", "---\r\nb: 2\r\n"],
            ),
            ("----\n", vec!["----\n"]),
            (
                "%YAML 1.1\n# x\n---\na: 1\n",
                vec!["%YAML 1.1\n# x\n---\na: 1\n"],
            ),
            ("", vec![""]),
        ] {
            assert_eq!(split(text), expected, "{text:?}");
        }
    }
}

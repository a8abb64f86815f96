//! YAML text to a tree. Nothing else names the YAML crate.

mod raw;

use raw::Raw;
use serde_saphyr::{
    DuplicateKeyPolicy, Location, MessageFormatter, NonFiniteFloatPolicy, Spanned,
    UserMessageFormatter,
};

use super::{
    error::{Origin, Problem},
    tree::{Node, Shown, Step, Value},
};

/// Reads `text`. Keys that are written twice are reported and the first stays.
///
/// # Errors
/// When it is not YAML; with the line.
pub(super) fn read(
    text: &str,
    file: &str,
    problems: &mut Vec<Problem>,
) -> Result<Node, Box<Problem>> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        // a number is only recognised here: the key that takes it says whether it may be .nan
        non_finite_float_policy: NonFiniteFloatPolicy::PassThrough,
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 10_000 },
        with_snippet: false,
    };
    let mut reader = Reader {
        text,
        file,
        problems,
    };
    match serde_saphyr::from_str_with_options::<Option<Spanned<Raw>>>(text, options) {
        Ok(Some(raw)) => Ok(reader.node(raw, &mut Vec::new())),
        Ok(None) | Err(serde_saphyr::Error::Eof { .. }) => Ok(reader.nothing()),
        Err(error) => Err(Box::new(not_yaml(&error, file))),
    }
}

fn not_yaml(error: &serde_saphyr::Error, file: &str) -> Problem {
    let message = UserMessageFormatter.format_message(error.without_snippet());
    Problem {
        key: file.to_owned(),
        message: format!("not readable as YAML: {}", message.escape_debug()),
        origin: Origin::File {
            file: file.to_owned(),
            line: error.location().map_or(0, |location| location.line()),
        },
    }
}

struct Reader<'a> {
    text: &'a str,
    file: &'a str,
    problems: &'a mut Vec<Problem>,
}

impl Reader<'_> {
    fn at(&self, location: Location) -> Origin {
        Origin::File {
            file: self.file.to_owned(),
            line: location.line(),
        }
    }

    fn nothing(&self) -> Node {
        Node {
            value: Value::Null,
            origin: self.at(Location::UNKNOWN),
        }
    }

    fn node(&mut self, raw: Spanned<Raw>, path: &mut Vec<Step>) -> Node {
        let origin = self.at(raw.referenced);
        let value = match raw.value {
            Raw::Null => Value::Null,
            Raw::Text(text) => Value::Text(text),
            Raw::Inferred(value) => Value::Text(self.as_written(raw.defined, value)),
            Raw::List(items) => Value::List(self.list(items, path)),
            Raw::Map(entries) => Value::Map(self.map(entries, path)),
        };
        Node { value, origin }
    }

    /// The text of a number, or `inferred` where what stands there is more than the number.
    fn as_written(&self, location: Location, inferred: String) -> String {
        let span = location.span();
        let written = span
            .byte_offset()
            .zip(span.byte_len())
            .and_then(|(start, length)| {
                let start = usize::try_from(start).ok()?;
                let length = usize::try_from(length).ok()?;
                self.text.get(start..start.checked_add(length)?)
            });
        match written {
            Some(text) if is_one_word(text) => text.to_owned(),
            _ => inferred,
        }
    }

    fn list(&mut self, items: Vec<Spanned<Raw>>, path: &mut Vec<Step>) -> Vec<Node> {
        let with_path = |(index, item)| {
            path.push(Step::Index(index));
            let node = self.node(item, path);
            path.pop();
            node
        };
        items.into_iter().enumerate().map(with_path).collect()
    }

    fn map(
        &mut self,
        entries: Vec<(Spanned<String>, Spanned<Raw>)>,
        path: &mut Vec<Step>,
    ) -> Vec<(String, Node)> {
        let mut nodes: Vec<(String, Node)> = Vec::with_capacity(entries.len());
        for (key, value) in entries {
            path.push(Step::Key(key.value.clone()));
            let mut node = self.node(value, path);
            // a section stands where its name stands
            node.origin = self.at(key.referenced);
            match nodes.iter().find(|(name, _)| *name == key.value) {
                Some((_, first)) => self.problems.push(Problem {
                    key: Shown(path).to_string(),
                    message: format!("written twice, first at {}", first.origin),
                    origin: node.origin,
                }),
                None => nodes.push((key.value, node)),
            }
            path.pop();
        }
        nodes
    }
}

/// Whether it can be a plain number or truth value, rather than something around it.
fn is_one_word(text: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_' | ':');
    !text.is_empty() && text.chars().all(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tree::steps;

    fn read_all(text: &str) -> (Node, Vec<Problem>) {
        let mut problems = Vec::new();
        let node = read(text, "f.yaml", &mut problems).unwrap();
        (node, problems)
    }

    fn scalar(text: &str) -> Value {
        read_all(&format!("a: {text}\n"))
            .0
            .get(&steps("a"))
            .unwrap()
            .value
            .clone()
    }

    #[test]
    fn a_scalar_keeps_its_text() {
        for (yaml, text) in [
            ("1.10", "1.10"),
            ("\"1.10\"", "1.10"),
            ("off", "off"),
            ("0x10", "0x10"),
            ("007", "007"),
            ("1e3", "1e3"),
            ("  5s  # why", "5s"),
            ("12 # dozen", "12"),
            ("'null'", "null"),
            ("!!str 1.10", "1.10"),
        ] {
            assert_eq!(scalar(yaml), Value::Text(text.to_owned()), "{yaml}");
        }
        for yaml in ["null", "~", ""] {
            assert_eq!(scalar(yaml), Value::Null, "{yaml}");
        }
    }

    #[test]
    fn an_alias_says_what_its_anchor_says() {
        let (node, _) = read_all("a: &v 1.10\nb: *v\n");
        assert_eq!(
            node.get(&steps("b")).unwrap().value,
            Value::Text("1.10".to_owned())
        );
    }

    #[test]
    fn text_beyond_ascii_does_not_move_what_follows() {
        let (node, _) = read_all("a: \"ñandú 漢字\" # é\nb: 1.10\n");
        assert_eq!(
            node.get(&steps("b")).unwrap().value,
            Value::Text("1.10".to_owned())
        );
    }

    #[test]
    fn nodes_know_their_line() {
        let (node, _) = read_all("# c\na:\n  b: 1\n  c: [2,\n   3]\n");
        let line = |key| node.origin_of(&steps(key)).to_string();
        assert_eq!(line("a"), "f.yaml:2");
        assert_eq!(line("a.b"), "f.yaml:3");
        let mut second = steps("a.c");
        second.push(Step::Index(1));
        assert_eq!(node.origin_of(&second).to_string(), "f.yaml:5");
    }

    #[test]
    fn every_key_that_is_written_twice_is_reported() {
        let (node, problems) = read_all("a: 1\nb:\n  c: 1\n  c: 2\na: 2\n");
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "b.c: written twice, first at f.yaml:3 (f.yaml:4)",
                "a: written twice, first at f.yaml:1 (f.yaml:5)",
            ]
        );
        assert_eq!(
            node.get(&steps("a")).unwrap().value,
            Value::Text("1".to_owned())
        );
    }

    #[test]
    fn a_file_of_comments_says_nothing() {
        for text in ["", "\n\n", "# nothing\n", "---\n", "\u{feff}# mark\n"] {
            assert_eq!(read_all(text).0.value, Value::Null, "{text:?}");
        }
    }

    #[test]
    fn what_is_not_yaml_is_reported_with_its_line() {
        for text in [
            "a: 1\nb: [1\n",
            "a: 1\n\tb: 2\n",
            "a: *nobody\n",
            "a: 1\n---\nb: 2\n",
        ] {
            let problem = read(text, "f.yaml", &mut Vec::new()).expect_err(text);
            let shown = problem.to_string();
            assert!(
                shown.starts_with("f.yaml: not readable as YAML: "),
                "{shown}"
            );
            assert!(shown.contains("f.yaml:"), "{shown}");
        }
    }

    #[test]
    fn many_aliases_of_aliases_end_in_an_error() {
        let tenfold = |level: usize| {
            let below = format!("*a{level}, ").repeat(10);
            format!("a{0}: &a{0} [{below}]\n", level + 1)
        };
        let text: String = (0..12).map(tenfold).collect();
        assert!(
            read(
                &format!("a0: &a0 [x, x]\n{text}"),
                "f.yaml",
                &mut Vec::new()
            )
            .is_err()
        );
        let deep = "[".repeat(100_000);
        assert!(read(&deep, "f.yaml", &mut Vec::new()).is_err());
    }
}

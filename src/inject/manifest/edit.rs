//! A patch of a document as edits of its text: what is not changed stays byte for byte.
//!
//! Each step is made where the parser says that things stand, and the text is read again behind
//! it. Whoever calls compares what it means then with what it should, so that nothing that is not
//! understood here can do harm.

use std::{collections::BTreeMap, ops::Range};

use serde_json::Value;

use super::{
    write,
    yaml::{self, Kind, Node},
};
use crate::inject::operation::{Operation, index, split, unescaped};

/// The step cannot be made in this text: it goes through an alias, or a layout that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoEdit;

/// `text` with `operations` done, of which the meaning is to be looked at.
pub(super) fn edited(text: &str, operations: &[Operation]) -> Result<String, NoEdit> {
    let end = if text.contains("\r\n") { "\r\n" } else { "\n" };
    by_item(text, operations, end).map_or_else(|| in_turn(text, operations, end), Ok)
}

/// Each item of a List by itself, so that the time does not grow with the square of their number. `None`:
/// what is to be done is not in items alone, or one of them does not stand by itself.
fn by_item(text: &str, operations: &[Operation], end: &'static str) -> Option<String> {
    let mut items: BTreeMap<usize, Vec<Operation>> = BTreeMap::new();
    for operation in operations {
        let (at, rest) = operation.path().strip_prefix("/items/")?.split_once('/')?;
        let within = operation.clone().at(format!("/{rest}"));
        items.entry(index(at)?).or_default().push(within);
    }
    let root = yaml::read(text).ok()??;
    let page = Page {
        text,
        root: &root,
        end,
    };
    let Kind::List {
        is_flow,
        items: all,
    } = &page.find("/items").ok()?.kind
    else {
        return None;
    };
    let (mut edited, mut done) = (String::with_capacity(2 * text.len()), 0);
    for (at, operations) in items {
        let item = all.get(at)?;
        // of a block from the line of the dash on: as a list of one item it keeps its columns
        let (span, root) = if *is_flow {
            (item.span.clone(), "")
        } else {
            let first = page.line_start(page.dash(item).ok()?);
            (first..page.line_end(item.span.end), "/0")
        };
        let operations: Vec<_> = operations.into_iter().map(|o| o.below(root)).collect();
        let new = in_turn(&text[span.clone()], &operations, end).ok()?;
        edited.push_str(text.get(done..span.start)?);
        edited.push_str(&new);
        done = span.end;
    }
    edited.push_str(&text[done..]);
    Some(edited)
}

/// One step behind the other; the text is read anew for each.
fn in_turn(text: &str, operations: &[Operation], end: &'static str) -> Result<String, NoEdit> {
    let mut text = text.to_owned();
    for operation in operations {
        let root = yaml::read(&text).ok().flatten().ok_or(NoEdit)?;
        let page = Page {
            text: &text,
            root: &root,
            end,
        };
        let Some((range, new)) = page.step(operation)? else {
            continue;
        };
        text.replace_range(range, &new);
    }
    Ok(text)
}

/// What stands at `path` of `text` in quotes, with them.
pub(super) fn quoted(text: &str, path: &str) -> Option<String> {
    let root = yaml::read(text).ok()??;
    let page = Page {
        text,
        root: &root,
        end: "",
    };
    let written = &text[page.find(path).ok()?.span.clone()];
    written.starts_with(['"', '\'']).then(|| written.to_owned())
}

struct Page<'a> {
    text: &'a str,
    root: &'a Node,
    end: &'static str,
}

impl Page<'_> {
    /// What stands in the place of what; `None`: nothing is to be done.
    fn step(&self, operation: &Operation) -> Result<Option<(Range<usize>, String)>, NoEdit> {
        match operation {
            Operation::Test { .. } => Ok(None),
            Operation::Add { path, value } => {
                let (parent, step) = split(path).ok_or(NoEdit)?;
                let parent = self.find(parent)?;
                self.added(parent, &unescaped(step), value).map(Some)
            }
            Operation::Replace {
                path,
                text: Some(text),
                ..
            } => Ok(Some((self.find(path)?.span.clone(), text.clone()))),
            Operation::Replace { path, value, .. } => self.replaced(path, value).map(Some),
            Operation::Remove { path } => {
                let (parent, step) = split(path).ok_or(NoEdit)?;
                let parent = self.find(parent)?;
                let range = self.removed(parent, &unescaped(step))?;
                Ok(Some((range, String::new())))
            }
        }
    }

    fn find(&self, path: &str) -> Result<&Node, NoEdit> {
        let mut node = self.root;
        for step in path.split('/').skip(1) {
            let step = unescaped(step);
            node = match &node.kind {
                Kind::Map { .. } => &node.entry(&step).ok_or(NoEdit)?.1.1,
                Kind::List { items, .. } => {
                    index(&step).and_then(|at| items.get(at)).ok_or(NoEdit)?
                }
                Kind::Scalar { .. } | Kind::Alias(_) => return Err(NoEdit),
            };
        }
        Ok(node)
    }

    fn added(
        &self,
        parent: &Node,
        step: &str,
        value: &Value,
    ) -> Result<(Range<usize>, String), NoEdit> {
        match &parent.kind {
            // what is there is replaced by another operation
            Kind::Map { .. } if parent.entry(step).is_some() => Err(NoEdit),
            Kind::Map {
                is_flow: true,
                entries,
            } => {
                let name = Value::String(step.to_owned());
                let new = format!("{}: {}", write::flow(&name), write::flow(value));
                let last = entries.last().map(|(_, value)| value.span.end);
                Ok(Self::into_flow(parent, last, &new))
            }
            Kind::List {
                is_flow: true,
                items,
            } if index(step) == Some(items.len()) => {
                let last = items.last().map(|item| item.span.end);
                Ok(Self::into_flow(parent, last, &write::flow(value)))
            }
            Kind::Map { entries, .. } => {
                let (key, _) = entries.first().ok_or(NoEdit)?;
                let lines = write::entry(step, value, self.column(key.span.start));
                Ok(self.behind(parent, &lines))
            }
            Kind::List { items, .. } if index(step) == Some(items.len()) => {
                let first = items.first().ok_or(NoEdit)?;
                let lines = write::item(value, self.column(self.dash(first)?));
                Ok(self.behind(parent, &lines))
            }
            _ => Err(NoEdit),
        }
    }

    fn into_flow(parent: &Node, last: Option<usize>, new: &str) -> (Range<usize>, String) {
        match last {
            Some(last) => (last..last, format!(", {new}")),
            // behind the bracket
            None => (parent.span.start + 1..parent.span.start + 1, new.to_owned()),
        }
    }

    /// Lines behind the last of a block, and what else stands on that line.
    fn behind(&self, block: &Node, lines: &[String]) -> (Range<usize>, String) {
        let at = self.line_end(block.span.end);
        let new = lines.iter().flat_map(|line| [self.end, line]).collect();
        (at..at, new)
    }

    fn replaced(&self, path: &str, value: &Value) -> Result<(Range<usize>, String), NoEdit> {
        let node = self.find(path)?;
        let before = &self.text[node.span.clone()];
        match (&node.kind, value) {
            (Kind::Scalar { .. }, Value::String(text)) if !before.is_empty() => {
                Ok((node.span.clone(), write::like(before, text)))
            }
            (Kind::Scalar { .. }, value) if !before.is_empty() => {
                Ok((node.span.clone(), write::flow(value)))
            }
            // nothing stands there: behind its colon
            (Kind::Scalar { .. }, value) => {
                let rest = &self.text[node.span.start..];
                let colon = rest.find(':').filter(|&at| rest[..at].trim().is_empty());
                let at = node.span.start + colon.ok_or(NoEdit)? + 1;
                Ok((at..at, format!(" {}", write::flow(value))))
            }
            (Kind::Map { is_flow: true, .. } | Kind::List { is_flow: true, .. }, value) => {
                if value.is_null() && self.text[..node.span.start].ends_with(": ") {
                    // as most people write it
                    return Ok((node.span.start - 1..node.span.end, String::new()));
                }
                Ok((node.span.clone(), write::flow(value)))
            }
            _ => Err(NoEdit),
        }
    }

    fn removed(&self, parent: &Node, step: &str) -> Result<Range<usize>, NoEdit> {
        match &parent.kind {
            Kind::Map { is_flow, entries } => {
                let (at, _) = parent.entry(step).ok_or(NoEdit)?;
                let spans: Vec<_> = entries
                    .iter()
                    .map(|(key, value)| key.span.start..value.span.end.max(key.span.end))
                    .collect();
                self.cut(*is_flow, &spans, at, Ok)
            }
            Kind::List { is_flow, items } => {
                let at = index(step).filter(|&at| at < items.len()).ok_or(NoEdit)?;
                let spans: Vec<_> = items.iter().map(|item| item.span.clone()).collect();
                self.cut(*is_flow, &spans, at, |_| self.dash(&items[at]))
            }
            _ => Err(NoEdit),
        }
    }

    /// What is to be cut out so that the part `at` is gone; `first` is where its line begins to be it.
    fn cut(
        &self,
        is_flow: bool,
        spans: &[Range<usize>],
        at: usize,
        first: impl Fn(usize) -> Result<usize, NoEdit>,
    ) -> Result<Range<usize>, NoEdit> {
        let own = spans[at].clone();
        if is_flow {
            return Ok(match (at.checked_sub(1), spans.get(at + 1)) {
                (Some(before), _) => spans[before].end..own.end,
                (None, Some(next)) => own.start..next.start,
                (None, None) => own,
            });
        }
        let start = first(own.start)?;
        let line = self.line_start(start);
        // the only part of a block, or one behind a dash, has no lines of its own
        let is_alone = spans.len() == 1 || !self.text[line..start].trim().is_empty() || line == 0;
        if is_alone {
            return Err(NoEdit);
        }
        let end = self.line_end(own.end);
        let is_windows = self.text[..line].ends_with("\r\n");
        let before = line - if is_windows { 2 } else { 1 };
        Ok(before..end)
    }

    /// Where the dash of an item of a block stands.
    fn dash(&self, item: &Node) -> Result<usize, NoEdit> {
        let line = self.line_start(item.span.start);
        let before = &self.text[line..item.span.start];
        // an anchor or a tag may stand between
        let dash = before.find('-').ok_or(NoEdit)?;
        let is_first = before[..dash].trim().is_empty();
        is_first.then_some(line + dash).ok_or(NoEdit)
    }

    fn column(&self, at: usize) -> usize {
        at - self.line_start(at)
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |end| end + 1)
    }

    /// Before the line end.
    fn line_end(&self, at: usize) -> usize {
        let rest = &self.text[at..];
        let end = rest.find('\n').unwrap_or(rest.len());
        let line = &rest[..end];
        at + line.strip_suffix('\r').unwrap_or(line).len()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::inject::operation::apply_all;

    /// Both ways, and what each means.
    fn there_and_back(text: &str, operations: &[Operation]) -> String {
        let meaning = |text: &str| yaml::meaning(&yaml::read(text).unwrap().unwrap()).unwrap();
        let mut value = meaning(text);
        let undo = apply_all(&mut value, operations).unwrap();
        let there = edited(text, operations).unwrap();
        assert_eq!(meaning(&there), value, "{there}");
        let back = edited(&there, &undo).unwrap();
        assert_eq!(back, text, "{there}");
        there
    }

    #[test]
    fn blocks_grow_behind_their_last_line_and_shrink_again() {
        let text = "# top\na:\n- name: x # one\n  n: 0644\n\n# between\nb: {}\nc: \"q\" # quoted\nd: &x\n  e: yes";
        let operations = [
            Operation::add("/a/1", json!({"name": "y", "p": [1]})),
            Operation::add("/a/0/more", json!({"z": true})),
            Operation::replace("/c", "other"),
            Operation::replace("/a/0/n", 7),
            Operation::add("/d/f", "g"),
            Operation::add("/h", json!([{"i": "j"}])),
        ];
        let expected = "# top\na:\n- name: x # one\n  n: 7\n  more:\n    z: true\n- name: \"y\"\n  p:\n    - 1\n\n# between\nb: {}\nc: \"other\" # quoted\nd: &x\n  e: yes\n  f: g\nh:\n  - i: j";
        assert_eq!(edited(text, &operations).unwrap(), expected);
        // a number is written as it is meant, not as it was
        let others: Vec<_> = operations
            .iter()
            .filter(|o| o.path() != "/a/0/n")
            .cloned()
            .collect();
        there_and_back(text, &others);
        there_and_back(&text.replace('\n', "\r\n"), &others);
        there_and_back(&format!("{text}\n"), &others);
    }

    #[test]
    fn flows_grow_behind_their_last_part() {
        let text = "a: [1, {b: c}]  # x\nd: {}\ne: []\nf: {g: h,\n  i: j}\n";
        let there = there_and_back(
            text,
            &[
                Operation::add("/a/2", json!({"k": [1]})),
                Operation::add("/a/1/z", "y"),
                Operation::add("/d/a", 1),
                Operation::add("/e/0", json!({"name": "x"})),
                Operation::add("/f/q", "r"),
            ],
        );
        let expected = "a: [1, {b: c, \"z\": \"y\"}, {\"k\":[1]}]  # x\nd: {\"a\": 1}\ne: [{\"name\":\"x\"}]\nf: {g: h,\n  i: j, \"q\": \"r\"}\n";
        assert_eq!(there, expected);
    }

    #[test]
    fn what_was_nothing_is_nothing_again() {
        there_and_back(
            "a:\nb: 1\n",
            &[Operation::replace("/a", json!([{"name": "x"}]))],
        );
    }

    #[test]
    fn lines_of_a_text_block_are_not_torn() {
        let there = there_and_back(
            "a:\n  b: |\n    x\n    y\n\n# end\nc: 1\n",
            &[Operation::add("/a/d", 1)],
        );
        assert_eq!(there, "a:\n  b: |\n    x\n    y\n  d: 1\n\n# end\nc: 1\n");
    }

    #[test]
    fn what_stands_elsewhere_is_not_edited() {
        let text = "a: &x {b: 1}\nc: *x\n- d";
        assert_eq!(edited(text, &[Operation::add("/c/e", 1)]), Err(NoEdit));
        let text = "a: &x {b: 1}\nc: *x\n";
        assert_eq!(edited(text, &[Operation::add("/c/e", 1)]), Err(NoEdit));
        assert_eq!(edited(text, &[Operation::remove("/d")]), Err(NoEdit));
        assert_eq!(
            edited("a:\n  b: 1\n", &[Operation::remove("/a/b")]),
            Err(NoEdit)
        );
    }
}

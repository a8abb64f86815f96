//! One document of YAML (or JSON, which is YAML) as a tree that knows where everything stands.

use std::ops::Range;

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};
use serde_json::{Map, Number, Value};

/// Most nodes that aliases may make of a document.
const MOST_NODES: usize = 200_000;

#[cfg(test)]
thread_local! {
    /// Bytes that were read.
    pub(super) static READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Why a text is not read. No part of the text is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unread {
    /// The parser found no YAML.
    #[error("line {line}: {what}")]
    Broken {
        /// From 1 on, in the document.
        line: usize,
        /// What the parser says.
        what: String,
    },
    /// An end of a document in the middle.
    #[error("it is several documents without --- between them")]
    Several,
    /// Which of them counts is not the same for everybody.
    #[error("a key stands twice in one mapping")]
    Twice,
    /// What aliases stand for is too much.
    #[error("its aliases make too much of it")]
    TooMuch,
}

/// A node and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) kind: Kind,
    /// From its first byte to behind its last; of a block without the line end.
    pub(super) span: Range<usize>,
    anchor: usize,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Scalar {
        text: String,
        is_text: bool,
    },
    Map {
        is_flow: bool,
        entries: Vec<(Node, Node)>,
    },
    List {
        is_flow: bool,
        items: Vec<Node>,
    },
    Alias(usize),
}

impl Node {
    /// The value of `key` in a mapping, with its key.
    pub(super) fn entry(&self, key: &str) -> Option<(usize, &(Node, Node))> {
        let Kind::Map { entries, .. } = &self.kind else {
            return None;
        };
        let mut entries = entries.iter().enumerate();
        entries.find(|(_, (name, _))| name.scalar() == Some(key))
    }

    pub(super) fn scalar(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }
}

/// The one node of `text`; `None` where there is nothing but comments.
pub(super) fn read(text: &str) -> Result<Option<Node>, Unread> {
    #[cfg(test)]
    READ.set(READ.get() + text.len());
    let mut events = Vec::new();
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| Unread::Broken {
            line: error.marker().line(),
            what: error.info().clone(),
        })?;
        let span = span.byte_range().unwrap_or_default();
        events.push((event, span));
    }
    let starts = events
        .iter()
        .filter(|(event, _)| matches!(event, Event::DocumentStart(..)));
    match starts.count() {
        0 => return Ok(None),
        1 => {}
        _ => return Err(Unread::Several),
    }
    let mut reader = Reader {
        text,
        events: events.into_iter(),
    };
    Ok(reader.node())
}

struct Reader<'a> {
    text: &'a str,
    events: std::vec::IntoIter<(Event<'a>, Range<usize>)>,
}

impl Reader<'_> {
    /// The next node; `None` at the end of what holds it.
    fn node(&mut self) -> Option<Node> {
        loop {
            let (event, span) = self.events.next()?;
            return Some(match event {
                Event::Scalar(text, style, anchor, tag) => {
                    self.scalar(&text, style, anchor, tag.is_some(), span)
                }
                Event::Alias(id) => Node {
                    kind: Kind::Alias(id),
                    span,
                    anchor: 0,
                },
                Event::MappingStart(style, anchor, _) => self.map(style, anchor, span),
                Event::SequenceStart(style, anchor, _) => self.list(style, anchor, span),
                Event::MappingEnd | Event::SequenceEnd | Event::DocumentEnd => return None,
                _ => continue,
            });
        }
    }

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        anchor: usize,
        tagged: bool,
        span: Range<usize>,
    ) -> Node {
        let is_plain = style == ScalarStyle::Plain && !tagged;
        // an empty one is told as `~`
        let text = if is_plain && span.is_empty() {
            ""
        } else {
            text
        };
        let mut span = span;
        if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) && !text.ends_with("\n\n") {
            let end = self.text[span.clone()]
                .trim_end_matches(['\n', '\r', ' '])
                .len();
            span.end = span.start + end;
        }
        Node {
            kind: Kind::Scalar {
                text: text.to_owned(),
                is_text: !is_plain,
            },
            span,
            anchor,
        }
    }

    fn map(&mut self, style: StructureStyle, anchor: usize, start: Range<usize>) -> Node {
        let mut entries = Vec::new();
        while let Some(key) = self.node() {
            let Some(value) = self.node() else { break };
            entries.push((key, value));
        }
        let is_flow = style == StructureStyle::Flow;
        let last = entries
            .last()
            .map(|(key, value)| value.span.end.max(key.span.end));
        let span = start.start..self.end(is_flow, start.end, last);
        Node {
            kind: Kind::Map { is_flow, entries },
            span,
            anchor,
        }
    }

    fn list(&mut self, style: StructureStyle, anchor: usize, start: Range<usize>) -> Node {
        let mut items: Vec<Node> = Vec::new();
        while let Some(item) = self.node() {
            items.push(item);
        }
        let is_flow = style == StructureStyle::Flow;
        let last = items.last().map(|item| item.span.end);
        let span = start.start..self.end(is_flow, start.end, last);
        Node {
            kind: Kind::List { is_flow, items },
            span,
            anchor,
        }
    }

    /// Where a collection ends: of a flow behind its bracket, which was the last thing taken.
    fn end(&self, is_flow: bool, start: usize, last: Option<usize>) -> usize {
        if !is_flow {
            return last.unwrap_or(start);
        }
        let from = last.unwrap_or(start);
        let bracket = closing(&self.text[from..]);
        from + bracket
    }
}

/// How far it is behind the bracket that closes what stands here: over blanks, comments and a comma.
fn closing(text: &str) -> usize {
    let mut in_comment = false;
    for (at, c) in text.char_indices() {
        match c {
            '\n' => in_comment = false,
            '#' => in_comment = true,
            '}' | ']' if !in_comment => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// What it means to Kubernetes: YAML 1.1 as its own tools read it, with aliases and merge keys.
pub(super) fn meaning(root: &Node) -> Result<Value, Unread> {
    let mut anchors = Vec::new();
    collect(root, &mut anchors);
    Meaning {
        anchors,
        left: MOST_NODES,
    }
    .of(root)
}

fn collect<'a>(node: &'a Node, anchors: &mut Vec<&'a Node>) {
    if node.anchor > 0 {
        anchors.push(node);
    }
    match &node.kind {
        Kind::Map { entries, .. } => {
            for (key, value) in entries {
                collect(key, anchors);
                collect(value, anchors);
            }
        }
        Kind::List { items, .. } => items.iter().for_each(|item| collect(item, anchors)),
        Kind::Scalar { .. } | Kind::Alias(_) => {}
    }
}

struct Meaning<'a> {
    anchors: Vec<&'a Node>,
    left: usize,
}

impl<'a> Meaning<'a> {
    fn of(&mut self, node: &'a Node) -> Result<Value, Unread> {
        self.left = self.left.checked_sub(1).ok_or(Unread::TooMuch)?;
        match &node.kind {
            Kind::Scalar {
                text,
                is_text: true,
                ..
            } => Ok(Value::String(text.clone())),
            Kind::Scalar { text, .. } => Ok(plain(text)),
            Kind::Alias(id) => {
                let target = self.anchors.iter().find(|node| node.anchor == *id).copied();
                // one that is inside what it stands for has no end
                let target = target.filter(|target| !encloses(target, node));
                target.map_or(Err(Unread::TooMuch), |target| self.of(target))
            }
            Kind::List { items, .. } => items.iter().map(|item| self.of(item)).collect(),
            Kind::Map { entries, .. } => self.map(entries),
        }
    }

    fn map(&mut self, entries: &'a [(Node, Node)]) -> Result<Value, Unread> {
        let (mut own, mut merged) = (Map::new(), Map::new());
        for (key, value) in entries {
            let name = match self.of(key)? {
                Value::String(name) => name,
                other => other.to_string(),
            };
            let value = self.of(value)?;
            if name == "<<" && key.scalar() == Some("<<") {
                let several = match value {
                    Value::Array(several) => several,
                    one => vec![one],
                };
                for members in several.into_iter().filter_map(|v| v.as_object().cloned()) {
                    for (name, value) in members {
                        merged.entry(name).or_insert(value);
                    }
                }
            } else if own.insert(name, value).is_some() {
                return Err(Unread::Twice);
            }
        }
        for (name, value) in merged {
            own.entry(name).or_insert(value);
        }
        Ok(Value::Object(own))
    }
}

fn encloses(outer: &Node, inner: &Node) -> bool {
    outer.span.start <= inner.span.start && inner.span.end <= outer.span.end
}

/// A plain scalar: null, true or false, a number, else a text.
fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
            return Value::Bool(true);
        }
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            return Value::Bool(false);
        }
        _ => {}
    }
    integer(text)
        .or_else(|| fraction(text))
        .map_or_else(|| Value::String(text.to_owned()), Value::Number)
}

fn integer(text: &str) -> Option<Number> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x', ..] => (16, &digits[2..]),
        [b'0', b'o', ..] => (8, &digits[2..]),
        [b'0', b'b', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let digits = digits.replace('_', "");
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let number = i128::from_str_radix(&digits, radix).ok()?;
    Number::from_i128(if is_negative { -number } else { number })
}

fn fraction(text: &str) -> Option<Number> {
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b))
        && text.bytes().any(|b| b.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|_| is_number)
        .and_then(Number::from_f64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn value(text: &str) -> Result<Value, Unread> {
        read(text)?.map_or(Ok(Value::Null), |node| meaning(&node))
    }

    #[test]
    fn it_means_what_it_means_to_kubernetes() {
        for (text, expected) in [
            (
                "a: 1\nb: [x, 'y', \"z\"]",
                json!({"a": 1, "b": ["x", "y", "z"]}),
            ),
            ("mode: 0644", json!({"mode": 420})),
            ("a: 0o17", json!({"a": 15})),
            ("a: 0x1F", json!({"a": 31})),
            ("a: 1_000", json!({"a": 1000})),
            ("a: -12", json!({"a": -12})),
            ("a: 089", json!({"a": 89.0})),
            ("a: 1.5e3", json!({"a": 1500.0})),
            (
                "a: yes\nb: 'yes'\nc: off",
                json!({"a": true, "b": "yes", "c": false}),
            ),
            (
                "a:\nb: ~\nc: '~'\nd: ''",
                json!({"a": null, "b": null, "c": "~", "d": ""}),
            ),
            (
                "a: 1.2.3\nb: 12:30\nc: 10m\nd: '1'",
                json!({"a": "1.2.3", "b": "12:30", "c": "10m", "d": "1"}),
            ),
            ("a: &x {b: 1}\nc: *x", json!({"a": {"b": 1}, "c": {"b": 1}})),
            (
                "a: &x {b: 1, c: 2}\nd: {<<: *x, b: 3}",
                json!({"a": {"b": 1, "c": 2}, "d": {"b": 3, "c": 2}}),
            ),
            (
                "a: |\n  x\n  y\nb: >-\n  x\n  y\n",
                json!({"a": "x\ny\n", "b": "x y"}),
            ),
            ("a: !!str 1", json!({"a": "1"})),
            (
                "{\"a\": [1, {\"b\": null}]}",
                json!({"a": [1, {"b": null}]}),
            ),
            ("8080: x", json!({"8080": "x"})),
            ("# nothing", Value::Null),
            ("", Value::Null),
        ] {
            assert_eq!(value(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_document_has_a_reason() {
        assert!(matches!(value("a: [1"), Err(Unread::Broken { .. })));
        assert!(matches!(
            value("a: b: c"),
            Err(Unread::Broken { line: 1, .. })
        ));
        assert_eq!(value("a: 1\na: 2"), Err(Unread::Twice));
        assert_eq!(value("a: 1\n...\n---\nb: 1"), Err(Unread::Several));
        assert_eq!(value("a: &x [*x]"), Err(Unread::TooMuch));
        let bomb: String = (1..9).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, n| {
            let before = format!("*a{},", n - 1).repeat(9);
            format!("{text}a{n}: &a{n} [{before}]\n")
        });
        assert_eq!(value(&bomb), Err(Unread::TooMuch));
    }
}

//! A configuration as it was written, before anything is known of types: scalars keep their text
//! (`version: 1.10` is not 1.1), and every node knows where it stands.

use std::{borrow::Cow, fmt};

use super::error::{Origin, Problem};

/// One value with its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

/// What was written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    /// Something that has been reported as wrong and is passed over.
    Refused,
}

/// Origins do not matter: equal is what says the same.
impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

/// A step of a path: `a.b[0]` is three.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// A path as it is shown: `routes[0].path`.
pub(super) struct Shown<'a>(pub(super) &'a [Step]);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, step) in self.0.iter().enumerate() {
            match step {
                Step::Key(key) if place == 0 => f.write_str(key)?,
                Step::Key(key) => write!(f, ".{key}")?,
                Step::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}

/// A key as it is shown, as steps: `routes[0].path` is three.
pub(super) fn steps(key: &str) -> Vec<Step> {
    let named = |part: &str| {
        let (name, index) = part.strip_suffix(']')?.split_once('[')?;
        Some(vec![
            Step::Key(name.to_owned()),
            Step::Index(index.parse().ok()?),
        ])
    };
    let of = |part: &str| named(part).unwrap_or_else(|| vec![Step::Key(part.to_owned())]);
    key.split('.').flat_map(of).collect()
}

impl Node {
    pub(super) fn text(text: &str, origin: Origin) -> Self {
        Self {
            value: Value::Text(text.to_owned()),
            origin,
        }
    }

    /// `node` at the end of `path`, inside sections that exist only for it.
    pub(super) fn nested(path: &[Step], node: Node) -> Self {
        path.iter().rev().fold(node, |inner, step| match step {
            Step::Key(key) => Node {
                origin: inner.origin.clone(),
                value: Value::Map(vec![(key.clone(), inner)]),
            },
            Step::Index(_) => inner,
        })
    }

    /// The node at `path`.
    pub(super) fn get(&self, path: &[Step]) -> Option<&Node> {
        path.iter()
            .try_fold(self, |node, step| match (&node.value, step) {
                (Value::Map(entries), Step::Key(key)) => entries
                    .iter()
                    .find(|(name, _)| name == key)
                    .map(|(_, node)| node),
                (Value::List(items), Step::Index(index)) => items.get(*index),
                _ => None,
            })
    }

    /// The node at `path`, to be replaced.
    pub(super) fn get_mut(&mut self, path: &[Step]) -> Option<&mut Node> {
        path.iter()
            .try_fold(self, |node, step| match (&mut node.value, step) {
                (Value::Map(entries), Step::Key(key)) => entries
                    .iter_mut()
                    .find(|(name, _)| name == key)
                    .map(|(_, node)| node),
                (Value::List(items), Step::Index(index)) => items.get_mut(*index),
                _ => None,
            })
    }

    /// Where the value at `path` was written, or the nearest that holds it.
    pub(super) fn origin_of(&self, path: &[Step]) -> &Origin {
        (0..=path.len())
            .rev()
            .find_map(|length| self.get(&path[..length]))
            .map_or(&self.origin, |node| &node.origin)
    }

    /// Gives everything in it one origin.
    pub(super) fn all_from(&mut self, origin: &Origin) {
        self.origin = origin.clone();
        match &mut self.value {
            Value::List(items) => items.iter_mut().for_each(|item| item.all_from(origin)),
            Value::Map(entries) => entries
                .iter_mut()
                .for_each(|(_, node)| node.all_from(origin)),
            Value::Null | Value::Text(_) | Value::Refused => {}
        }
    }

    /// Lays `over` on top: sections key by key, everything else whole.
    ///
    /// A section or list of which nothing is left but its name (all keys commented out) says
    /// nothing. A section that is something else is reported, and what was there stays.
    pub(super) fn merge(&mut self, over: Node, problems: &mut Vec<Problem>) {
        self.merge_at(over, &mut Vec::new(), problems);
    }

    fn merge_at(&mut self, over: Node, path: &mut Vec<Step>, problems: &mut Vec<Problem>) {
        match (&mut self.value, over.value) {
            (Value::Map(_) | Value::List(_), Value::Null) => {}
            (Value::Map(below), Value::Map(above)) => {
                for (name, node) in above {
                    path.push(Step::Key(name.clone()));
                    match below.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, known)) => known.merge_at(node, path, problems),
                        None => below.push((name, node)),
                    }
                    path.pop();
                }
            }
            (Value::Map(_), value) => problems.push(Problem {
                key: if path.is_empty() {
                    "file".to_owned()
                } else {
                    Shown(path).to_string()
                },
                message: format!("expected keys with values, found {}", Found(&value)),
                origin: over.origin,
            }),
            (_, value) => {
                self.value = value;
                self.origin = over.origin;
            }
        }
    }

    /// Calls `each` with the key and node of everything that is not a section, in order.
    pub(super) fn leaves<'a>(&'a self, each: &mut impl FnMut(String, &'a Node)) {
        self.leaves_at(&mut Vec::new(), each);
    }

    fn leaves_at<'a>(&'a self, path: &mut Vec<Step>, each: &mut impl FnMut(String, &'a Node)) {
        let Value::Map(entries) = &self.value else {
            return each(Shown(path).to_string(), self);
        };
        for (name, node) in entries {
            path.push(Step::Key(name.clone()));
            node.leaves_at(path, each);
            path.pop();
        }
    }
}

/// A value as it is shown in a report: short, and on one line.
pub(super) struct Found<'a>(pub(super) &'a Value);

/// Most characters of a value that are shown.
const SHOWN: usize = 60;

impl fmt::Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => f.write_str("nothing"),
            Value::Text(text) => {
                let text = without_password(text);
                match text.char_indices().nth(SHOWN) {
                    Some((end, _)) => write!(f, "{:?}...", &text[..end]),
                    None => write!(f, "{text:?}"),
                }
            }
            Value::List(_) => f.write_str("a list"),
            Value::Map(_) | Value::Refused => f.write_str("keys with values"),
        }
    }
}

/// `http://user:password@host` with `***` for the part before `@`.
fn without_password(text: &str) -> Cow<'_, str> {
    match text.split_once("://").zip(text.rsplit_once('@')) {
        Some(((scheme, _), (_, host))) => format!("{scheme}://***@{host}").into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> String {
        Found(&Value::Text(text.to_owned())).to_string()
    }

    #[test]
    fn what_was_found_is_short_on_one_line_and_without_a_password() {
        assert_eq!(found("a\nb"), "\"a\\nb\"");
        assert_eq!(found("http://me:pass@word@host/x"), "\"http://***@host/x\"");
        assert_eq!(found("me@host"), "\"me@host\"");
        let long = found(&"é".repeat(100));
        assert_eq!(long, format!("\"{}\"...", "é".repeat(SHOWN)));
    }

    #[test]
    fn a_key_as_shown_and_its_steps_say_the_same() {
        for key in ["routes", "proxy.listen", "routes[10].path"] {
            assert_eq!(Shown(&steps(key)).to_string(), key);
        }
        assert_eq!(steps("routes[1].path").len(), 3);
    }
}

//! JSON Patch: the three operations that injection needs, and the one that guards undoing it.
//!
//! Source: RFC 6902; paths are JSON Pointers of RFC 6901.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One step of a patch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Operation {
    /// Puts a member into an object, or an item into a list before that index.
    Add {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
    /// Takes a member or item away.
    Remove {
        /// Where.
        path: String,
    },
    /// Puts another value in the place of one that is there.
    Replace {
        /// Where.
        path: String,
        /// What.
        value: Value,
        /// How it was written, where a text was edited and the value does not tell: a member that
        /// others pass over.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    /// Fails unless this is there.
    Test {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
}

/// A step that does not fit what it is applied to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the patch does not fit at {path}")]
pub struct Misfit {
    /// Where it was tried.
    pub path: String,
}

impl Operation {
    /// Adds `value` at `path`.
    pub fn add(path: impl Into<String>, value: impl Into<Value>) -> Self {
        let (path, value) = (path.into(), value.into());
        Self::Add { path, value }
    }

    /// Removes what is at `path`.
    pub fn remove(path: impl Into<String>) -> Self {
        Self::Remove { path: path.into() }
    }

    /// Replaces what is at `path`.
    pub fn replace(path: impl Into<String>, value: impl Into<Value>) -> Self {
        let (path, value) = (path.into(), value.into());
        Self::Replace {
            path,
            value,
            text: None,
        }
    }

    /// Looks whether `value` is at `path`.
    pub fn test(path: impl Into<String>, value: impl Into<Value>) -> Self {
        let (path, value) = (path.into(), value.into());
        Self::Test { path, value }
    }

    /// Where it is applied.
    pub fn path(&self) -> &str {
        match self {
            Self::Add { path, .. }
            | Self::Remove { path }
            | Self::Replace { path, .. }
            | Self::Test { path, .. } => path,
        }
    }

    /// The same below `root`.
    #[must_use]
    pub fn below(self, root: &str) -> Self {
        let path = format!("{root}{}", self.path());
        self.at(path)
    }

    /// The same elsewhere.
    #[must_use]
    pub fn at(mut self, place: String) -> Self {
        match &mut self {
            Self::Add { path, .. }
            | Self::Remove { path }
            | Self::Replace { path, .. }
            | Self::Test { path, .. } => *path = place,
        }
        self
    }

    /// Does it, and returns what undoes it; a test is undone by itself.
    ///
    /// # Errors
    /// It does not fit, and `document` is as it was.
    pub fn apply(&self, document: &mut Value) -> Result<Self, Misfit> {
        self.applied(document).ok_or_else(|| Misfit {
            path: self.path().to_owned(),
        })
    }

    fn applied(&self, document: &mut Value) -> Option<Self> {
        let path = self.path();
        match self {
            Self::Test { value, .. } => (document.pointer(path)? == value).then(|| self.clone()),
            Self::Replace { value, .. } => {
                let place = document.pointer_mut(path)?;
                let before = std::mem::replace(place, value.clone());
                Some(Self::replace(path, before))
            }
            Self::Add { value, .. } => {
                let (parent, name) = split(path)?;
                match document.pointer_mut(parent)? {
                    Value::Object(members) => {
                        // an addition that would replace is not undone by a removal
                        let before = members.insert(unescaped(name), value.clone());
                        Some(match before {
                            Some(before) => Self::replace(path, before),
                            None => Self::remove(path),
                        })
                    }
                    Value::Array(items) => {
                        let at = index(name).filter(|&at| at <= items.len())?;
                        items.insert(at, value.clone());
                        Some(Self::remove(path))
                    }
                    _ => None,
                }
            }
            Self::Remove { .. } => {
                let (parent, name) = split(path)?;
                let removed = match document.pointer_mut(parent)? {
                    Value::Object(members) => members.remove(&unescaped(name))?,
                    Value::Array(items) => {
                        let at = index(name).filter(|&at| at < items.len())?;
                        items.remove(at)
                    }
                    _ => return None,
                };
                Some(Self::add(path, removed))
            }
        }
    }
}

/// Applies all of `operations`, and returns what undoes them, in the order in which it does.
///
/// # Errors
/// The first that does not fit; `document` is then half done.
pub fn apply_all(document: &mut Value, operations: &[Operation]) -> Result<Vec<Operation>, Misfit> {
    let mut undo: Vec<_> = operations
        .iter()
        .map(|operation| operation.apply(document))
        .collect::<Result<_, _>>()?;
    undo.reverse();
    Ok(undo)
}

/// The pointer to the parent, and the last step, still escaped.
pub(super) fn split(path: &str) -> Option<(&str, &str)> {
    path.rsplit_once('/')
}

/// A name as a step of a pointer.
pub(super) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A step of a pointer as a name.
pub(super) fn unescaped(step: &str) -> String {
    step.replace("~1", "/").replace("~0", "~")
}

pub(super) fn index(step: &str) -> Option<usize> {
    let is_plain = step == "0" || !step.starts_with(['0', '+']);
    step.parse().ok().filter(|_| is_plain)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_applied_is_undone() {
        let before = json!({"a": {"b/c": [1, 2]}, "d": "x"});
        let operations = [
            Operation::add("/a/b~1c/1", 9),
            Operation::add("/a/n", json!({"m": []})),
            Operation::add("/a/n/m/0", "first"),
            Operation::replace("/d", 7),
            Operation::remove("/a/b~1c/0"),
        ];
        let mut document = before.clone();
        let undo = apply_all(&mut document, &operations).unwrap();
        assert_eq!(
            document,
            json!({"a": {"b/c": [9, 2], "n": {"m": ["first"]}}, "d": 7})
        );
        apply_all(&mut document, &undo).unwrap();
        assert_eq!(document, before);
    }

    #[test]
    fn what_does_not_fit_is_told_and_changes_nothing() {
        let before = json!({"a": [1], "b": 2});
        for operation in [
            Operation::add("/a/2", 1),
            Operation::add("/a/01", 1),
            Operation::add("/a/x", 1),
            Operation::add("/b/x", 1),
            Operation::add("/c/d", 1),
            Operation::remove("/a/1"),
            Operation::remove("/c"),
            Operation::replace("/c", 1),
            Operation::test("/b", 3),
            Operation::test("/c", 3),
        ] {
            let mut document = before.clone();
            let misfit = operation.apply(&mut document).unwrap_err();
            assert_eq!(misfit.path, operation.path());
            assert_eq!(document, before, "{operation:?}");
        }
    }

    #[test]
    fn it_is_written_as_the_rfc_has_it() {
        let operation = Operation::add("/a", json!([1]));
        let text = serde_json::to_string(&operation).unwrap();
        assert_eq!(text, r#"{"op":"add","path":"/a","value":[1]}"#);
        let operation: Operation =
            serde_json::from_str(r#"{"op":"remove","path":"/a","more":1}"#).unwrap();
        assert_eq!(operation, Operation::remove("/a"));
    }
}

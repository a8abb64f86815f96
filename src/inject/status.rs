//! Changes as they are made, with what undoes them, and the annotation that tells of both.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    annotations::STATUS,
    operation::{Operation, escaped},
    pod::list,
};

/// The version that wrote it.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What an annotation tells of an injection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Status {
    /// The version of Sidelight that did it.
    pub(super) version: String,
    /// Of what was done: two that are the same did the same.
    pub(super) hash: String,
    /// How requests come to the sidecar: `service`, `name` or `moved`; of a Service itself
    /// `service`.
    pub(super) traffic: String,
    /// For people.
    pub(super) changed: Vec<String>,
    /// JSON Patch that undoes it, this annotation included.
    pub(super) undo: Vec<Operation>,
}

/// The status that a pod or Service has.
pub(super) fn of(object: &Value) -> Option<Status> {
    let text = object.pointer(&status_path())?.as_str()?;
    serde_json::from_str(text).ok()
}

/// Whether it has any, readable or not.
pub(super) fn is_in(object: &Value) -> bool {
    object.pointer(&status_path()).is_some()
}

fn status_path() -> String {
    format!("/metadata/annotations/{}", escaped(STATUS))
}

/// A copy of an object that is changed step by step.
pub(super) struct Edits {
    object: Value,
    operations: Vec<Operation>,
    /// Of each step: what has to be so, and what undoes it.
    undo: Vec<Vec<Operation>>,
}

impl Edits {
    pub(super) fn of(object: &Value) -> Self {
        Self {
            object: object.clone(),
            operations: Vec::new(),
            undo: Vec::new(),
        }
    }

    /// As it is by now.
    pub(super) fn object(&self) -> &Value {
        &self.object
    }

    fn push(&mut self, operation: Operation, guard: Option<Operation>) {
        let undo = operation
            .apply(&mut self.object)
            .expect("the path of a change was found in the object");
        self.undo.push(guard.into_iter().chain([undo]).collect());
        self.operations.push(operation);
    }

    /// Puts `value` at `path`, whether something is there or not. The parent is.
    pub(super) fn set(&mut self, path: &str, value: Value) {
        let guard = Some(Operation::test(path, value.clone()));
        if self.object.pointer(path).is_some() {
            self.push(Operation::replace(path, value), guard);
        } else {
            self.push(Operation::add(path, value), guard);
        }
    }

    /// The last step replaced what was written like this.
    pub(super) fn was_written(&mut self, written: &str) {
        let undo = self.undo.last_mut().and_then(|undo| undo.last_mut());
        if let Some(Operation::Replace { text, .. }) = undo {
            *text = Some(written.to_owned());
        }
    }

    /// Puts `item`, which has a name, at the end of a list that need not be there.
    pub(super) fn append(&mut self, path: &str, item: Value) {
        let at = list(&self.object, path).len();
        let guard = Operation::test(format!("{path}/{at}/name"), item["name"].clone());
        let operation = match self.object.pointer(path) {
            Some(Value::Array(_)) => Operation::add(format!("{path}/{at}"), item),
            Some(_) => Operation::replace(path, json!([item])),
            None => Operation::add(path, json!([item])),
        };
        self.push(operation, Some(guard));
    }

    /// The steps, the last of which writes the status.
    pub(super) fn finish(mut self, traffic: &str, changed: Vec<String>) -> Vec<Operation> {
        let (path, wrap): (_, fn(String) -> Value) = match self.object.pointer("/metadata") {
            None | Some(Value::Null) => (
                "/metadata".to_owned(),
                |status| json!({"annotations": {STATUS: status}}),
            ),
            Some(metadata) => match metadata.get("annotations") {
                None | Some(Value::Null) => (
                    "/metadata/annotations".to_owned(),
                    |status| json!({STATUS: status}),
                ),
                Some(_) => (status_path(), Value::String),
            },
        };
        let before = self.object.pointer(&path).cloned();
        let first = match before.clone() {
            Some(before) => Operation::replace(&path, before),
            None => Operation::remove(&path),
        };
        let undo = self.undo.into_iter().rev().flatten();
        let mut hasher = Sha256::new();
        hasher.update(VERSION);
        hasher.update(serde_json::to_vec(&self.operations).unwrap_or_default());
        let hash = hasher
            .finalize()
            .iter()
            .take(8)
            .fold(String::new(), |mut text, byte| {
                use std::fmt::Write as _;
                // writing to a string does not fail
                let _ = write!(text, "{byte:02x}");
                text
            });
        let status = Status {
            version: VERSION.to_owned(),
            hash,
            traffic: traffic.to_owned(),
            changed,
            undo: [first].into_iter().chain(undo).collect(),
        };
        let text = serde_json::to_string(&status).expect("a status has nothing but texts as keys");
        let value = wrap(text);
        self.operations.push(match before {
            Some(_) => Operation::replace(path, value),
            None => Operation::add(path, value),
        });
        self.operations
    }
}

/// Whether undoing takes nothing away that others have put beside what is ours.
pub(super) fn takes_only_ours(object: &Value, undo: &Operation) -> bool {
    let (Operation::Remove { path } | Operation::Replace { path, .. }) = undo else {
        return true;
    };
    match object.pointer(path) {
        // lists that did not exist hold one item, maps that did not exist one member
        Some(Value::Array(items)) => items.len() == 1,
        Some(Value::Object(members)) if path.ends_with("/annotations") || path == "/metadata" => {
            members.len() == 1
                && members
                    .get("annotations")
                    .and_then(Value::as_object)
                    .is_none_or(|annotations| annotations.len() == 1)
        }
        _ => true,
    }
}

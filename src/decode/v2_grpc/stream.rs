//! How the messages of a stream belong together.

use std::{
    collections::{HashMap, HashSet},
    hash::{DefaultHasher, Hash, Hasher},
};

use super::{
    super::protobuf::{Fields, Malformed, Value},
    frames::Frames,
};

/// A message of an answer's stream.
#[derive(Default)]
pub(super) struct Response<'a> {
    is_error: bool,
    /// `None`: there is no prediction.
    pub(super) message: Option<&'a [u8]>,
}

/// What a message of an answer's stream holds: Triton puts the answer into a `ModelStreamInferResponse`,
/// beside an error; `MLServer` sends it as it is, which its outputs (5, 6) or its id (3) tell.
pub(super) fn response(message: &[u8]) -> Result<Response<'_>, Malformed> {
    let mut response = Response::default();
    let mut is_bare = false;
    for field in Fields::of(message) {
        match field? {
            (1, Value::Bytes(text)) => response.is_error = !text.is_empty(),
            (2, Value::Bytes(message)) => response.message = Some(message),
            (3 | 5 | 6, Value::Bytes(_)) => is_bare = true,
            _ => {}
        }
    }
    if is_bare {
        return Ok(Response {
            is_error: false,
            message: Some(message),
        });
    }
    if response.is_error {
        response.message = None;
    }
    Ok(response)
}

/// The id of a request or an answer; empty: it has none, or is broken.
fn id_of(message: &[u8]) -> &[u8] {
    let mut id = &[][..];
    for field in Fields::of(message) {
        if let Ok((3, Value::Bytes(given))) = field {
            id = given;
        }
    }
    id
}

/// The same as a number; `None`: it has none.
pub(super) fn id(message: &[u8]) -> Option<u64> {
    number(id_of(message))
}

/// An id takes as much room as its sender wants, and a number eight bytes.
fn number(id: &[u8]) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    (!id.is_empty()).then(|| hasher.finish())
}

/// The requests of a stream that were answered with an error.
#[derive(Default)]
pub(super) struct Failed {
    places: HashSet<usize>,
    ids: HashSet<u64>,
}

impl Failed {
    pub(super) fn has(&self, place: usize, id: &[u8]) -> bool {
        if self.ids.is_empty() {
            return self.places.contains(&place);
        }
        number(id).is_some_and(|id| self.ids.contains(&id))
    }
}

/// Those whose answers are errors, by their ids where these are given; none where all failed.
pub(super) fn failed(answers: Frames<'_>) -> Failed {
    let mut failed = Failed::default();
    let mut answered = 0;
    for (place, frame) in answers.enumerate() {
        let Ok(frame) = frame else {
            break;
        };
        answered += 1;
        if !response(&frame).is_ok_and(|response| response.is_error) {
            continue;
        }
        failed.places.insert(place);
        for field in Fields::of(&frame) {
            if let Ok((2, Value::Bytes(message))) = field {
                failed.ids.extend(id(message));
            }
        }
    }
    if failed.places.len() == answered {
        return Failed::default();
    }
    failed
}

/// The messages of an answer's stream: id and items of each.
#[derive(Default)]
pub(super) struct Order(Vec<(Option<u64>, usize)>);

impl Order {
    pub(super) fn push(&mut self, id: &[u8], items: usize) {
        if items > 0 {
            self.0.push((number(id), items));
        }
    }

    pub(super) fn has_several(&self) -> bool {
        self.0.len() > 1
    }

    /// The places of all items in the order of requests with these ids; `None`: they are in it, or
    /// not every answer has an id that was asked.
    pub(super) fn by(&self, ids: impl Iterator<Item = Option<u64>>) -> Option<Vec<usize>> {
        let mut ranks = HashMap::new();
        for (rank, id) in ids.enumerate() {
            ranks.entry(id?).or_insert(rank);
        }
        let mut messages = Vec::with_capacity(self.0.len());
        let mut from = 0;
        for (id, items) in &self.0 {
            messages.push((*ranks.get(&(*id)?)?, from..from + items));
            from += items;
        }
        if messages.is_sorted_by_key(|(rank, _)| *rank) {
            return None;
        }
        messages.sort_by_key(|(rank, _)| *rank);
        Some(messages.into_iter().flat_map(|(_, items)| items).collect())
    }
}

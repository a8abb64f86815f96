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

impl Response<'_> {
    pub(super) fn is_error(&self) -> bool {
        self.is_error
    }
}

/// What a message of an answer's stream holds: Triton puts the answer into a `ModelStreamInferResponse`,
/// beside an error; `MLServer` sends it as it is, which its outputs (5, 6), its id (3) or its parameters
/// (4) tell. A decoupled model's last answer may have no outputs.
pub(super) fn response(message: &[u8]) -> Result<Response<'_>, Malformed> {
    let mut response = Response::default();
    let mut is_bare = false;
    for field in Fields::of(message) {
        match field? {
            (1, Value::Bytes(text)) => response.is_error = !text.is_empty(),
            (2, Value::Bytes(message)) => response.message = Some(message),
            (3..=6, Value::Bytes(_)) => is_bare = true,
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
pub(super) fn number(id: &[u8]) -> Option<u64> {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    (!id.is_empty()).then(|| hasher.finish())
}

/// How often each request of a stream was answered.
#[derive(Default)]
pub(super) struct Replies {
    /// Answers of each id, where every answer has the id of a request and no two requests have the same.
    by_id: Option<HashMap<u64, usize>>,
    /// Else the places and ids of requests that were answered with an error; none where all were.
    failed: HashSet<usize>,
    failed_ids: HashSet<u64>,
}

impl Replies {
    pub(super) fn of(requests: Frames<'_>, answers: Frames<'_>) -> Self {
        let ids = requests.map_while(Result::ok).map(|frame| id(&frame));
        let mut by_id: Option<HashMap<u64, usize>> = Some(HashMap::new());
        for id in ids {
            let is_first = |all: &mut HashMap<u64, usize>| Some(all.insert(id?, 0).is_none());
            by_id = by_id.take_if(|all| is_first(all) == Some(true));
        }
        let mut replies = Self::default();
        let mut answered = 0;
        for (place, frame) in answers.map_while(Result::ok).enumerate() {
            let Ok(response) = response(&frame) else {
                break;
            };
            answered += 1;
            if response.is_error {
                replies.failed.insert(place);
                replies.failed_ids.extend(named_in_error(&frame));
            } else if let Some(message) = response.message.filter(|message| has_outputs(message)) {
                let count = |all: &mut HashMap<u64, usize>| {
                    *all.get_mut(&id(message)?)? += 1;
                    Some(())
                };
                by_id = by_id.take_if(|all| count(all).is_some());
            }
        }
        if replies.failed.len() == answered {
            return Self::default();
        }
        replies.by_id = by_id.filter(|all| !all.is_empty());
        replies
    }

    /// How many answers there are to the request at `place` that has this `id`.
    pub(super) fn to(&self, place: usize, id: &[u8]) -> usize {
        let id = number(id);
        if let (Some(by_id), Some(id)) = (&self.by_id, id) {
            return by_id.get(&id).copied().unwrap_or_default();
        }
        let has_failed = if self.failed_ids.is_empty() {
            self.failed.contains(&place)
        } else {
            id.is_some_and(|id| self.failed_ids.contains(&id))
        };
        usize::from(!has_failed)
    }
}

/// The id that stands beside an error.
fn named_in_error(frame: &[u8]) -> Option<u64> {
    let messages = Fields::of(frame).filter_map(|field| match field {
        Ok((2, Value::Bytes(message))) => id(message),
        _ => None,
    });
    messages.last()
}

/// Whether an answer has any: the last of a decoupled model may say no more than that it is.
fn has_outputs(message: &[u8]) -> bool {
    Fields::of(message).any(|field| matches!(field, Ok((5, _))))
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

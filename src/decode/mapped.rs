//! Any JSON, by the paths of a route: `paths` of the configuration.
//!
//! | | |
//! |---|---|
//! | request | `features`: one path to rows of any shape, or one path for each name |
//! | answer | `items`; `class`, `confidence`, `probabilities` of each; `model`, `version` |
//!
//! Values that lie below the same element of a list belong to the same row, also where some rows
//! lack one. What the numbers mean is settled in `meaning`, as for every format.

mod answer;
mod request;

use std::{borrow::Cow, ops::Range};

use rsonpath_syntax::Segment;

use super::{
    Answer, Asked, DecodeError, Decoder, Pair,
    path::{self, Found, Steps},
    table::TooLarge,
    tape::{self, Place, Tape},
    walk::{self, Leaf, Node, Word},
};
use crate::config::{self, FeaturePaths, JsonPath, Paths};

const FORMAT: &str = config::MAPPED;

pub(super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    claims: |_| false,
    is_anywhere: false,
    answer: |pair| match paths(pair) {
        Some(paths) => read(pair.response, OF_ANSWER, |body| {
            answer::answer(body, paths, pair.bytes())
        }),
        None => Ok(None),
    },
    request: |pair, items| match paths(pair).and_then(|paths| paths.features.as_ref()) {
        Some(features) => read(pair.request, of_request(features), |body| {
            request::request(body, features, items).map(|table| table.map(Asked::from))
        }),
        None => Ok(None),
    },
};

/// Paths of an answer.
const OF_ANSWER: usize = 6;

/// Paths of a request.
fn of_request(features: &FeaturePaths) -> usize {
    match features {
        FeaturePaths::Rows(_) => 1,
        FeaturePaths::Named(named) => named.len(),
    }
}

fn paths<'a>(pair: &'a Pair<'_>) -> Option<&'a Paths> {
    pair.exchange.route.as_deref()?.paths.as_ref()
}

fn read<T>(
    body: &[u8],
    paths: usize,
    look: impl FnOnce(&mut Body<'_>) -> Result<T, TooLarge>,
) -> Result<T, DecodeError> {
    let too_large = |_| DecodeError::TooLarge { format: FORMAT };
    let text = walk::text(body)?;
    look(&mut Body::new(&text, paths).map_err(too_large)?).map_err(too_large)
}

/// A body that paths are followed in.
struct Body<'a> {
    text: &'a str,
    tape: Tape<'a>,
    steps: Steps,
}

impl<'a> Body<'a> {
    fn new(text: &'a str, paths: usize) -> Result<Self, TooLarge> {
        Ok(Self {
            text,
            tape: Tape::new(text)?,
            steps: Steps::within(text.len(), paths),
        })
    }

    fn bytes(&self) -> usize {
        self.text.len()
    }

    /// Where `path` leads to.
    fn find(&mut self, path: &JsonPath) -> Result<Vec<Found>, TooLarge> {
        self.find_below(0, path.segments())
    }

    fn find_below(&mut self, root: Place, path: &[Segment]) -> Result<Vec<Found>, TooLarge> {
        path::find(&self.tape, root, path, &mut self.steps)
    }

    fn may_lead(&self, places: &Range<Place>, segments: &[Segment]) -> bool {
        path::may_lead(&self.tape, places, segments)
    }

    /// Reads what stands at `place`.
    fn read<N: Node<'a>>(&mut self, place: Place, node: N) -> Result<N::Found, TooLarge> {
        let text = self.tape.text(place);
        self.steps.read(text.len())?;
        // it is JSON: only a node that refuses to go on fails
        walk::part(text, node).map_err(|_| TooLarge)
    }

    /// The name of the field that stands at `place`.
    fn name(&self, place: Place) -> Option<Cow<'a, str>> {
        let before = place.checked_sub(1)?;
        self.tape
            .is_name(before)
            .then(|| tape::string(self.tape.text(before)))?
    }

    /// The elements of a list, where there is one and a path led to it alone.
    fn elements(&self, path: &JsonPath, found: &[Found]) -> Option<Vec<Found>> {
        let [found] = found else {
            return None;
        };
        (path.is_singular() && self.tape.is_list(found.place())).then(|| {
            let count = self.tape.children(found.place()).count();
            let places = self.tape.children(found.place()).enumerate();
            let mut elements = Vec::with_capacity(count);
            elements.extend(places.map(|(row, (_, place))| Found::new(row, place)));
            elements
        })
    }

    fn word(&mut self, path: Option<&JsonPath>) -> Result<Option<String>, TooLarge> {
        let Some(path) = path else {
            return Ok(None);
        };
        let found = self.find(path)?;
        match found.first() {
            Some(first) => self.read(first.place(), Word),
            None => Ok(None),
        }
    }
}

/// The name or version that `path` leads to; a body that cannot be read has none.
pub(super) fn word(body: &[u8], path: &JsonPath) -> Option<String> {
    read(body, 1, |body| body.word(Some(path))).ok()?
}

/// The keys of the paths that lead to nothing.
pub(super) fn not_found(pair: &Pair<'_>) -> Result<Vec<&'static str>, DecodeError> {
    let Some(paths) = paths(pair) else {
        return Ok(Vec::new());
    };
    let leads_nowhere = |body: &mut Body<'_>, path: &JsonPath| {
        let found = body.find(path)?;
        Ok(found.iter().all(|found| body.tape.is_null(found.place())))
    };
    let wanted = paths.features.as_ref().map_or(0, of_request);
    let mut missing = read(pair.request, wanted, |body| {
        let lost = match &paths.features {
            Some(FeaturePaths::Rows(path)) => leads_nowhere(body, path)?,
            Some(FeaturePaths::Named(named)) => {
                let mut lost = false;
                for (_, path) in named {
                    lost |= leads_nowhere(body, path)?;
                }
                lost
            }
            None => false,
        };
        Ok(if lost { vec!["paths.features"] } else { vec![] })
    })
    .unwrap_or_else(|_| vec!["paths.features"]);
    let of_answer = read(pair.response, OF_ANSWER, |body| {
        answer::not_found(body, paths)
    })?;
    missing.extend(of_answer);
    Ok(missing)
}

#[cfg(test)]
mod tests;

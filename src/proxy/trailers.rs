//! Which trailer fields reach the other side.
//!
//! Over HTTP/2 all do. Over HTTP/1 hyper sends those that `Trailer` declares, to a client only if it
//! says `TE: trailers`, and drops the rest; here they are counted.

use http::{HeaderMap, HeaderName, header};
use hyper::body::Frame;

use super::{sanitize, thread::Counts};

/// What can pass.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Trailers {
    /// Everything.
    All,
    /// These names.
    Declared(Vec<HeaderName>),
}

impl Trailers {
    /// Those of a message of HTTP/1 with `fields`; `takes`: whether who gets it wants any.
    pub(super) fn declared(fields: &HeaderMap, takes: bool) -> Self {
        if !takes || !fields.contains_key(header::TRAILER) {
            // an empty list allocates nothing, and most messages have none
            return Self::Declared(Vec::new());
        }
        let names = sanitize::members(fields, &header::TRAILER);
        Self::Declared(
            names
                .filter_map(|name| HeaderName::from_bytes(name).ok())
                .collect(),
        )
    }

    /// Counts the fields of `frame` that do not pass.
    pub(super) fn count_lost<D>(&self, frame: &Frame<D>, counts: &Counts) {
        if let (Self::Declared(names), Some(trailers)) = (self, frame.trailers_ref()) {
            counts.lost_trailers.increment(lost_of(names, trailers));
        }
    }
}

fn lost_of(names: &[HeaderName], trailers: &HeaderMap) -> u64 {
    let is_lost = |name: &&HeaderName| !names.contains(name);
    trailers.iter().filter(|(name, _)| is_lost(name)).count() as u64
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn fields(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let of = |&(name, value): &(&'static str, &'static str)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        };
        pairs.iter().map(of).collect()
    }

    #[test]
    fn what_is_not_declared_or_not_wanted_is_lost() {
        let head = fields(&[("trailer", "x-a, x-b")]);
        let sent = fields(&[("x-a", "1"), ("x-c", "2")]);
        let lost = |trailers: &Trailers| match trailers {
            Trailers::All => 0,
            Trailers::Declared(names) => lost_of(names, &sent),
        };
        assert_eq!(lost(&Trailers::All), 0);
        assert_eq!(lost(&Trailers::declared(&head, true)), 1);
        assert_eq!(lost(&Trailers::declared(&head, false)), 2);
        assert_eq!(lost(&Trailers::declared(&fields(&[]), true)), 2);
    }
}

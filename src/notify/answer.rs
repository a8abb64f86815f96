//! What the answer to a notice means.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use jiff::Timestamp;

use crate::post::retry_after;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It has arrived.
    Taken,
    /// Not now; perhaps after the time that the receiver asks for.
    Later(Option<Duration>),
    /// It will not be taken, however often it is sent.
    Refused,
}

/// By the status; redirects are not followed, for a secret must not go where nobody has sent it.
pub(super) fn meaning(status: StatusCode, fields: &HeaderMap, now: Timestamp) -> Answer {
    match status.as_u16() {
        200..=299 => Answer::Taken,
        408 | 425 | 429 | 500..=599 => Answer::Later(retry_after(fields, now)),
        _ => Answer::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, after: Option<&'static str>) -> Answer {
        let after = after.map(http::HeaderValue::from_static);
        let after = after.map(|after| (http::header::RETRY_AFTER, after));
        let fields = after.into_iter().collect();
        let now = "2026-11-26T10:00:00Z".parse().unwrap();
        meaning(StatusCode::from_u16(status).unwrap(), &fields, now)
    }

    #[test]
    fn what_may_pass_is_tried_again_and_what_may_not_is_not() {
        for status in [200, 202, 204, 299] {
            assert_eq!(of(status, None), Answer::Taken, "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504, 599] {
            assert_eq!(of(status, None), Answer::Later(None), "{status}");
        }
        for status in [300, 301, 302, 307, 308, 400, 401, 403, 404, 410, 413, 422] {
            assert_eq!(of(status, Some("1")), Answer::Refused, "{status}");
        }
    }
}

//! What the answer to a notice means.

use std::time::Duration;

use http::{HeaderMap, StatusCode, header};
use jiff::{Timestamp, fmt::rfc2822};

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

/// `Retry-After`: seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(fields: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = fields.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    // one that has passed asks for nothing
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, after: Option<&str>) -> Answer {
        let mut fields = HeaderMap::new();
        if let Some(after) = after {
            fields.insert(header::RETRY_AFTER, after.parse().unwrap());
        }
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

    #[test]
    fn a_time_to_wait_is_a_number_or_a_date() {
        let seconds = |count| Answer::Later(Some(Duration::from_secs(count)));
        assert_eq!(of(429, Some("7")), seconds(7));
        assert_eq!(of(503, Some("Thu, 26 Nov 2026 10:00:30 GMT")), seconds(30));
        assert_eq!(of(503, Some("Thu, 26 Nov 2026 09:00:00 GMT")), seconds(0));
        for text in ["", "soon", "-1", "1.5", "99999999999999999999999"] {
            assert_eq!(of(429, Some(text)), Answer::Later(None), "{text}");
        }
    }
}

//! When a receiver wants to be asked again.

use std::time::Duration;

use http::{HeaderMap, header};
use jiff::{Timestamp, fmt::rfc2822};

/// `Retry-After`: seconds, or a date (RFC 9110, 10.2.3).
pub fn retry_after(fields: &HeaderMap, now: Timestamp) -> Option<Duration> {
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

    #[test]
    fn a_time_to_wait_is_a_number_or_a_date() {
        let now = "2026-11-26T10:00:00Z".parse().unwrap();
        let of = |text: &str| {
            let mut fields = HeaderMap::new();
            fields.insert(header::RETRY_AFTER, text.parse().unwrap());
            retry_after(&fields, now)
        };
        let seconds = |count| Some(Duration::from_secs(count));
        assert_eq!(of("7"), seconds(7));
        assert_eq!(of("Thu, 26 Nov 2026 10:00:30 GMT"), seconds(30));
        assert_eq!(of("Thu, 26 Nov 2026 09:00:00 GMT"), seconds(0));
        for text in ["", "soon", "-1", "1.5", "99999999999999999999999"] {
            assert_eq!(of(text), None, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}

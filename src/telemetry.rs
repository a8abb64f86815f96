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

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = Offset::UTC.to_datetime(self.0);
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
            t.year(),
            t.month(),
            t.day(),
            t.hour(),
            t.minute(),
            t.second(),
            t.subsec_nanosecond() / 1000
        )
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
    }
}

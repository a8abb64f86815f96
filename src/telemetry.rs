//! What the agent says of itself: one JSON object a line on stdout, in one format with the
//! exchange log. Nothing here waits for whoever reads stdout.

pub mod events;
mod sink;

pub use sink::{Sink, Writer};

use jiff::{Timestamp, tz::Offset};

/// Appends `at` as the course page's logs have it: UTC, microseconds, `2026-11-24T08:00:00.000001Z`.
pub fn write_timestamp(at: Timestamp, into: &mut Vec<u8>) {
    use std::io::Write;
    let t = Offset::UTC.to_datetime(at);
    write!(
        into,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z",
        t.year(),
        t.month(),
        t.day(),
        t.hour(),
        t.minute(),
        t.second(),
        t.subsec_nanosecond() / 1000
    )
    .expect("writing to a vector does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_has_six_decimals_and_utc() {
        let mut text = Vec::new();
        write_timestamp(Timestamp::new(1_795_507_200, 1_999).unwrap(), &mut text);
        assert_eq!(text, b"2026-11-24T08:00:00.000001Z");
    }
}

//! The range of every key that has one. The default file says the same, which a test checks.

use std::{fmt, time::Duration};

use super::Findings;
use crate::config::{Config, units};

/// How a range is measured and read.
enum Range {
    /// A number.
    Count(fn(&Config) -> Option<usize>, usize, usize),
    /// A size in bytes.
    Bytes(fn(&Config) -> Option<usize>, usize, usize),
    /// A duration.
    Time(fn(&Config) -> Option<Duration>, Duration, Duration),
}

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const YEAR: Duration = Duration::from_hours(366 * 24);
const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;
const GIB: usize = 1 << 30;

const RANGES: &[(&str, Range)] = {
    use Range::{Bytes, Count, Time};
    &[
        ("proxy.threads", Count(|c| c.proxy.threads, 1, 256)),
        (
            "proxy.connect_timeout",
            Time(|c| Some(c.proxy.connect_timeout), MILLI, HOUR),
        ),
        (
            "proxy.response_timeout",
            Time(|c| c.proxy.response_timeout, MILLI, DAY),
        ),
        (
            "proxy.upstream_idle",
            Time(|c| Some(c.proxy.upstream_idle), Duration::ZERO, HOUR),
        ),
        (
            "proxy.upstream_idle_connections",
            Count(|c| Some(c.proxy.upstream_idle_connections), 0, 10_000),
        ),
        (
            "proxy.head_timeout",
            Time(|c| Some(c.proxy.head_timeout), MILLI, HOUR),
        ),
        (
            "proxy.client_idle",
            Time(|c| Some(c.proxy.client_idle), SECOND, DAY),
        ),
        (
            "proxy.max_connections",
            Count(|c| Some(c.proxy.max_connections), 1, 1_000_000),
        ),
        (
            "proxy.max_requests",
            Count(|c| Some(c.proxy.max_requests), 1, 1_000_000),
        ),
        (
            "proxy.max_queued",
            Count(|c| Some(c.proxy.max_queued), 0, 1_000_000),
        ),
        (
            "proxy.queue_timeout",
            Time(|c| Some(c.proxy.queue_timeout), Duration::ZERO, MINUTE),
        ),
        (
            "proxy.max_streams",
            Count(|c| Some(c.proxy.max_streams), 1, 10_000),
        ),
        (
            "proxy.max_head",
            Bytes(|c| Some(c.proxy.max_head), KIB, 256 * KIB),
        ),
        (
            "proxy.max_fields",
            Count(|c| Some(c.proxy.max_fields), 1, 10_000),
        ),
        (
            "ops.body_limit",
            Bytes(|c| Some(c.ops.body_limit), KIB, GIB),
        ),
        ("ops.recent", Count(|c| Some(c.ops.recent), 0, 500)),
        (
            "capture.body_limit",
            Bytes(|c| Some(c.capture.body_limit), 1, 64 * MIB),
        ),
        (
            "capture.inflate_limit",
            Bytes(|c| Some(c.capture.inflate_limit), 1, 64 * MIB),
        ),
        (
            "capture.inflate_ratio",
            Count(|c| Some(c.capture.inflate_ratio), 1, 10_000),
        ),
        (
            "decode.max_items",
            Count(|c| Some(c.decode.max_items), 1, 1_000_000),
        ),
        (
            "capture.queue_exchanges",
            Count(|c| Some(c.capture.queue_exchanges), 1, 1_000_000),
        ),
        (
            "model.probe_interval",
            Time(|c| Some(c.model.probe_interval), TENTH, HOUR),
        ),
        (
            "model.probe_timeout",
            Time(|c| Some(c.model.probe_timeout), MILLI, LONGEST_PROBE),
        ),
        (
            "metrics.max_series",
            Count(|c| Some(c.metrics.max_series), 100, 1_000_000),
        ),
        (
            "metrics.max_endpoints",
            Count(|c| Some(c.metrics.max_endpoints), 1, 10_000),
        ),
        (
            "metrics.max_models",
            Count(|c| Some(c.metrics.max_models), 1, 1000),
        ),
        (
            "metrics.max_versions",
            Count(|c| Some(c.metrics.max_versions), 1, 1000),
        ),
        (
            "metrics.max_classes",
            Count(|c| Some(c.metrics.max_classes), 1, 10_000),
        ),
        (
            "log.file.max_size",
            Bytes(|c| Some(c.log.file.max_size), KIB, 1024 * GIB),
        ),
        ("log.file.keep", Count(|c| Some(c.log.file.keep), 1, 1000)),
        (
            "otlp.interval",
            Time(|c| Some(c.otlp.interval), SECOND, HOUR),
        ),
        (
            "otlp.timeout",
            Time(|c| Some(c.otlp.timeout), MILLI, MINUTE),
        ),
        (
            "otlp.give_up_after",
            Time(|c| Some(c.otlp.give_up_after), Duration::ZERO, HOUR),
        ),
        (
            "otlp.queue_records",
            Count(|c| Some(c.otlp.queue_records), 1, 1_000_000),
        ),
        (
            "otlp.queue_bytes",
            Bytes(|c| Some(c.otlp.queue_bytes), 64 * KIB, GIB),
        ),
        ("drift.window", Count(|c| Some(c.drift.window), 2, 100_000)),
        (
            "drift.check_interval",
            Time(|c| Some(c.drift.check_interval), SECOND, DAY),
        ),
        (
            "drift.max_baseline",
            Count(|c| Some(c.drift.max_baseline), 2, 100_000),
        ),
        (
            "drift.max_series",
            Count(|c| Some(c.drift.max_series), 1, 10_000),
        ),
        (
            "drift.export_series",
            Count(|c| Some(c.drift.export_series), 0, 1000),
        ),
        (
            "drift.capture",
            Count(|c| c.drift.capture.filter(|n| *n > 0), 100, 100_000),
        ),
        (
            "feedback.retention",
            Time(|c| Some(c.feedback.retention), SECOND, YEAR),
        ),
        (
            "feedback.max_bytes",
            Bytes(|c| Some(c.feedback.max_bytes), 16 * MIB, 1024 * GIB),
        ),
        (
            "feedback.window",
            Count(|c| Some(c.feedback.window), 10, 100_000),
        ),
        (
            "feedback.calibration_labels",
            Count(|c| Some(c.feedback.calibration_labels), 10, 100_000),
        ),
        (
            "feedback.baseline_labels",
            Count(|c| Some(c.feedback.baseline_labels), 10, 100_000),
        ),
        (
            "feedback.recovery_labels",
            Count(|c| Some(c.feedback.recovery_labels), 10, 100_000),
        ),
        (
            "state.save_interval",
            Time(|c| Some(c.state.save_interval), TENTH, HOUR),
        ),
        ("drain.delay", Time(|c| c.drain.delay, Duration::ZERO, HOUR)),
        (
            "drain.deadline",
            Time(|c| Some(c.drain.deadline), Duration::ZERO, LONGEST_DRAIN),
        ),
    ]
};

/// The most that `drain.deadline` can be.
pub const LONGEST_DRAIN: Duration = DAY;
/// The most that `model.probe_timeout` can be.
pub const LONGEST_PROBE: Duration = MINUTE;

const TENTH: Duration = Duration::from_millis(100);

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    for (key, range) in RANGES {
        if let Some(found) = range.outside(config) {
            findings.refuse(key, format_args!("expected {range}, found {found}"));
        }
    }
}

impl Range {
    /// The value, where it is outside.
    fn outside(&self, config: &Config) -> Option<String> {
        match self {
            Range::Count(of, min, max) => of(config)
                .filter(|n| !(*min..=*max).contains(n))
                .map(|n| n.to_string()),
            Range::Bytes(of, min, max) => of(config)
                .filter(|n| !(*min..=*max).contains(n))
                .map(units::written_bytes),
            Range::Time(of, min, max) => of(config)
                .filter(|time| !(*min..=*max).contains(time))
                .map(units::written),
        }
    }
}

/// As the default file has it: `1 to 256`, `0 to 1h`.
impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Range::Count(_, min, max) => write!(f, "{min} to {max}"),
            Range::Bytes(_, min, max) => {
                let written = units::written_bytes;
                write!(f, "{} to {}", written(*min), written(*max))
            }
            Range::Time(_, min, max) if min.is_zero() => write!(f, "0 to {}", units::written(*max)),
            Range::Time(_, min, max) => {
                write!(f, "{} to {}", units::written(*min), units::written(*max))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::documented;

    #[test]
    fn the_default_file_names_the_ranges_that_are_checked() {
        for (key, range) in RANGES {
            let comment = documented::comment(key);
            assert!(
                comment.contains(&format!("# {range}")),
                "{key}: {range}\n{comment}"
            );
        }
    }
}

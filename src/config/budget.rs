//! Whether what the agent may hold fits into the memory that its container may have.

use super::{Config, Findings, Signal, units::written_bytes};

const QUEUE: &str = "capture.queue_bytes";

/// What the agent needs beside the exchanges that wait to be read: its code, its tables, its connections.
const REST: u64 = 64 << 20;
/// Of that, for bodies that are inflated and for lines and spans that wait for a collector.
const OF_REST: u64 = 24 << 20;
/// A small container has few clients: of its memory at least this part may wait.
const LEAST_PART: u64 = 16;
/// Sizes that are worked out are multiples of it, for people.
const STEP: u64 = 64 << 10;

/// Memory of an agent in which so many bytes may wait: they are there a second time while they are read.
pub fn memory_for(queue_bytes: u64) -> u64 {
    taken(REST, queue_bytes)
}

fn taken(rest: u64, queue_bytes: u64) -> u64 {
    rest.saturating_add(queue_bytes.saturating_mul(2))
}

/// Has no more wait than `limit` has room for, unless somebody has said how much. What is not as it was
/// wished is told.
pub(super) fn fit(config: &mut Config, limit: Option<u64>, findings: &mut Findings<'_>) {
    let Some(limit) = limit else { return };
    let (rest, wanted) = (rest(config), wide(config.capture.queue_bytes));
    let needed = taken(rest, wanted);
    if needed <= limit {
        return;
    }
    // fewer would be refused
    let least = wide(config.capture.body_limit).saturating_mul(2);
    let fits = fitting(limit, rest).max(least).min(wanted);
    let [shown, fitting, needed, limit] = [wanted, fits, needed, limit].map(shown);
    let why = format_args!(
        "with that the agent may take {needed} of memory, and its container may have {limit}"
    );
    if fits == wanted {
        findings.warn(QUEUE, format_args!("is {shown}: {why}"));
    } else if findings.is_default(QUEUE) {
        config.capture.queue_bytes = narrow(fits);
        findings.warn(
            QUEUE,
            format_args!("is {fitting} instead of {shown}: {why}"),
        );
    } else {
        findings.warn(
            QUEUE,
            format_args!("is {shown}: {why}; left out, it would be {fitting}"),
        );
    }
}

/// Bytes of everything else, within their own bounds.
fn rest(config: &Config) -> u64 {
    let signals = config.otlp.signals.iter();
    let queues = signals.filter(|signal| **signal != Signal::Metrics).count();
    let queues = match &config.otlp.endpoint {
        Some(_) => wide(queues).saturating_mul(wide(config.otlp.queue_bytes)),
        None => 0,
    };
    // one exchange at a time, both of its bodies
    let inflated = wide(config.capture.inflate_limit).saturating_mul(2);
    let more = queues.saturating_add(inflated).saturating_sub(OF_REST);
    REST.saturating_add(more)
}

/// What may wait beside the rest.
fn fitting(limit: u64, rest: u64) -> u64 {
    let room = limit.saturating_sub(rest) / 2;
    let fits = room.max(limit / LEAST_PART);
    fits - fits % STEP
}

fn wide(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

fn narrow(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

fn shown(bytes: u64) -> String {
    written_bytes(narrow(bytes))
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;
    use crate::config::{Loaded, Sources, cgroup::tests::limited_by, reload::merge_live};

    /// What is loaded in a container of so many bytes, and the warnings of the queue.
    fn loaded(limit: u64, env: &[(&str, &str)]) -> (Loaded, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        sources(dir.path(), limit, env)
    }

    fn sources(dir: &Path, limit: u64, env: &[(&str, &str)]) -> (Loaded, Vec<String>) {
        let file = dir.join("memory.max");
        fs::write(&file, format!("{limit}\n")).unwrap();
        let env = env.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let sources = Sources {
            env: env.collect(),
            cgroup: limited_by(file),
            ..Sources::default()
        };
        let loaded = sources.load().unwrap();
        let mut warnings = loaded.warnings.clone();
        warnings.retain(|warning| warning.starts_with(QUEUE));
        (loaded, warnings)
    }

    const MIB: u64 = 1 << 20;
    const BY_HAND: &str = "SIDELIGHT_CAPTURE__QUEUE_BYTES";

    #[test]
    fn the_default_is_lowered_to_what_fits_and_both_numbers_are_told() {
        let (loaded, warnings) = loaded(96 * MIB, &[]);
        assert_eq!(loaded.config.capture.queue_bytes, 16 << 20);
        assert_eq!(
            warnings,
            [
                "capture.queue_bytes is 16MiB instead of 32MiB: with that the agent may take 128MiB of \
                memory, and its container may have 96MiB"
            ]
        );
    }

    #[test]
    fn what_fits_stays_as_it_is_and_nothing_is_said() {
        for limit in [128 * MIB, 512 * MIB, 1 << 59] {
            let (loaded, warnings) = loaded(limit, &[]);
            assert_eq!(loaded.config.capture.queue_bytes, 32 << 20);
            assert_eq!(warnings, [""; 0]);
        }
        let (loaded, warnings) = loaded(1 << 60, &[]);
        assert_eq!(loaded.config.capture.queue_bytes, 32 << 20);
        assert_eq!(warnings, [""; 0]);
    }

    #[test]
    fn who_says_how_much_gets_it_and_is_warned() {
        // the same number as the default, and said all the same
        for (said, bytes) in [("32MiB", 32 << 20), ("20MiB", 20 << 20)] {
            let (loaded, warnings) = loaded(96 * MIB, &[(BY_HAND, said)]);
            assert_eq!(loaded.config.capture.queue_bytes, bytes);
            let [warning] = &warnings[..] else {
                panic!("{warnings:?}");
            };
            assert!(warning.starts_with(&format!("capture.queue_bytes is {said}: ")));
            assert!(warning.ends_with("may have 96MiB; left out, it would be 16MiB"));
        }
        let (_, warnings) = loaded(96 * MIB, &[(BY_HAND, "16MiB")]);
        assert_eq!(warnings, [""; 0]);
    }

    #[test]
    fn the_limit_that_injection_sets_is_enough_for_the_queue_that_it_sets() {
        for queue_bytes in [256 << 10, 16 * MIB, 32 * MIB, 1 << 30] {
            let limit = memory_for(queue_bytes);
            let (_, warnings) = loaded(limit, &[(BY_HAND, &queue_bytes.to_string())]);
            assert_eq!(warnings, [""; 0], "{queue_bytes}");
            let less = [(BY_HAND, &*(queue_bytes + 1).to_string())];
            assert_eq!(loaded(limit, &less).1.len(), 1);
        }
    }

    #[test]
    fn a_container_that_is_too_small_for_the_rest_still_has_something_waiting() {
        for (limit, bytes) in [(64 * MIB, 4 << 20), (32 * MIB, 2 << 20), (MIB, 128 << 10)] {
            let (loaded, warnings) = loaded(limit, &[]);
            assert_eq!(loaded.config.capture.queue_bytes, bytes);
            assert_eq!(warnings.len(), 1);
        }
        // a copy of both bodies must fit
        let bodies = [("SIDELIGHT_CAPTURE__BODY_LIMIT", "8MiB")];
        let (loaded, _) = loaded(64 * MIB, &bodies);
        assert_eq!(loaded.config.capture.queue_bytes, 16 << 20);
    }

    #[test]
    fn a_reload_comes_to_the_same_and_a_container_of_another_size_waits_for_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let (started, _) = sources(dir.path(), 96 * MIB, &[]);
        let (same, _) = sources(dir.path(), 96 * MIB, &[]);
        assert_eq!(merge_live(&started.config, &same.config).1, [""; 0]);
        let (resized, _) = sources(dir.path(), 100 * MIB, &[]);
        let (merged, waiting) = merge_live(&started.config, &resized.config);
        assert_eq!(waiting, [QUEUE]);
        assert_eq!(merged.capture.queue_bytes, 16 << 20);
    }

    #[test]
    fn what_else_may_be_held_takes_its_room() {
        let inflated = [("SIDELIGHT_CAPTURE__INFLATE_LIMIT", "20MiB")];
        // 16 MiB beyond what the rest has room for
        let (loaded_inflated, _) = loaded(112 * MIB, &inflated);
        assert_eq!(loaded_inflated.config.capture.queue_bytes, 16 << 20);
        let mut config = crate::config::defaults();
        config.otlp.queue_bytes = 20 << 20;
        assert_eq!(rest(&config), REST, "nothing is exported");
        config.otlp.endpoint = "http://collector:4318".parse().ok();
        assert!(config.otlp.endpoint.is_some());
        assert_eq!(rest(&config), REST + 18 * MIB);
        config.otlp.signals = vec![Signal::Metrics];
        assert_eq!(rest(&config), REST);
        let huge = [
            (BY_HAND, "16MiB"),
            ("SIDELIGHT_CAPTURE__INFLATE_LIMIT", "64MiB"),
        ];
        let (_, warnings) = loaded(256 * MIB + 1, &huge);
        assert_eq!(warnings, [""; 0]);
    }

    #[test]
    fn the_more_memory_the_more_may_wait() {
        let mut before = 0;
        for limit in (0..160).map(|mebibytes| mebibytes * MIB) {
            let fits = fitting(limit, REST);
            assert!(fits >= before && fits.is_multiple_of(STEP), "{limit}");
            assert!(fits <= limit / 2);
            before = fits;
        }
        assert_eq!(before, 47 * MIB + MIB / 2);
    }
}

//! `drift.notify`: URLs, fields and bounds. Nothing of a URL or a value is shown.

use std::time::Duration;

use super::{Findings, headers};
use crate::config::{Config, Target, units::written};

/// Most targets; each has a queue of its own.
const MOST: usize = 16;
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(10);
const LONGEST_TIMEOUT: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);
const MOST_QUEUED: usize = 10_000;

pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    let targets = &config.drift.notify;
    if targets.len() > MOST {
        let found = targets.len();
        let message = format_args!("expected at most {MOST} targets, found {found}");
        findings.refuse("drift.notify", message);
    }
    for (place, target) in targets.iter().enumerate() {
        let key = format!("drift.notify[{place}]");
        if let Err(error) = target.address() {
            findings.refuse(&format!("{key}.url"), error);
        }
        headers::check(&format!("{key}.headers"), &target.headers, findings);
        bounds(&key, target, findings);
    }
}

fn bounds(key: &str, target: &Target, findings: &mut Findings<'_>) {
    let mut refuse = |name: &str, message: String| {
        findings.refuse(&format!("{key}.{name}"), message);
    };
    if !(SHORTEST_TIMEOUT..=LONGEST_TIMEOUT).contains(&target.timeout) {
        let (least, most) = (written(SHORTEST_TIMEOUT), written(LONGEST_TIMEOUT));
        let found = written(target.timeout);
        refuse(
            "timeout",
            format!("expected {least} to {most}, found {found}"),
        );
    }
    if target.give_up_after > DAY {
        let (most, found) = (written(DAY), written(target.give_up_after));
        refuse(
            "give_up_after",
            format!("expected 0 to {most}, found {found}"),
        );
    }
    if !(1..=MOST_QUEUED).contains(&target.max_queued) {
        let found = target.max_queued;
        refuse(
            "max_queued",
            format!("expected 1 to {MOST_QUEUED}, found {found}"),
        );
    }
    if target.ca_file.is_some() && target.address().is_ok_and(|address| !address.server.tls) {
        let unused = "is not used: url is not https://";
        findings.warn(&format!("{key}.ca_file"), unused);
    }
}

//! What the types cannot say: ranges, and keys that do not go together.

mod addresses;
mod bodies;
mod headers;
mod notify;
mod otlp;
mod ranges;
mod routes;
mod texts;
mod tls;

use std::{fmt, ops::RangeInclusive};

pub use self::{
    ranges::{LONGEST_DRAIN, LONGEST_PROBE},
    routes::are_routes,
    texts::is_ready_path,
};
use super::{
    Config, Feedback, LogFile, documented,
    error::{ConfigErrors, Origin, Problem},
    tree::{Node, steps},
};

/// What was found so far.
pub struct Findings<'a> {
    tree: &'a Node,
    problems: Vec<Problem>,
    warnings: Vec<String>,
}

impl<'a> Findings<'a> {
    /// Goes on from `problems`: keys that are wrong already are not looked at again.
    pub(super) fn new(tree: &'a Node, problems: Vec<Problem>) -> Self {
        Self {
            tree,
            problems,
            warnings: Vec::new(),
        }
    }

    /// Problems and warnings.
    pub(super) fn into_parts(self) -> (Vec<Problem>, Vec<String>) {
        (self.problems, self.warnings)
    }

    /// Reports `key`, unless it is reported already, or a key below it.
    pub fn refuse(&mut self, key: &str, message: impl fmt::Display) {
        if !self.is_refused(key) {
            self.problems.push(Problem {
                key: key.to_owned(),
                message: message.to_string(),
                origin: self.tree.origin_of(&steps(key)).clone(),
            });
        }
    }

    /// Says something of `key` that stops nothing.
    pub fn warn(&mut self, key: &str, message: impl fmt::Display) {
        self.warnings.push(format!("{key} {message}"));
    }

    /// Whether nobody has said anything of `key`.
    pub(super) fn is_default(&self, key: &str) -> bool {
        *self.tree.origin_of(&steps(key)) == Origin::BuiltIn
    }

    /// Whether `key` has a value that was not written, because what was written is wrong.
    fn is_refused(&self, key: &str) -> bool {
        let is_it = |found: &str| {
            let rest = found.strip_prefix(key);
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.problems.iter().any(|problem| is_it(&problem.key))
    }

    /// Reports `key` unless both are right on their own: then they do not go together.
    fn refuse_pair(&mut self, key: &str, other: &str, message: impl fmt::Display) {
        if !self.is_refused(other) {
            self.refuse(key, message);
        }
    }
}

/// Looks at everything.
pub(super) fn check(config: &Config, findings: &mut Findings<'_>) {
    ranges::check(config, findings);
    addresses::check(config, findings);
    routes::check(&config.routes, findings);
    texts::check(config, findings);
    tls::check(config, findings);
    bodies::value_edges("metrics.value_edges", &config.metrics.value_edges, findings);
    capture(config, findings);
    endpoints(config, findings);
    drift(config, findings);
    feedback(&config.feedback, findings);
    notify::check(config, findings);
    otlp::check(config, findings);
    state(config, findings);
    log_file(&config.log.file, findings);
}

/// Whether a configuration that was put together of two, each of which holds, does.
///
/// # Errors
/// Keys that do not go together.
pub fn holds(config: &Config) -> Result<(), ConfigErrors> {
    let mut findings = Findings::new(&documented::TREE, Vec::new());
    check(config, &mut findings);
    let (problems, _) = findings.into_parts();
    if problems.is_empty() {
        Ok(())
    } else {
        Err(ConfigErrors(problems))
    }
}

fn capture(config: &Config, findings: &mut Findings<'_>) {
    let least = config.capture.body_limit.saturating_mul(2);
    if config.capture.queue_bytes < least {
        findings.refuse_pair(
            "capture.queue_bytes",
            "capture.body_limit",
            format_args!(
                "expected at least twice capture.body_limit ({}), or an exchange with two full \
                 bodies never fits, found {}",
                super::units::written_bytes(least),
                super::units::written_bytes(config.capture.queue_bytes)
            ),
        );
    }
}

/// Routes that are known without being configured.
const KNOWN_ROUTES: usize = 2;

fn endpoints(config: &Config, findings: &mut Findings<'_>) {
    let named = config.routes.len() + KNOWN_ROUTES;
    let most = config.metrics.max_endpoints;
    if named > most {
        findings.refuse_pair(
            "metrics.max_endpoints",
            "routes",
            format_args!(
                "expected at least {named}, one for each route and known path, found {most}"
            ),
        );
    }
}

/// Up to this many values on either side the p-value is exact.
const EXACT: usize = 10_000;

/// Rates of false alarms per million predictions between which the threshold is known to keep them.
pub const FALSE_ALARMS: RangeInclusive<f64> = 0.001..=1000.0;

fn drift(config: &Config, findings: &mut Findings<'_>) {
    let threshold = config.drift.threshold;
    if threshold <= 0.0 || threshold >= 1.0 {
        findings.refuse(
            "drift.threshold",
            format_args!("expected a number above 0 and below 1, found {threshold}"),
        );
    }
    if let Some(rate) = config.drift.false_alarms_per_million
        && !FALSE_ALARMS.contains(&rate)
    {
        findings.refuse(
            "drift.false_alarms_per_million",
            format_args!(
                "expected a number from {} to {}, found {rate}",
                FALSE_ALARMS.start(),
                FALSE_ALARMS.end()
            ),
        );
    }
    for (key, count) in [
        ("drift.window", config.drift.window),
        ("drift.max_baseline", config.drift.max_baseline),
    ] {
        if count > EXACT {
            findings.warn(
                key,
                format_args!("is above {EXACT}: p-values may be approximate"),
            );
        }
    }
}

fn feedback(feedback: &Feedback, findings: &mut Findings<'_>) {
    let rate = feedback.false_alarms_per_million;
    if !FALSE_ALARMS.contains(&rate) {
        findings.refuse(
            "feedback.false_alarms_per_million",
            format_args!(
                "expected a number from {} to {}, found {rate}",
                FALSE_ALARMS.start(),
                FALSE_ALARMS.end()
            ),
        );
    }
    if let Some(accuracy) = feedback.baseline_accuracy
        && !(0.0..=1.0).contains(&accuracy)
    {
        findings.refuse(
            "feedback.baseline_accuracy",
            format_args!("expected a number from 0 to 1, or null, found {accuracy}"),
        );
    }
    if let Some(tolerance) = feedback.tolerance
        && !(tolerance > 0.0 && tolerance.is_finite())
    {
        findings.refuse(
            "feedback.tolerance",
            format_args!("expected a number above 0, or null, found {tolerance}"),
        );
    }
}

fn state(config: &Config, findings: &mut Findings<'_>) {
    if let Some(dir) = &config.state.dir
        && dir.exists()
        && !dir.is_dir()
    {
        let message = format_args!("expected a folder, found a file at {}", dir.display());
        findings.refuse("state.dir", message);
    }
}

fn log_file(file: &LogFile, findings: &mut Findings<'_>) {
    let Some(path) = &file.path else {
        return;
    };
    let shown = path.display();
    if path.file_name().is_none() {
        let message = format_args!("expected the path of a file, or null, found \"{shown}\"");
        findings.refuse("log.file.path", message);
    } else if path.exists() && !path.is_file() {
        // what is no file (a folder, a pipe, a device) must not be renamed
        let message = format_args!("expected a file, found something else at {shown}");
        findings.refuse("log.file.path", message);
    }
}

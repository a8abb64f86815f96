//! What the log says of drift: once for each episode, and not for each request.

use super::Whose;
use crate::drift::{
    Chosen,
    monitor::{Event, Monitor, Watched},
    report::time_of,
};

/// Names that one event lists.
const MAX_NAMES: usize = 20;

/// What a value brought.
pub(super) fn event(Whose { model, version }: Whose<'_>, watched: &Watched, event: &Event) {
    let series = watched.name().label();
    let series = series.as_ref();
    match event {
        Event::Drifted(drifted) => {
            let report = watched.report();
            tracing::warn!(
                model,
                model_version = version,
                series,
                decision = "scan",
                drift_detected = true,
                score = drifted.alarm.score,
                prediction = drifted.alarm.at,
                region = drifted.region_text.as_str(),
                baseline_share = drifted.baseline_share,
                recent_share = drifted.recent_share,
                psi = report.psi,
                wasserstein_over_iqr = report.wasserstein_over_iqr,
                low_confidence = report.low_confidence,
                since = %time_of(drifted.since),
                "Drift detected!"
            );
        }
        Event::Cleared => {
            let predictions = watched.series().count();
            tracing::info!(
                model,
                model_version = version,
                series,
                predictions,
                "Drift cleared"
            );
        }
        Event::Found(finding) => {
            let (problem, count, of) = (finding.problem.name(), finding.count, finding.of);
            if finding.has_begun {
                tracing::warn!(
                    model,
                    model_version = version,
                    feature = series,
                    problem,
                    count,
                    of,
                    "Data quality problem"
                );
            } else {
                tracing::info!(
                    model,
                    model_version = version,
                    feature = series,
                    problem,
                    count,
                    of,
                    "Data quality problem ended"
                );
            }
        }
    }
}

/// A version is compared with the baseline of another.
pub(super) fn borrowed(Whose { model, version }: Whose<'_>, chosen: Option<Chosen<'_>>) {
    if let Some(chosen) = chosen.filter(|chosen| chosen.is_of_another_version) {
        tracing::info!(
            model,
            model_version = version,
            baseline_version = chosen.key.version,
            baseline = chosen.baseline.short_hash(),
            "no baseline of its own: compared with that of another version"
        );
    }
}

/// Drifts end with the baseline that they were seen against.
pub(super) fn abandoned(Whose { model, version }: Whose<'_>, before: &Monitor, reason: &str) {
    for watched in before.watched().iter().filter(|w| w.since().is_some()) {
        let series = watched.name().label();
        tracing::info!(
            model,
            model_version = version,
            series = series.as_ref(),
            reason,
            "Drift cleared"
        );
    }
}

/// Series that there is no room for.
pub(super) fn left_out(Whose { model, version }: Whose<'_>, monitor: &Monitor) {
    let count = monitor.left_out();
    if count > 0 {
        let profiles = monitor.baseline().profiles();
        let names = profiles[profiles.len() - count..].iter();
        let names: Vec<_> = names
            .map(|(name, _)| name.label())
            .take(MAX_NAMES)
            .collect();
        tracing::warn!(
            model,
            model_version = version,
            count,
            series = names.join(", "),
            "series beyond drift.max_series are not watched"
        );
    }
}

/// Features that only one side has; `unknown`: those that the baseline does not have.
pub(super) fn unmatched(
    Whose { model, version }: Whose<'_>,
    monitor: &Monitor,
    unknown: &[String],
) {
    let unmatched = monitor
        .watched()
        .iter()
        .filter(|w| !w.is_matched() && w.quality().is_some());
    let unmatched: Vec<_> = unmatched.map(|w| w.name().label()).collect();
    // a baseline without features says nothing of them
    let has_features = monitor.watched().iter().any(|w| w.quality().is_some());
    if has_features && !(unmatched.is_empty() && unknown.is_empty()) {
        tracing::warn!(
            model,
            model_version = version,
            only_in_baseline = first(&unmatched),
            only_in_traffic = first(unknown),
            "features of the baseline and of the traffic differ"
        );
    }
}

fn first(names: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).take(MAX_NAMES).collect();
    names.join(", ")
}

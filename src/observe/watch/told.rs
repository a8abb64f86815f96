//! What the log and the webhook say of drift: once for each episode, and not for each request.

use super::Whose;
use crate::drift::{
    Chosen, Notice, Outlet,
    episode::Episode,
    monitor::{Event, Monitor, Watched},
    notice::{Found, Happened, episode_id},
    report::time_of,
    unmatched::News,
};

/// Names that one event lists.
const MAX_NAMES: usize = 20;

/// What a value brought to the series at `place`.
pub(super) fn event(
    whose: Whose<'_>,
    monitor: &Monitor,
    place: usize,
    event: &Event,
    outlet: &Outlet,
) {
    let Whose { model, version } = whose;
    let watched = &monitor.watched()[place];
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
            if let Some(episode) = watched.series().episodes().current() {
                let happened = Happened::Found(Found {
                    prediction: drifted.alarm.at,
                    score: drifted.alarm.score,
                    region: drifted.region_text.clone(),
                    baseline_share: drifted.baseline_share,
                    recent_share: drifted.recent_share,
                    psi: report.psi,
                    wasserstein_over_iqr: report.wasserstein_over_iqr,
                    low_confidence: report.low_confidence,
                });
                outlet.tell(notice(whose, monitor, watched, episode, happened));
            }
        }
        Event::Cleared(episode) => {
            let predictions = watched.series().count();
            let happened = Happened::Cleared {
                prediction: Some(predictions),
                reason: "calm",
            };
            outlet.tell(notice(whose, monitor, watched, episode, happened));
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

fn notice(
    Whose { model, version }: Whose<'_>,
    monitor: &Monitor,
    watched: &Watched,
    episode: &Episode,
    event: Happened,
) -> Notice {
    let series = watched.name().label().into_owned();
    // it stays after the drift has ended, until another begins
    let since = watched.began();
    let baseline = monitor.baseline().hash();
    Notice {
        episode: episode_id((model, version, &series), baseline, episode, since),
        model: model.to_owned(),
        model_version: version.to_owned(),
        series,
        decision: "scan",
        since: Some(time_of(since)),
        event,
    }
}

/// Drifts end with the baseline that they were seen against.
pub(super) fn abandoned(whose: Whose<'_>, before: &Monitor, reason: &'static str, outlet: &Outlet) {
    let Whose { model, version } = whose;
    for watched in before.watched() {
        let Some(episode) = watched.series().episodes().current() else {
            continue;
        };
        let happened = Happened::Cleared {
            prediction: None,
            reason,
        };
        outlet.tell(notice(whose, before, watched, episode, happened));
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

/// Features that only one side has; later only what has come since.
pub(super) fn unmatched(Whose { model, version }: Whose<'_>, monitor: &Monitor, news: &News) {
    let absent: Vec<_> = monitor.absent().map(|w| w.name().label()).collect();
    if !news.is_first {
        tracing::warn!(
            model,
            model_version = version,
            only_in_traffic = first(&news.names),
            "features of the baseline and of the traffic differ"
        );
    } else if !(absent.is_empty() && news.names.is_empty()) {
        tracing::warn!(
            model,
            model_version = version,
            only_in_baseline = first(&absent),
            only_in_traffic = first(&news.names),
            "features of the baseline and of the traffic differ"
        );
    }
}

fn first(names: &[impl AsRef<str>]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).take(MAX_NAMES).collect();
    names.join(", ")
}

//! What the log and the webhook say of drift: once for each episode, and not for each request.

use super::Whose;
use crate::drift::{
    Chosen, Notice, Outlet,
    episode::Episode,
    monitor::{Drifted, Event, Monitor, Watched},
    notice::{Found, Happened, episode_id},
    quality::Finding,
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
    let watched = &monitor.watched()[place];
    match event {
        Event::Drifted(drift) => drifted(whose, monitor, watched, drift, outlet),
        Event::Cleared(episode) => {
            let tell = |event| outlet.tell(notice(whose, monitor, watched, episode, event));
            cleared(whose, watched, Some(watched.series().count()), None, tell);
        }
        Event::Found(finding) => quality(whose, watched, finding),
    }
}

fn drifted(
    whose: Whose<'_>,
    monitor: &Monitor,
    watched: &Watched,
    drift: &Drifted,
    outlet: &Outlet,
) {
    let report = watched.report();
    let found = Found {
        prediction: drift.alarm.at,
        score: drift.alarm.score,
        region: drift.region_text.clone(),
        baseline_share: drift.baseline_share,
        recent_share: drift.recent_share,
        psi: report.psi,
        wasserstein_over_iqr: report.wasserstein_over_iqr,
        low_confidence: report.low_confidence,
    };
    tracing::warn!(
        model = whose.model,
        model_version = whose.version,
        series = watched.name().label().as_ref(),
        decision = "scan",
        drift_detected = true,
        score = found.score,
        prediction = found.prediction,
        region = found.region.as_str(),
        baseline_share = found.baseline_share,
        recent_share = found.recent_share,
        psi = found.psi,
        wasserstein_over_iqr = found.wasserstein_over_iqr,
        low_confidence = found.low_confidence,
        since = %time_of(drift.since),
        "Drift detected!"
    );
    if let Some(episode) = watched.series().episodes().current() {
        let found = Happened::Found(found);
        outlet.tell(notice(whose, monitor, watched, episode, found));
    }
}

/// `predictions`: where one of them ended it; `reason`: where it was not the traffic that changed.
fn cleared(
    Whose { model, version }: Whose<'_>,
    watched: &Watched,
    predictions: Option<u64>,
    reason: Option<&'static str>,
    tell: impl FnOnce(Happened),
) {
    tell(Happened::Cleared {
        prediction: predictions,
        reason: reason.unwrap_or("calm"),
    });
    tracing::info!(
        model,
        model_version = version,
        series = watched.name().label().as_ref(),
        predictions,
        reason,
        "Drift cleared"
    );
}

fn quality(Whose { model, version }: Whose<'_>, watched: &Watched, finding: &Finding) {
    let feature = watched.name().label();
    let feature = feature.as_ref();
    let (problem, count, of) = (finding.problem.name(), finding.count, finding.of);
    if finding.has_begun {
        tracing::warn!(
            model,
            model_version = version,
            feature,
            problem,
            count,
            of,
            "Data quality problem"
        );
    } else {
        tracing::info!(
            model,
            model_version = version,
            feature,
            problem,
            count,
            of,
            "Data quality problem ended"
        );
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
    for watched in before.watched() {
        if let Some(episode) = watched.series().episodes().current() {
            let tell = |event| outlet.tell(notice(whose, before, watched, episode, event));
            cleared(whose, watched, None, Some(reason), tell);
        }
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

//! What is exported of drift: verdicts, evidence and effects by series, counts by bin.

use std::borrow::Cow;

use super::command::Judged;
use crate::{
    drift::{
        Sample, SeriesName, Verdict, class_label,
        monitor::{Monitor, Watched},
        profile::Bins,
        quality::{Problem, Quality},
    },
    metrics::{
        Table,
        catalogue::{self, Family, Kind},
    },
};

/// The two-sample test, and what it compares with. `decides`: the scan does not yet.
pub(super) fn verdict(table: &mut Table, judged: &Judged, decides: bool) {
    let labels = [judged.model.as_str(), judged.version.as_str()];
    if let Verdict::Checked(checked) = &judged.verdict {
        table.push(&catalogue::DRIFT_STATISTIC, &labels, checked.ks_statistic);
        table.push(&catalogue::DRIFT_P_VALUE, &labels, checked.p_value);
    }
    if decides && !judged.is_of_scan() {
        let series = judged.tested();
        let labels = [labels[0], labels[1], &series.label()];
        table.push(
            &catalogue::DRIFT_DETECTED,
            &labels,
            flag(judged.drift_detected()),
        );
    }
    if let (Some(hash), Some(in_use)) = (&judged.baseline, &judged.in_use) {
        let version = in_use.model_version.as_deref().unwrap_or_default();
        let labels = [labels[0], labels[1], hash, in_use.origin, version];
        table.push(&catalogue::DRIFT_BASELINE, &labels, 1.0);
    }
}

/// Every series that the traffic has: the first `most`, and those that drift.
pub(super) fn monitor(table: &mut Table, identity: (&str, &str), monitor: &Monitor, most: usize) {
    let matched = monitor
        .watched()
        .iter()
        .filter(|watched| watched.is_matched());
    for (place, watched) in matched.enumerate() {
        if place < most || watched.since().is_some() {
            scan(table, identity, watched, monitor.is_warm());
        }
        if place < most {
            counts(table, identity, watched);
        }
        if *watched.name() == SeriesName::Class {
            classes(table, identity, watched);
        }
    }
    let has_confidence = monitor
        .place(|name| *name == SeriesName::Confidence)
        .is_some();
    if let Some(sample) = monitor.baseline().sample().filter(|_| has_confidence) {
        distribution(table, identity, sample);
    }
}

fn scan(table: &mut Table, (model, version): (&str, &str), watched: &Watched, decides: bool) {
    let (name, series) = (watched.name().label(), watched.series());
    let labels = [model, version, &name];
    if decides {
        let has_drifted = watched.since().is_some();
        table.push(&catalogue::DRIFT_DETECTED, &labels, flag(has_drifted));
    }
    table.push(&catalogue::DRIFT_SCORE, &labels, series.score());
    if let Some(psi) = watched.psi() {
        table.push(&catalogue::DRIFT_PSI, &labels, psi);
    }
    if let Some(since) = watched.since() {
        table.push(&catalogue::DRIFT_SINCE, &labels, since);
    }
    let alarms = number(series.episodes().count());
    table.push(&catalogue::DRIFT_ALARMS, &labels, alarms);
    let is_of_low_confidence = flag(series.is_of_low_confidence());
    table.push(
        &catalogue::DRIFT_LOW_CONFIDENCE,
        &labels,
        is_of_low_confidence,
    );
    let samples = f64::from(series.profile().reference.total());
    table.push(&catalogue::DRIFT_BASELINE_SAMPLES, &labels, samples);
}

fn counts(table: &mut Table, (model, version): (&str, &str), watched: &Watched) {
    let name = watched.name().label();
    let profile = watched.series().profile();
    for (bin, count, share) in watched.tally().iter(profile) {
        let labels = [model, version, &name, &bin];
        table.push(&catalogue::DRIFT_OBSERVATIONS, &labels, number(count));
        table.push(&catalogue::DRIFT_BASELINE_RATIO, &labels, share);
    }
    if let Some(quality) = watched.quality() {
        let is_of_numbers = matches!(profile.bins, Bins::Numbers(_));
        problems(table, [model, version, &name], quality, is_of_numbers);
    }
}

fn problems(table: &mut Table, labels: [&str; 3], quality: &Quality, is_of_numbers: bool) {
    let mut push = |family: &'static Family, problem| {
        table.push(family, &labels, number(quality.total(problem)));
    };
    push(&catalogue::FEATURE_MISSING, Problem::Missing);
    // hardly any feature has these, and what has them goes on having them
    let rare = [
        (&catalogue::FEATURE_CONSTANT, Problem::Constant),
        (&catalogue::FEATURE_TYPE_CHANGED, Problem::TypeChanged),
    ];
    let met = rare
        .into_iter()
        .filter(|(_, problem)| quality.total(*problem) > 0);
    met.for_each(|(family, problem)| push(family, problem));
    if is_of_numbers {
        push(&catalogue::FEATURE_OUT_OF_RANGE, Problem::OutOfRange);
    } else {
        push(&catalogue::FEATURE_UNSEEN, Problem::Unseen);
    }
}

fn classes(table: &mut Table, (model, version): (&str, &str), watched: &Watched) {
    let histograms = watched.histograms();
    let (Some(names), Some(recent)) = (histograms.classes, histograms.recent) else {
        return;
    };
    let total: u32 = recent.iter().sum();
    let names = names.iter().map(|name| class_label(name));
    let names = names.chain([Cow::Borrowed("unseen")]);
    for (name, count) in names.zip(recent) {
        let share = f64::from(count) / f64::from(total.max(1));
        table.push(&catalogue::CLASS_SHARE, &[model, version, &name], share);
    }
}

/// The share of the baseline at or below each edge of the histogram of confidences.
fn distribution(table: &mut Table, (model, version): (&str, &str), sample: &Sample) {
    let Kind::Histogram(edges) = catalogue::CONFIDENCE.kind else {
        return;
    };
    let values = sample.values();
    let (total, below) = (values.len(), |edge: f64| {
        values.partition_point(|v| *v <= edge)
    });
    for edge in edges {
        #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
        let share = below(*edge) as f64 / total as f64;
        let labels = [model, version, &edge.to_string()];
        table.push(&catalogue::DRIFT_BASELINE_CDF, &labels, share);
    }
    table.push(
        &catalogue::DRIFT_BASELINE_CDF,
        &[model, version, "+Inf"],
        1.0,
    );
}

fn flag(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn number(count: u64) -> f64 {
    count as f64
}

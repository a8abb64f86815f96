//! What is exported of labels: counts, and what they say of each version of a model. Nothing of a version
//! before its first label.

use std::sync::atomic::Ordering;

use crate::{
    drift::class_label,
    feedback::{ClassReport, DropReport, Known, Passed, Shown, Stated, ValueReport},
    metrics::{
        Table,
        catalogue::{self, Family},
    },
};

/// Classes of a version with figures of their own.
const CLASSES: usize = 20;
/// Of these, classes of which it is told what they were taken for: so many times as many series.
const CONFUSED: usize = 10;

/// All of it, as it was last published.
pub fn push(table: &mut Table, shown: &Shown) {
    counts(table, shown);
    let known = shown.known();
    unmatched(table, &known);
    for stated in &known.models {
        version(table, stated);
    }
}

fn counts(table: &mut Table, shown: &Shown) {
    let counts = &shown.counts;
    let mut push = |family, labels: &[&str], counter: &std::sync::atomic::AtomicU64| {
        table.push(family, labels, real(counter.load(Ordering::Relaxed)));
    };
    push(&catalogue::FEEDBACK_KEPT, &[], &counts.kept);
    for (reason, counter) in [
        ("queue_full", &counts.queue_full),
        ("too_large", &counts.too_large),
        ("not_saved", &counts.not_saved),
    ] {
        push(&catalogue::FEEDBACK_DROPPED, &[reason], counter);
    }
    push(&catalogue::FEEDBACK_REPLACED, &[], &counts.replaced);
    push(&catalogue::FEEDBACK_DAMAGED, &[], &counts.damaged);
    for outcome in Passed::ALL {
        let counter = &counts.passed[outcome as usize];
        push(&catalogue::FEEDBACK_PASSED, &[outcome.label()], counter);
    }
    push(&catalogue::FEEDBACK_BYTES, &[], &counts.bytes);
}

fn unmatched(table: &mut Table, known: &Known) {
    for (reason, count) in &known.unmatched {
        table.push(&catalogue::LABELS_UNMATCHED, &[reason], real(*count));
    }
}

fn version(table: &mut Table, stated: &Stated) {
    let labels = [stated.model.as_str(), stated.model_version.as_str()];
    let outcomes = &stated.labels;
    for (outcome, count) in [
        ("joined", outcomes.joined),
        ("duplicate", outcomes.duplicate),
        ("contradicting", outcomes.contradicting),
        ("late", outcomes.late),
    ] {
        let labels = [labels[0], labels[1], outcome];
        table.push(&catalogue::LABELS, &labels, real(count));
    }
    let (classes, values) = (&stated.report.classification, &stated.report.regression);
    if let Some(report) = classes {
        of_classes(table, labels, report);
    }
    if let Some(report) = values {
        of_values(table, labels, report, classes.is_none());
    }
}

fn of_classes(table: &mut Table, labels: [&str; 2], report: &ClassReport) {
    let mut push = |family: &'static Family, value: Option<f64>| {
        if let Some(value) = value {
            table.push(family, &labels, value);
        }
    };
    push(&catalogue::LABELS_IN_WINDOW, Some(whole(report.labels)));
    let accuracy = report.accuracy;
    push(&catalogue::ACCURACY, accuracy.map(|a| a.value));
    push(&catalogue::ACCURACY_LOWER, accuracy.map(|a| a.low));
    push(&catalogue::ACCURACY_UPPER, accuracy.map(|a| a.high));
    push(&catalogue::LOG_LOSS, report.log_loss.value);
    push(&catalogue::BRIER_SCORE, report.brier.value);
    push(
        &catalogue::CALIBRATION_ERROR,
        report.calibration_error.value,
    );
    push(&catalogue::ACCURACY_ESTIMATED, report.estimate.accuracy);
    push(&catalogue::ACCURACY_ESTIMATE_ERROR, report.estimate.error);
    drop_of(table, labels, &report.drop);
    each_class(table, labels, report);
}

fn each_class(table: &mut Table, [model, version]: [&str; 2], report: &ClassReport) {
    let frequent = report.frequent(CLASSES).into_iter();
    for class in frequent.map(|place| &report.classes[place]) {
        let labels = [model, version, &class_label(&class.class)];
        if let Some(precision) = class.precision {
            table.push(&catalogue::CLASS_PRECISION, &labels, precision);
        }
        if let Some(recall) = class.recall {
            table.push(&catalogue::CLASS_RECALL, &labels, recall);
        }
    }
    let confusion = &report.confusion;
    let confused = report.frequent(CONFUSED);
    for truth in &confused {
        for predicted in &confused {
            let name = |place: usize| confusion.classes.get(place).map(|name| class_label(name));
            let row = confusion.counts.get(*truth);
            let (Some(of), Some(as_of), Some(count)) = (
                name(*truth),
                name(*predicted),
                row.and_then(|row| row.get(*predicted)),
            ) else {
                continue;
            };
            let labels = [model, version, &of, &as_of];
            table.push(&catalogue::CONFUSION, &labels, f64::from(*count));
        }
    }
}

/// `is_alone`: there are no classes, whose drop would have the same name.
fn of_values(table: &mut Table, labels: [&str; 2], report: &ValueReport, is_alone: bool) {
    let mut push = |family: &'static Family, value: Option<f64>| {
        if let Some(value) = value {
            table.push(family, &labels, value);
        }
    };
    push(&catalogue::MAE, report.mae);
    push(&catalogue::RMSE, report.rmse);
    push(&catalogue::R_SQUARED, report.r2);
    if is_alone {
        push(&catalogue::LABELS_IN_WINDOW, Some(whole(report.labels)));
        drop_of(table, labels, &report.drop);
    }
}

fn drop_of(table: &mut Table, labels: [&str; 2], drop: &DropReport) {
    if let Some(baseline) = drop.baseline {
        table.push(&catalogue::ACCURACY_BASELINE, &labels, baseline.accuracy);
        let has_dropped = f64::from(u8::from(drop.current.is_some()));
        table.push(&catalogue::ACCURACY_DROPPED, &labels, has_dropped);
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
fn real(count: u64) -> f64 {
    count as f64
}

fn whole(labels: usize) -> f64 {
    real(labels as u64)
}

//! How good the estimate of accuracy is while no labels come: where it holds and where it cannot.
//!
//! A model that is too sure: of predictions with confidence `c` the share `0.25 + 0.6 c` is right.

use sidelight::feedback::{
    ClassReport, DropRules, Estimate, Labelled, LabelledClass, Performance, Rules,
};

use super::stats_vectors::uniform;

const WINDOW: usize = 5_000;
const STREAMS: u64 = 20;

struct Model {
    performance: Performance,
    state: u64,
}

/// What was true of the last predictions.
#[derive(Debug, Clone, Copy, Default)]
struct Truth {
    confidence: f64,
    accuracy: f64,
}

impl Model {
    fn new(seed: u64) -> Self {
        let performance = Performance::new(Rules {
            window: WINDOW,
            max_classes: 2,
            calibration_labels: 500,
            tolerance: None,
            drop: DropRules {
                false_alarms_per_million: 1.0,
                min_drop: 0.02,
                baseline: None,
                baseline_labels: 500,
                recovery_labels: 500,
            },
        });
        let state = seed << 32;
        Self { performance, state }
    }

    /// Predicts a window full. The higher `doubt`, the less sure; `worse`: how much fewer are right than
    /// the confidences had meant.
    fn predict(&mut self, doubt: f64, worse: f64, with_labels: bool) -> Truth {
        let mut truth = Truth::default();
        let share = 1.0 / f64::from(u32::try_from(WINDOW).unwrap());
        for _ in 0..WINDOW {
            let confidence = 0.5 + 0.5 * uniform(&mut self.state).powf(doubt);
            let right = uniform(&mut self.state) < 0.25 + 0.6 * confidence - worse;
            truth.confidence += confidence * share;
            truth.accuracy += f64::from(u8::from(right)) * share;
            self.performance.predicted(confidence);
            if with_labels {
                let labelled = LabelledClass {
                    predicted: "a",
                    truth: if right { "a" } else { "b" },
                    confidence: Some(confidence),
                    probabilities: None,
                };
                let labelled = Labelled::Class(labelled);
                self.performance.labelled(&labelled).unwrap();
            }
        }
        truth
    }

    fn report(&self) -> ClassReport {
        self.performance.report().classification.unwrap()
    }

    fn estimate(&self) -> Estimate {
        self.report().estimate
    }
}

/// Of all streams, for a window that `predict` makes after one with labels.
#[derive(Debug, Default)]
struct Errors {
    /// The largest of the estimate.
    largest: f64,
    /// The mean of the estimate, without its sign.
    mean: f64,
    /// The least of the mean confidence.
    least_of_confidence: f64,
}

fn errors(predict: impl Fn(&mut Model) -> Truth) -> Errors {
    let mut errors = Errors {
        least_of_confidence: 1.0,
        ..Errors::default()
    };
    for seed in 1..=STREAMS {
        let mut model = Model::new(seed);
        model.predict(1.0 / 3.0, 0.0, true);
        let truth = predict(&mut model);
        let off = (model.estimate().accuracy.unwrap() - truth.accuracy).abs();
        errors.largest = errors.largest.max(off);
        errors.mean += off / f64::from(u32::try_from(STREAMS).unwrap());
        let naive = (truth.confidence - truth.accuracy).abs();
        errors.least_of_confidence = errors.least_of_confidence.min(naive);
    }
    println!("{errors:?}");
    errors
}

#[test]
fn while_all_stays_as_it_was_the_estimate_is_right_where_the_mean_confidence_is_not() {
    let errors = errors(|model| model.predict(1.0 / 3.0, 0.0, false));
    assert!(errors.mean < 0.012 && errors.largest < 0.025, "{errors:?}");
    assert!(errors.least_of_confidence > 0.08, "{errors:?}");
}

#[test]
fn when_inputs_become_harder_the_estimate_follows_without_a_label() {
    let errors = errors(|model| model.predict(1.0, 0.0, false));
    assert!(errors.mean < 0.025 && errors.largest < 0.06, "{errors:?}");
    let mut model = Model::new(1);
    let before = model.predict(1.0 / 3.0, 0.0, true);
    let after = model.predict(1.0, 0.0, false);
    let fall = before.accuracy - after.accuracy;
    assert!(fall > 0.06, "{before:?} {after:?}");
}

#[test]
fn where_labels_hardly_were_the_estimate_is_off_but_not_by_single_ones() {
    // one confidence in 1,000 was below 0.55, and now nearly half are
    let errors = errors(|model| model.predict(3.0, 0.0, false));
    assert!((0.03..0.15).contains(&errors.largest), "{errors:?}");
}

#[test]
fn what_confidences_do_not_show_the_estimate_cannot_see_until_labels_come() {
    let blind = errors(|model| model.predict(1.0 / 3.0, 0.1, false));
    assert!((0.08..0.12).contains(&blind.mean), "{blind:?}");
    let mut model = Model::new(1);
    model.predict(1.0 / 3.0, 0.0, true);
    let estimate = model.estimate();
    let small = estimate.error.unwrap().abs();
    assert!(
        small < 0.015 && estimate.error_labels == 4_500,
        "{estimate:?}"
    );
    model.predict(1.0 / 3.0, 0.1, true);
    // half of the labels of the new kind had been learnt on average when it was worked out
    let late = model.estimate().error.unwrap();
    assert!(
        (0.03..0.08).contains(&late),
        "the window shows that it was too high: {late}"
    );
    let seeing = errors(|model| {
        model.predict(1.0 / 3.0, 0.1, true);
        model.predict(1.0 / 3.0, 0.1, false)
    });
    assert!(seeing.largest < 0.025, "{seeing:?}");
}

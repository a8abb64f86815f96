//! What the labels in a window say of the model.

use std::collections::HashMap;

use serde::Serialize;

use super::{
    Baseline, ClassWindow, Episode, Estimate, ValueWindow, Watch, calibration::mean, window::Item,
};
use crate::stats::{
    classification::{self, Counts},
    interval::{Z_95, wilson},
    real, regression,
};

/// All that is said of one version of a model.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Of its classes; `None`: no label of a class has come.
    pub classification: Option<ClassReport>,
    /// Of its numbers; `None`: no label of a number has come.
    pub regression: Option<ValueReport>,
}

/// Of a classifier. Shares are in `[0, 1]`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassReport {
    /// Labels in the window.
    pub labels: usize,
    /// Share of right predictions; `None`: there are no labels.
    pub accuracy: Option<Accuracy>,
    /// Class by class, in the order of names.
    pub classes: Vec<ClassFigures>,
    /// Mean F1 of all classes; `None`: there are none, or not all have room.
    pub macro_f1: Option<f64>,
    /// What was taken for what.
    pub confusion: Confusion,
    /// Mean logarithmic loss, in nats.
    pub log_loss: Figure,
    /// Mean squared distance of probabilities from the truth: in `[0, 1]` where all items have probabilities
    /// of two classes, for that is half of what it is of more, in `[0, 2]`.
    pub brier: Figure,
    /// Expected calibration error: how far confidence and accuracy are apart.
    pub calibration_error: Figure,
    /// Share of right predictions among the last ones, whose truth is not known.
    pub estimate: Estimate,
    /// Whether accuracy has dropped.
    pub drop: DropReport,
}

/// A share that was counted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Accuracy {
    /// The share.
    pub value: f64,
    /// Where Wilson's interval of 95 % begins.
    pub low: f64,
    /// Where it ends.
    pub high: f64,
}

/// A figure of those items of which what it needs is known.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Figure {
    /// The figure; `None`: it is known of no item.
    pub value: Option<f64>,
    /// How many items those are.
    pub labels: usize,
}

/// Of one class.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClassFigures {
    /// Its name.
    pub class: String,
    /// Share of what was predicted to be of it that is; `None`: nothing was.
    pub precision: Option<f64>,
    /// Share of what is of it that was predicted to be; `None`: nothing is.
    pub recall: Option<f64>,
    /// Harmonic mean of both, 0 where one of both is undefined.
    pub f1: Option<f64>,
    /// Labels of it.
    pub support: usize,
    /// Predictions of it.
    pub predicted: usize,
}

/// How often each class was taken for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Confusion {
    /// Names of rows and columns, ascending.
    pub classes: Vec<String>,
    /// Whether one more row and column, the last ones, are of all classes without room.
    pub has_other: bool,
    /// `counts[truth][predicted]`.
    pub counts: Vec<Vec<u32>>,
}

/// Of a regression.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ValueReport {
    /// Labels in the window.
    pub labels: usize,
    /// Mean absolute error, in the unit of the values; `None`: there are no labels.
    pub mae: Option<f64>,
    /// Root of the mean squared error, in the unit of the values.
    pub rmse: Option<f64>,
    /// Share of the truth's variance that was predicted, 1 and less; `None`: there are fewer than 2 labels or
    /// they are all the same.
    pub r2: Option<f64>,
    /// Largest error that counts as right; `None`: it is being learnt.
    pub tolerance: Option<f64>,
    /// Whether fewer errors are within it than were.
    pub drop: DropReport,
}

/// What a [`Watch`] has to say.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DropReport {
    /// Labels that it was told of.
    pub labels: u64,
    /// What it compares with; `None`: it is learning that.
    pub baseline: Option<Baseline>,
    /// The accuracy that is not worse.
    pub bound: Option<f64>,
    /// Logarithm of the evidence over that of the threshold: an alarm at 1.
    pub score: f64,
    /// The drop that goes on.
    pub current: Option<Episode>,
}

impl From<&Watch> for DropReport {
    fn from(watch: &Watch) -> Self {
        Self {
            labels: watch.labels(),
            baseline: watch.baseline(),
            bound: watch.bound(),
            score: watch.score(),
            current: watch.current().copied(),
        }
    }
}

impl Figure {
    /// The mean of what is known.
    fn mean(values: impl Iterator<Item = f64> + Clone) -> Self {
        Self {
            labels: values.clone().count(),
            value: mean(values),
        }
    }
}

impl ClassReport {
    /// Of a window. One look at each item for every figure, and a matrix of the classes there are: 5,000
    /// labels are some 40,000 steps, and a logarithm of none.
    pub fn of(window: &ClassWindow, estimate: Estimate, drop: DropReport) -> Self {
        let tally = Tally::of(window);
        let classes: Vec<_> = tally.figures();
        let scores = classes.iter().map(|class| class.f1);
        Self {
            labels: window.len(),
            accuracy: accuracy(window),
            macro_f1: mean(scores.flatten()).filter(|_| !tally.has_other()),
            classes,
            confusion: tally.confusion(),
            log_loss: Figure::mean(window.items().filter_map(Item::log_loss)),
            brier: brier(window),
            calibration_error: calibration_error(window),
            estimate,
            drop,
        }
    }
}

fn accuracy(window: &ClassWindow) -> Option<Accuracy> {
    let (right, labels) = (
        window.items().filter(|item| item.right).count(),
        window.len(),
    );
    let (low, high) = wilson(right, labels, Z_95)?;
    Some(Accuracy {
        value: real(right) / real(labels),
        low,
        high,
    })
}

fn brier(window: &ClassWindow) -> Figure {
    let scored = || window.items().filter(|item| item.probabilities > 0);
    let is_binary = scored().all(|item| item.probabilities == 2);
    let mut figure = Figure::mean(scored().filter_map(Item::squared));
    if is_binary {
        figure.value = figure.value.map(|value| value / 2.0);
    }
    figure
}

fn calibration_error(window: &ClassWindow) -> Figure {
    let bins = classification::bins(window.confidences());
    Figure {
        value: classification::calibration_error(&bins),
        labels: bins.iter().map(|bin| bin.count).sum(),
    }
}

/// What was counted of the classes in a window.
struct Tally {
    names: Vec<String>,
    /// Those without room come last.
    counts: Vec<Counts>,
    matrix: Vec<Vec<u32>>,
}

impl Tally {
    fn of(window: &ClassWindow) -> Self {
        let classes = window.classes().into_iter();
        let (names, places): (Vec<_>, Vec<_>) = classes
            .map(|(name, place)| (name.to_string(), place))
            .unzip();
        let rows: HashMap<u16, usize> = places.into_iter().zip(0..).collect();
        let other = names.len();
        let row = |place| rows.get(&place).copied().unwrap_or(other);
        let mut counts = vec![Counts::default(); other + 1];
        let mut matrix = vec![vec![0; other + 1]; other + 1];
        for item in window.items() {
            let (truth, predicted) = (row(item.truth), row(item.predicted));
            matrix[truth][predicted] += 1;
            counts[truth].support += 1;
            counts[predicted].predicted += 1;
            counts[predicted].hits += usize::from(item.right);
        }
        Self {
            names,
            counts,
            matrix,
        }
    }

    fn has_other(&self) -> bool {
        let other = self.counts.last();
        other.is_some_and(|other| other.support + other.predicted > 0)
    }

    fn figures(&self) -> Vec<ClassFigures> {
        let named = self.names.iter().zip(&self.counts);
        named
            .map(|(name, counts)| ClassFigures {
                class: name.clone(),
                precision: counts.precision(),
                recall: counts.recall(),
                f1: counts.f1(),
                support: counts.support,
                predicted: counts.predicted,
            })
            .collect()
    }

    fn confusion(self) -> Confusion {
        let has_other = self.has_other();
        let mut counts = self.matrix;
        if !has_other {
            counts.pop();
            for row in &mut counts {
                row.pop();
            }
        }
        Confusion {
            classes: self.names,
            has_other,
            counts,
        }
    }
}

impl ValueReport {
    /// Of a window: some 10 looks at each item.
    pub fn of(window: &ValueWindow, tolerance: Option<f64>, drop: DropReport) -> Self {
        let items = window.items();
        let (predicted, truth): (Vec<_>, Vec<_>) =
            items.map(|item| (item.predicted, item.truth)).unzip();
        let errors = regression::errors(&predicted, &truth);
        Self {
            labels: window.len(),
            mae: errors.map(|errors| errors.mae),
            rmse: errors.map(|errors| errors.rmse),
            r2: errors.and_then(|errors| errors.r2),
            tolerance,
            drop,
        }
    }
}

//! What the labels in a window say of the model.

use std::collections::{BTreeSet, HashMap};

use serde::Serialize;

use super::{
    Baseline, ClassWindow, Episode, Estimate, ValueWindow, Watch, calibration::mean, window::Item,
};
use crate::stats::{
    classification::{self, Bin, Counts},
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
    /// Confidence and accuracy of each bin that this is of, but those without labels.
    pub reliability: Vec<Reliability>,
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

/// Of the items that are about equally sure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Reliability {
    /// Confidences of the bin are above this, or in the first bin equal to it.
    pub above: f64,
    /// They are this at most.
    pub most: f64,
    /// Labels in it.
    pub labels: usize,
    /// Their mean confidence.
    pub confidence: f64,
    /// Share of right predictions among them.
    pub accuracy: f64,
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
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
    /// Of a window: one look at each item for every figure, and a matrix of the classes that are in it. The
    /// logarithms were worked out when the labels came.
    pub fn of(window: &ClassWindow, estimate: Estimate, drop: DropReport) -> Self {
        let tally = Tally::of(window);
        let classes: Vec<_> = tally.figures();
        let scores = classes.iter().map(|class| class.f1);
        let bins = classification::bins(window.confidences());
        Self {
            labels: window.len(),
            accuracy: accuracy(window),
            macro_f1: mean(scores.flatten()).filter(|_| !tally.has_other()),
            classes,
            confusion: tally.confusion(),
            log_loss: Figure::mean(window.items().filter_map(Item::log_loss)),
            brier: brier(window),
            calibration_error: Figure {
                value: classification::calibration_error(&bins),
                labels: bins.iter().map(|bin| bin.count).sum(),
            },
            reliability: reliability(&bins),
            estimate,
            drop,
        }
    }

    /// Places in `classes` of those with most labels, at most `most`; of as many labels the first by name.
    pub fn frequent(&self, most: usize) -> BTreeSet<usize> {
        let mut places: Vec<usize> = (0..self.classes.len()).collect();
        places.sort_by_key(|place| std::cmp::Reverse(self.classes[*place].support));
        places.into_iter().take(most).collect()
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

fn reliability(bins: &[Bin]) -> Vec<Reliability> {
    let edge = |place| real(place) / real(bins.len());
    let filled = bins.iter().enumerate().filter(|(_, bin)| bin.count > 0);
    filled
        .map(|(place, bin)| Reliability {
            above: edge(place),
            most: edge(place + 1),
            labels: bin.count,
            confidence: bin.confidence,
            accuracy: real(bin.right) / real(bin.count),
        })
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feedback::{DropRules, Estimator, LabelledClass};

    fn report(max_classes: usize, items: &[(&str, &str, Option<f64>)]) -> ClassReport {
        let mut window = ClassWindow::new(100, max_classes);
        for (predicted, truth, confidence) in items {
            let labelled = LabelledClass {
                predicted,
                truth,
                confidence: *confidence,
                probabilities: None,
            };
            window.push(&labelled, None);
        }
        let watch = Watch::new(DropRules {
            false_alarms_per_million: 1.0,
            min_drop: 0.02,
            baseline: None,
            baseline_labels: 500,
            recovery_labels: 500,
        });
        let estimate = Estimator::new(100, 100).estimate(&window);
        ClassReport::of(&window, estimate, (&watch).into())
    }

    #[test]
    fn of_no_labels_no_figure_is_known() {
        let report = report(3, &[]);
        assert_eq!((report.labels, report.accuracy), (0, None));
        assert_eq!((report.macro_f1, report.log_loss.value), (None, None));
        assert!(report.confusion.counts.is_empty() && report.reliability.is_empty());
    }

    #[test]
    fn classes_without_room_are_one_row_and_make_no_mean() {
        let items = [("a", "a"), ("b", "a"), ("c", "c"), ("c", "d"), ("d", "b")];
        let report = report(2, &items.map(|(predicted, truth)| (predicted, truth, None)));
        assert!(report.confusion.has_other);
        assert_eq!(report.confusion.classes, ["a", "b"]);
        let expected = [[1, 1, 0], [0, 0, 1], [0, 0, 2]];
        assert_eq!(report.confusion.counts, expected.map(Vec::from));
        assert_eq!(report.macro_f1, None);
        // two are right, though three are on the diagonal: one of those took c for d
        assert!((report.accuracy.unwrap().value - 0.4).abs() < 1e-15);
        assert_eq!(report.classes.len(), 2);
    }

    #[test]
    fn frequent_classes_are_those_with_most_labels() {
        let items = [("a", "b"), ("a", "c"), ("a", "c"), ("a", "d"), ("a", "d")];
        let report = report(9, &items.map(|(predicted, truth)| (predicted, truth, None)));
        let names: Vec<_> = report.classes.iter().map(|of| of.class.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "d"]);
        assert_eq!(report.frequent(2), BTreeSet::from([2, 3]));
        assert_eq!(report.frequent(3), BTreeSet::from([1, 2, 3]));
        assert_eq!(report.frequent(9).len(), 4);
    }

    #[test]
    fn a_figure_says_how_many_labels_it_is_of() {
        let items = [
            ("a", "a", Some(0.9)),
            ("a", "b", None),
            ("a", "a", Some(0.95)),
        ];
        let report = report(2, &items);
        assert_eq!(report.labels, 3);
        assert_eq!((report.log_loss.value, report.log_loss.labels), (None, 0));
        assert_eq!(report.calibration_error.labels, 2);
        let error = report.calibration_error.value.unwrap();
        assert!((error - 0.075).abs() < 1e-12, "{error}");
        let labels: Vec<_> = report.reliability.iter().map(|bin| bin.labels).collect();
        assert_eq!(labels, [1, 1], "{:?}", report.reliability);
    }

    #[test]
    fn what_is_not_known_is_null_on_the_wire() {
        let json = serde_json::to_value(report(2, &[("a", "b", None)])).unwrap();
        assert!(json["classes"][0]["recall"].is_null(), "{json}");
        assert_eq!(json["estimate"]["reason"], "not_calibrated");
        assert!(json["drop"]["baseline"].is_null() && json["log_loss"]["value"].is_null());
    }
}

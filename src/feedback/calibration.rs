//! How often predictions are right that are so sure.

use serde::{Deserialize, Serialize};

use crate::stats::{isotonic::Isotonic, real};

/// Labels of a piece, at least, but never more than a tenth of all: the share of fewer is mostly chance.
const PIECE: usize = 50;

/// A confidence's share of right predictions, learnt from labels: a function that never falls.
#[derive(Debug, Clone, PartialEq)]
pub struct Calibration {
    function: Isotonic,
    labels: usize,
}

/// Why there is no estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum NotCalibrated {
    /// Too few labels of predictions with a confidence have come.
    #[error("not calibrated")]
    #[serde(rename = "not_calibrated")]
    FewLabels,
    /// No recent prediction has a confidence.
    #[error("no confidence")]
    #[serde(rename = "no_confidence")]
    NoConfidence,
}

impl NotCalibrated {
    /// As a label and in a report.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::FewLabels => "not_calibrated",
            Self::NoConfidence => "no_confidence",
        }
    }
}

impl Calibration {
    /// Learns from confidences in `[0, 1]`, each with whether its prediction was right: isotonic regression in
    /// pieces of 50 labels and more, or of a tenth of them. Without that the surest and the least sure ones
    /// would be estimated by a handful of labels, and inputs that become harder are mostly of these.
    /// `O(n log n)`, at most two knots for each piece.
    ///
    /// # Errors
    /// There are fewer than `least`, or none.
    pub fn fit(labelled: &[(f64, bool)], least: usize) -> Result<Self, NotCalibrated> {
        if labelled.len() < least {
            return Err(NotCalibrated::FewLabels);
        }
        let points = labelled.iter();
        let points: Vec<_> = points
            .map(|(confidence, right)| (*confidence, f64::from(u8::from(*right))))
            .collect();
        Ok(Self {
            function: Isotonic::in_blocks(&points, PIECE.min(points.len() / 10))
                .ok_or(NotCalibrated::FewLabels)?,
            labels: labelled.len(),
        })
    }

    /// Of knots that were written down; `None`: they cannot be those of a calibration.
    pub(super) fn of_knots(knots: Vec<(f64, f64)>, labels: usize) -> Option<Self> {
        let is_share = |share: f64| (0.0..=1.0).contains(&share);
        let are_shares = knots.iter().all(|(x, y)| is_share(*x) && is_share(*y));
        let function = Isotonic::of_knots(knots)?;
        are_shares.then_some(Self { function, labels })
    }

    /// Its knots: confidence and share of right predictions.
    pub fn knots(&self) -> &[(f64, f64)] {
        self.function.knots()
    }

    /// How many labels it was learnt from.
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// Share of right predictions among those that are so sure.
    pub fn at(&self, confidence: f64) -> f64 {
        self.function.at(confidence)
    }

    /// Estimated share of right predictions among those of these confidences; `None`: there are none.
    pub fn estimate(&self, confidences: impl Iterator<Item = f64>) -> Option<f64> {
        mean(confidences.map(|confidence| self.at(confidence)))
    }

    /// By how much the estimate is too high for predictions whose truth is known, in `[-1, 1]`; `None`: there
    /// are none. Of the labels that it was learnt from it is 0 and says nothing.
    pub fn error(&self, labelled: &[(f64, bool)]) -> Option<f64> {
        let errors = labelled.iter();
        mean(errors.map(|(confidence, right)| self.at(*confidence) - f64::from(u8::from(*right))))
    }
}

/// Mean; `None`: there are no values.
pub(super) fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut total, mut count) = (0.0, 0);
    for value in values {
        total += value;
        count += 1;
    }
    (count > 0).then(|| total / real(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sure to 0.99 and right in 7 of 10; sure to 0.6 and right in 1 of 2.
    fn labelled() -> Vec<(f64, bool)> {
        let sure = (0..100).map(|i| (0.99, i % 10 < 7));
        sure.chain((0..100).map(|i| (0.6, i % 2 == 0))).collect()
    }

    #[test]
    fn a_model_that_is_too_sure_is_estimated_by_how_often_it_was_right() {
        let calibration = Calibration::fit(&labelled(), 100).unwrap();
        let half_and_half = [0.99, 0.6].into_iter();
        assert!((calibration.estimate(half_and_half).unwrap() - 0.6).abs() < 1e-12);
        assert!((calibration.at(1.0) - 0.7).abs() < 1e-12);
        assert_eq!(calibration.estimate(std::iter::empty()), None);
    }

    #[test]
    fn one_label_at_an_end_is_not_the_estimate_of_all_that_are_so_sure() {
        let mut labelled = labelled();
        labelled.push((0.5, false));
        let calibration = Calibration::fit(&labelled, 100).unwrap();
        let least = calibration.at(0.5);
        assert!((least - 50.0 / 101.0).abs() < 1e-12, "{least}");
    }

    #[test]
    fn too_few_labels_are_no_calibration() {
        let few = Calibration::fit(&labelled()[..99], 100);
        assert_eq!(few, Err(NotCalibrated::FewLabels));
        assert_eq!(Calibration::fit(&[], 0), Err(NotCalibrated::FewLabels));
        assert_eq!(NotCalibrated::FewLabels.to_string(), "not calibrated");
    }

    #[test]
    fn the_error_is_0_on_what_it_was_learnt_from_and_shows_on_other_labels() {
        let calibration = Calibration::fit(&labelled(), 100).unwrap();
        assert!(calibration.error(&labelled()).unwrap().abs() < 1e-12);
        let worse: Vec<_> = (0..10).map(|i| (0.99, i % 2 == 0)).collect();
        assert!((calibration.error(&worse).unwrap() - 0.2).abs() < 1e-12);
        assert_eq!(calibration.error(&[]), None);
    }

    #[test]
    fn it_is_the_same_of_its_knots() {
        let calibration = Calibration::fit(&labelled(), 100).unwrap();
        let again = Calibration::of_knots(calibration.knots().to_vec(), 200);
        assert_eq!(again, Some(calibration));
        assert_eq!(Calibration::of_knots(vec![(0.5, 1.5)], 9), None);
    }
}

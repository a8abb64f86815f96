//! How many predictions are right of those whose truth nobody knows yet.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::{Calibration, ClassWindow, NotCalibrated, calibration::mean};

/// Keeps the confidences of the last predictions, and a calibration that labels renew.
#[derive(Debug, Clone)]
pub struct Estimator {
    recent: VecDeque<f64>,
    size: usize,
    least: usize,
    calibration: Option<Calibration>,
    /// Labels with a confidence since it was learnt, or since the start.
    news: usize,
}

/// All of it, to write it down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EstimatorState {
    recent: Vec<f64>,
    knots: Vec<(f64, f64)>,
    labels: usize,
    news: usize,
}

/// An estimate, and how good those before it were.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// Estimated share of right predictions among the last ones, in `[0, 1]`.
    pub accuracy: Option<f64>,
    /// Why there is none.
    pub reason: Option<NotCalibrated>,
    /// Predictions that it is of.
    pub predictions: usize,
    /// Labels that it was learnt from.
    pub labels: usize,
    /// Mean estimate less accuracy of the predictions in the window of labels, each estimated by the
    /// calibration of before its label came: in `[-1, 1]`, above 0 where the estimate was too high.
    pub error: Option<f64>,
    /// Labels that this is of.
    pub error_labels: usize,
}

impl Estimator {
    /// Of the last `size` predictions, at least 1; calibrated on `least` labels and more.
    pub fn new(size: usize, least: usize) -> Self {
        Self {
            recent: VecDeque::new(),
            size: size.max(1),
            least: least.max(1),
            calibration: None,
            news: 0,
        }
    }

    /// Notes a prediction; a confidence outside `[0, 1]` is none.
    pub fn predicted(&mut self, confidence: f64) {
        if (0.0..=1.0).contains(&confidence) {
            while self.recent.len() >= self.size {
                self.recent.pop_front();
            }
            self.recent.push_back(confidence);
        }
    }

    /// How probably a prediction that is so sure is right; `None`: not calibrated.
    pub fn expected(&self, confidence: f64) -> Option<f64> {
        Some(self.calibration.as_ref()?.at(confidence))
    }

    /// Notes that a label came of a prediction with a confidence, which is the last of `window`. Learns anew
    /// when the labels are a tenth more than they were, so that a label costs no more when there are many.
    pub(super) fn labelled(&mut self, window: &ClassWindow) {
        self.news += 1;
        let known = self.calibration.as_ref().map_or(0, Calibration::labels);
        if self.news < self.least && known == 0 || self.news * 10 < known {
            return;
        }
        let labelled: Vec<_> = window.confidences().collect();
        if let Ok(calibration) = Calibration::fit(&labelled, self.least.min(window.size())) {
            self.calibration = Some(calibration);
        }
        // also where too many in the window have no confidence: the next label would look at all of them again
        self.news = 0;
    }

    /// What it says now; `window`: the labels that it was told of.
    pub fn estimate(&self, window: &ClassWindow) -> Estimate {
        let calibration = self.calibration.as_ref();
        let estimated = calibration
            .ok_or(NotCalibrated::FewLabels)
            .and_then(|calibration| {
                let accuracy = calibration.estimate(self.recent.iter().copied());
                accuracy.ok_or(NotCalibrated::NoConfidence)
            });
        let errors = window.items().filter_map(|item| {
            let expected = item.expected()?;
            Some(expected - f64::from(u8::from(item.right)))
        });
        Estimate {
            accuracy: estimated.ok(),
            reason: estimated.err(),
            predictions: self.recent.len(),
            labels: calibration.map_or(0, Calibration::labels),
            error_labels: errors.clone().count(),
            error: mean(errors),
        }
    }

    /// The calibration in use.
    pub fn calibration(&self) -> Option<&Calibration> {
        self.calibration.as_ref()
    }

    /// All of it.
    pub fn state(&self) -> EstimatorState {
        let calibration = self.calibration.as_ref();
        EstimatorState {
            recent: self.recent.iter().copied().collect(),
            knots: calibration.map_or_else(Vec::new, |c| c.knots().to_vec()),
            labels: calibration.map_or(0, Calibration::labels),
            news: self.news,
        }
    }

    /// As it was; `false`: it cannot have been so, and nothing has changed.
    pub fn restore(&mut self, state: EstimatorState) -> bool {
        let is_share = |share: &f64| (0.0..=1.0).contains(share);
        let is_known = !state.knots.is_empty();
        let calibration = Calibration::of_knots(state.knots, state.labels);
        let is_sound = calibration.is_some() == is_known && state.recent.iter().all(is_share);
        if is_sound {
            self.calibration = calibration;
            self.news = state.news;
            self.recent.clear();
            state.recent.into_iter().for_each(|c| self.predicted(c));
        }
        is_sound
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feedback::LabelledClass;

    /// Labels of a model that is sure to `confidence` and right in `right` of every 10.
    fn told(estimator: &mut Estimator, window: &mut ClassWindow, confidence: f64, right: usize) {
        for item in 0..10 {
            let labelled = LabelledClass {
                predicted: "a",
                truth: if item < right { "a" } else { "b" },
                confidence: Some(confidence),
                probabilities: None,
            };
            window.push(&labelled, estimator.expected(confidence));
            estimator.labelled(window);
        }
    }

    #[test]
    fn before_there_are_enough_labels_there_is_no_estimate_and_a_reason() {
        let (mut estimator, mut window) = (Estimator::new(50, 20), ClassWindow::new(100, 2));
        estimator.predicted(0.9);
        told(&mut estimator, &mut window, 0.9, 7);
        let estimate = estimator.estimate(&window);
        assert_eq!(estimate.accuracy, None);
        assert_eq!(estimate.reason, Some(NotCalibrated::FewLabels));
        told(&mut estimator, &mut window, 0.9, 7);
        let estimate = estimator.estimate(&window);
        assert!((estimate.accuracy.unwrap() - 0.7).abs() < 1e-12);
        assert_eq!((estimate.reason, estimate.labels), (None, 20));
    }

    #[test]
    fn without_recent_confidences_there_is_no_estimate_either() {
        let (mut estimator, mut window) = (Estimator::new(50, 10), ClassWindow::new(100, 2));
        told(&mut estimator, &mut window, 0.9, 7);
        for confidence in [f64::NAN, 1.5, -0.1] {
            estimator.predicted(confidence);
        }
        let reason = estimator.estimate(&window).reason;
        assert_eq!(reason, Some(NotCalibrated::NoConfidence));
    }

    #[test]
    fn the_error_is_that_of_what_was_estimated_before_the_truth_was_known() {
        let (mut estimator, mut window) = (Estimator::new(50, 10), ClassWindow::new(100, 2));
        told(&mut estimator, &mut window, 0.9, 7);
        assert_eq!(estimator.estimate(&window).error_labels, 0);
        // a tenth more are the first ones, which are right: they take the share up to 8 of 11
        told(&mut estimator, &mut window, 0.9, 4);
        let estimate = estimator.estimate(&window);
        assert_eq!(estimate.error_labels, 10);
        let error = estimate.error.unwrap();
        assert!(
            (0.3..0.36).contains(&error),
            "{error}: it was thought to be 0.7 and more"
        );
    }

    #[test]
    fn only_the_last_predictions_count_and_memory_is_bounded() {
        let (mut estimator, mut window) = (Estimator::new(50, 10), ClassWindow::new(100, 2));
        told(&mut estimator, &mut window, 0.5, 2);
        (0..5).for_each(|_| told(&mut estimator, &mut window, 0.9, 9));
        (0..1_000).for_each(|_| estimator.predicted(0.5));
        (0..50).for_each(|_| estimator.predicted(0.9));
        let estimate = estimator.estimate(&window);
        assert_eq!(estimate.predictions, 50);
        assert!(
            (estimate.accuracy.unwrap() - 0.9).abs() < 0.05,
            "{estimate:?}"
        );
        assert!(estimator.recent.capacity() <= 100);
        assert!(estimator.calibration().unwrap().knots().len() <= 100);
    }

    #[test]
    fn a_window_in_which_few_have_a_confidence_is_not_looked_through_at_each_label() {
        let (mut estimator, mut window) = (Estimator::new(50, 10), ClassWindow::new(100, 2));
        for _ in 0..9 {
            estimator.labelled(&window);
        }
        assert_eq!(estimator.news, 9);
        told(&mut estimator, &mut window, 0.9, 1);
        // the first of these asked for a look, which found one; so does the next tenth
        assert!(estimator.news == 9 && estimator.calibration().is_none());
        told(&mut estimator, &mut window, 0.9, 1);
        assert!(estimator.calibration().unwrap().labels() >= 11);
    }

    #[test]
    fn it_goes_on_as_it_was_written_down() {
        let (mut estimator, mut window) = (Estimator::new(50, 10), ClassWindow::new(100, 2));
        told(&mut estimator, &mut window, 0.9, 7);
        estimator.predicted(0.9);
        let text = serde_json::to_string(&estimator.state()).unwrap();
        let state: EstimatorState = serde_json::from_str(&text).unwrap();
        let mut again = Estimator::new(50, 10);
        assert!(again.restore(state.clone()));
        assert_eq!(again.estimate(&window), estimator.estimate(&window));
        for broken in [
            EstimatorState {
                recent: vec![2.0],
                ..state.clone()
            },
            EstimatorState {
                knots: vec![(0.5, 0.9), (0.9, 0.5)],
                ..state
            },
        ] {
            assert!(!again.restore(broken));
        }
        assert_eq!(again.state(), estimator.state());
    }
}

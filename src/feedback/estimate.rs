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
            self.news = 0;
        }
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

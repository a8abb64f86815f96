//! What share of predictions was right when all was well.

use serde::{Deserialize, Serialize};

use crate::stats::{
    interval::{Z_95, wilson},
    real,
};

/// The accuracy that others are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Baseline {
    /// Share of right predictions, in `[0, 1]`.
    pub accuracy: f64,
    /// Labels that it was learnt from; 0: somebody has said so.
    pub labels: usize,
}

impl Baseline {
    /// That somebody has said, brought into `[0, 1]`.
    pub fn given(accuracy: f64) -> Self {
        Self {
            accuracy: accuracy.clamp(0.0, 1.0),
            labels: 0,
        }
    }

    /// Of `right` among `labels`, at least 1.
    pub fn learnt(right: usize, labels: usize) -> Self {
        let labels = labels.max(1);
        Self {
            accuracy: real(right.min(labels)) / real(labels),
            labels,
        }
    }

    /// Accuracy that is not worse: `min_drop` below, or where Wilson's interval of 95 % of what was learnt
    /// begins, whichever is lower. True accuracies are below that interval for one learnt baseline in 40.
    pub fn bound(&self, min_drop: f64) -> f64 {
        let dropped = self.accuracy - min_drop.max(0.0);
        let right = self.right();
        let low = wilson(right, self.labels, Z_95).map_or(self.accuracy, |(low, _)| low);
        dropped.min(low).max(0.0)
    }

    /// How many were right.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count, rounded"
    )]
    fn right(&self) -> usize {
        (self.accuracy * real(self.labels)).round() as usize
    }

    pub(super) fn is_sound(&self) -> bool {
        (0.0..=1.0).contains(&self.accuracy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_labels_lower_the_bound_more_than_the_least_drop() {
        let few = Baseline::learnt(450, 500);
        assert!(
            (few.bound(0.02) - 0.8706).abs() < 1e-4,
            "{}",
            few.bound(0.02)
        );
        let many = Baseline::learnt(90_000, 100_000);
        assert!((many.bound(0.02) - 0.88).abs() < 1e-12);
        let said = Baseline::given(0.9);
        assert!((said.bound(0.02) - 0.88).abs() < 1e-12);
        assert!((said.bound(0.0) - 0.9).abs() < 1e-12);
    }

    #[test]
    fn a_perfect_baseline_may_still_be_lucky() {
        assert!(Baseline::learnt(500, 500).bound(0.0) < 0.993);
        assert!(Baseline::given(0.01).bound(0.05) >= 0.0);
    }
}

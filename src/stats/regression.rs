//! Errors of predicted numbers.

use super::{
    moments::{moments, sum},
    real,
};

/// How far predicted numbers were from the true ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Errors {
    /// Mean absolute error, in the unit of the values.
    pub mae: f64,
    /// Root of the mean squared error, in the unit of the values.
    pub rmse: f64,
    /// Share of the truth's variance that was predicted, 1 and less; `None`: fewer than 2 values, or the
    /// truth is the same everywhere.
    pub r2: Option<f64>,
}

/// Errors of `predicted` against `truth`, pair by pair, finite; `None`: there are none, or not as many.
///
/// A sum that leaves the range of numbers makes a figure infinite. `O(n)`, one allocation.
pub fn errors(predicted: &[f64], truth: &[f64]) -> Option<Errors> {
    if predicted.len() != truth.len() {
        return None;
    }
    let n = real(truth.len());
    let off = || predicted.iter().zip(truth).map(|(p, t)| p - t);
    let spread = moments(truth)?;
    let of_truth = moments(&off().collect::<Vec<_>>())?;
    // the mean square, brought together from what neither overflows nor vanishes
    let rmse = of_truth.mean.hypot(of_truth.std);
    let is_spread = truth.len() >= 2 && truth.iter().any(|t| (t - truth[0]).abs() > 0.0);
    Some(Errors {
        mae: sum(off().map(f64::abs)) / n,
        rmse,
        r2: is_spread.then(|| 1.0 - (rmse / spread.std).powi(2)),
    })
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these results are exact")]
mod tests {
    use super::*;

    #[test]
    fn a_truth_without_variance_has_no_r2() {
        let same = errors(&[1.0, 2.0], &[0.1, 0.1]).unwrap();
        assert_eq!(same.r2, None);
        assert_eq!(errors(&[1.0], &[2.0]).unwrap().r2, None);
        assert_eq!(errors(&[], &[]), None);
        assert_eq!(errors(&[1.0], &[]), None);
    }

    #[test]
    fn what_is_predicted_exactly_has_no_error() {
        let exact = errors(&[1.0, 2.0, 4.0], &[1.0, 2.0, 4.0]).unwrap();
        assert_eq!((exact.mae, exact.rmse, exact.r2), (0.0, 0.0, Some(1.0)));
    }

    #[test]
    fn squares_of_large_errors_do_not_overflow() {
        let large = errors(&[1e200, -1e200], &[0.0, 1.0]).unwrap();
        assert!((large.rmse / 1e200 - 1.0).abs() < 1e-12, "{large:?}");
        assert_eq!(large.mae, 1e200);
    }

    #[test]
    fn the_mean_predicted_everywhere_explains_nothing() {
        let mean = errors(&[2.0, 2.0, 2.0], &[1.0, 2.0, 3.0]).unwrap();
        assert!(mean.r2.unwrap().abs() < 1e-15);
    }
}

//! Values of the past, sorted, to compare recent ones with by a two-sample test.

use super::BaselineError;
use crate::stats::moments::{Moments, moments};

/// A reference sample, checked and sorted; never changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    values: Vec<f64>,
    missing: usize,
    moments: Moments,
}

impl Sample {
    /// Takes at most `limit` finite numbers of any unit, in any order.
    ///
    /// NaN stands for a missing value: it is left out and counted, also against `limit`. -0 becomes 0.
    ///
    /// # Errors
    /// See [`BaselineError`]; nothing is read beyond the first value that is wrong.
    pub fn new(values: impl IntoIterator<Item = f64>, limit: usize) -> Result<Self, BaselineError> {
        let (mut kept, mut missing) = (Vec::new(), 0);
        for (index, value) in values.into_iter().enumerate() {
            if index >= limit {
                return Err(BaselineError::TooMany { limit });
            }
            if value.is_infinite() {
                return Err(BaselineError::Infinite { index });
            }
            if value.is_nan() {
                missing += 1;
            } else {
                kept.push(value + 0.0);
            }
        }
        Self::of(kept, missing)
    }

    /// From values that are finite and not -0.
    fn of(mut values: Vec<f64>, missing: usize) -> Result<Self, BaselineError> {
        values.sort_unstable_by(f64::total_cmp);
        let moments = moments(&values).ok_or(if missing == 0 {
            BaselineError::Empty
        } else {
            BaselineError::AllMissing { missing }
        })?;
        Ok(Self {
            values,
            missing,
            moments,
        })
    }

    /// As it was before a restart: `missing` were counted then.
    pub(super) fn restored(values: Vec<f64>, missing: usize) -> Result<Self, BaselineError> {
        let limit = values.len();
        let mut sample = Self::new(values, limit)?;
        sample.missing += missing;
        Ok(sample)
    }

    /// The values that are not missing, ascending, at least one, all finite.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// How many values were NaN.
    pub const fn missing(&self) -> usize {
        self.missing
    }

    /// Mean of the values.
    pub const fn mean(&self) -> f64 {
        self.moments.mean
    }

    /// Standard deviation of the population.
    pub const fn std(&self) -> f64 {
        self.moments.std
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(values: &[f64]) -> Sample {
        Sample::new(values.iter().copied(), 100).unwrap()
    }

    #[test]
    fn missing_values_are_left_out_and_counted() {
        let b = sample(&[0.9, f64::NAN, 0.1, f64::NAN, 0.5]);
        assert_eq!((b.values(), b.missing()), (&[0.1, 0.5, 0.9][..], 2));
        assert!((b.mean() - 0.5).abs() < 1e-15 && (b.std() - 0.106_667_f64.sqrt()).abs() < 1e-6);
    }

    #[test]
    fn numbers_outside_of_zero_to_one_are_numbers() {
        assert_eq!(sample(&[1e300, -7.5]).values(), [-7.5, 1e300]);
    }

    #[test]
    fn what_is_no_sample_is_refused_with_its_reason() {
        let refused = |values: &[f64], limit| {
            let error = Sample::new(values.iter().copied(), limit).unwrap_err();
            (error.reason(), error.to_string())
        };
        assert_eq!(refused(&[], 9).0, "empty");
        assert_eq!(refused(&[f64::NAN; 2], 9).0, "all_missing");
        let infinite = refused(&[0.5, f64::NEG_INFINITY], 9);
        assert_eq!(infinite.0, "infinite");
        assert_eq!(infinite.1, "value 1 of the baseline is infinite");
        assert_eq!(refused(&[0.5; 4], 3).0, "too_many");
        assert!(Sample::new([0.5; 3], 3).is_ok());
    }

    #[test]
    fn a_list_without_end_is_refused() {
        for value in [0.5, f64::NAN] {
            let endless = Sample::new(std::iter::repeat(value), 10);
            assert_eq!(endless, Err(BaselineError::TooMany { limit: 10 }));
        }
    }
}

//! What the confidence of a model looked like when it was right.

use std::fmt::Write;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::stats::moments::{Moments, moments};

/// A reference sample, checked and sorted; never changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    values: Vec<f64>,
    missing: usize,
    moments: Moments,
    hash: String,
    set_at: Timestamp,
}

/// Why a list of numbers is no baseline, or a baseline finds no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// The list is empty.
    #[error("the baseline is empty")]
    Empty,
    /// Every value is missing.
    #[error("all {missing} values of the baseline are missing")]
    AllMissing {
        /// How many there are.
        missing: usize,
    },
    /// A value is infinite.
    #[error("value {index} of the baseline is infinite")]
    Infinite {
        /// Its place in the list, from 0.
        index: usize,
    },
    /// There are more values than `drift.max_baseline`.
    #[error("the baseline has more than {limit} values")]
    TooMany {
        /// The most there may be.
        limit: usize,
    },
    /// There are as many baselines as are kept.
    #[error("there are {limit} baselines already")]
    NoRoom {
        /// The most there may be.
        limit: usize,
    },
}

impl BaselineError {
    /// The label value.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::AllMissing { .. } => "all_missing",
            Self::Infinite { .. } => "infinite",
            Self::TooMany { .. } => "too_many",
            Self::NoRoom { .. } => "no_room",
        }
    }
}

impl Baseline {
    /// Takes at most `limit` finite numbers of any unit, in any order.
    ///
    /// NaN stands for a missing value: it is left out and counted, also against `limit`. -0 becomes 0.
    ///
    /// # Errors
    /// See [`BaselineError`]; nothing is read beyond the first value that is wrong.
    pub fn new(
        values: impl IntoIterator<Item = f64>,
        limit: usize,
        set_at: Timestamp,
    ) -> Result<Self, BaselineError> {
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
        Self::of(kept, missing, set_at)
    }

    /// From values that are finite and not -0.
    fn of(mut values: Vec<f64>, missing: usize, set_at: Timestamp) -> Result<Self, BaselineError> {
        values.sort_unstable_by(f64::total_cmp);
        let moments = moments(&values).ok_or(if missing == 0 {
            BaselineError::Empty
        } else {
            BaselineError::AllMissing { missing }
        })?;
        Ok(Self {
            hash: hash(&values),
            values,
            missing,
            moments,
            set_at,
        })
    }

    /// As it was before a restart: `missing` were counted then.
    pub(super) fn restored(
        values: Vec<f64>,
        missing: usize,
        set_at: Timestamp,
    ) -> Result<Self, BaselineError> {
        let limit = values.len();
        let mut baseline = Self::new(values, limit, set_at)?;
        baseline.missing += missing;
        Ok(baseline)
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

    /// SHA-256 over the sorted values (little-endian binary64), in hexadecimal: what state that
    /// was gathered against one baseline is known by.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The first 12 digits of [`Self::hash`], for labels and people.
    pub fn short_hash(&self) -> &str {
        &self.hash[..12]
    }

    /// When it was set.
    pub const fn set_at(&self) -> Timestamp {
        self.set_at
    }
}

fn hash(values: &[f64]) -> String {
    let mut sha = Sha256::new();
    for value in values {
        sha.update(value.to_le_bytes());
    }
    hexadecimal(&sha.finalize())
}

/// Lower-case hexadecimal digits.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn baseline(values: &[f64]) -> Baseline {
        Baseline::new(values.iter().copied(), 100, NOW).unwrap()
    }

    #[test]
    fn missing_values_are_left_out_and_counted() {
        let b = baseline(&[0.9, f64::NAN, 0.1, f64::NAN, 0.5]);
        assert_eq!((b.values(), b.missing()), (&[0.1, 0.5, 0.9][..], 2));
        assert!((b.mean() - 0.5).abs() < 1e-15 && (b.std() - 0.106_667_f64.sqrt()).abs() < 1e-6);
    }

    #[test]
    fn numbers_outside_of_zero_to_one_are_numbers() {
        assert_eq!(baseline(&[1e300, -7.5]).values(), [-7.5, 1e300]);
    }

    #[test]
    fn what_is_no_sample_is_refused_with_its_reason() {
        let refused = |values: &[f64], limit| {
            let error = Baseline::new(values.iter().copied(), limit, NOW).unwrap_err();
            (error.reason(), error.to_string())
        };
        assert_eq!(refused(&[], 9).0, "empty");
        assert_eq!(refused(&[f64::NAN; 2], 9).0, "all_missing");
        let infinite = refused(&[0.5, f64::NEG_INFINITY], 9);
        assert_eq!(infinite.0, "infinite");
        assert_eq!(infinite.1, "value 1 of the baseline is infinite");
        assert_eq!(refused(&[0.5; 4], 3).0, "too_many");
        assert!(Baseline::new([0.5; 3], 3, NOW).is_ok());
    }

    #[test]
    fn a_list_without_end_is_refused() {
        for value in [0.5, f64::NAN] {
            let endless = Baseline::new(std::iter::repeat(value), 10, NOW);
            assert_eq!(endless, Err(BaselineError::TooMany { limit: 10 }));
        }
    }

    #[test]
    fn the_hash_knows_the_values_and_not_their_order() {
        let one = baseline(&[0.1, 0.2, 0.0]);
        assert_eq!(one.hash(), baseline(&[0.2, -0.0, 0.1]).hash());
        assert_ne!(
            one.hash(),
            baseline(&[0.1, 0.200_000_000_000_000_04, 0.0]).hash()
        );
        assert_eq!(one.hash().len(), 64);
        assert!(one.hash().starts_with(one.short_hash()));
        // SHA-256 of eight zero bytes.
        assert_eq!(baseline(&[0.0]).short_hash(), "af5570f5a181");
    }
}

//! Which errors of a regression count as right.

use serde::{Deserialize, Serialize};

use super::Baseline;

/// Errors within a limit are right: the one that somebody names, or the one that nine of ten of the first
/// errors were within.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Tolerance {
    /// The first errors, in the order in which they came.
    Learning(Vec<f64>),
    /// The largest error that is right, in the unit of the values.
    Known(f64),
}

/// How many of 10 first errors are within the limit.
const WITHIN: usize = 9;

impl Tolerance {
    /// A limit, 0 or more; `None`: to be learnt.
    pub fn new(limit: Option<f64>) -> Self {
        limit.map_or(Self::Learning(Vec::new()), Self::Known)
    }

    /// The limit.
    pub fn limit(&self) -> Option<f64> {
        match self {
            Self::Learning(_) => None,
            Self::Known(limit) => Some(*limit),
        }
    }

    /// Learns from an error while there are fewer than `most`. With the last of these comes the share of them
    /// that is within the limit: nine tenths, also where more are because some are the same, for of a limit
    /// that was chosen by them only the rank is known.
    pub(super) fn learn(&mut self, off: f64, most: usize) -> Option<Baseline> {
        let Self::Learning(errors) = self else {
            return None;
        };
        errors.push(off);
        if errors.len() < most.max(1) {
            return None;
        }
        errors.sort_by(f64::total_cmp);
        let labels = errors.len();
        let within = (labels * WITHIN).div_ceil(10);
        *self = Self::Known(errors[within - 1]);
        Some(Baseline::learnt(within, labels))
    }

    pub(super) fn is_sound(&self) -> bool {
        let is_error = |off: &f64| off.is_finite() && *off >= 0.0;
        match self {
            Self::Learning(errors) => errors.iter().all(is_error),
            Self::Known(limit) => is_error(limit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_of_ten_first_errors_are_within_it() {
        let mut tolerance = Tolerance::new(None);
        let learnt: Vec<_> = (1..=20)
            .rev()
            .map(|off| tolerance.learn(f64::from(off), 20))
            .collect();
        assert!(learnt[..19].iter().all(Option::is_none));
        assert_eq!(learnt[19], Some(Baseline::learnt(18, 20)));
        assert_eq!(tolerance, Tolerance::Known(18.0));
        assert_eq!(tolerance.learn(99.0, 20), None);
    }

    #[test]
    fn errors_that_are_all_the_same_are_not_taken_for_certainty() {
        let mut tolerance = Tolerance::new(None);
        let learnt = (0..10).filter_map(|_| tolerance.learn(0.0, 10)).last();
        assert_eq!(learnt, Some(Baseline::learnt(9, 10)));
        assert_eq!(tolerance.limit(), Some(0.0));
    }

    #[test]
    fn a_limit_that_is_named_is_not_learnt() {
        let mut tolerance = Tolerance::new(Some(2.5));
        assert_eq!(tolerance.learn(1.0, 1), None);
        assert_eq!(tolerance.limit(), Some(2.5));
        assert!(tolerance.is_sound() && !Tolerance::Known(-1.0).is_sound());
    }
}

//! Mean and standard deviation that neither overflow nor cancel.

use super::real;

/// Mean and spread of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    /// Arithmetic mean, in the unit of the values.
    pub mean: f64,
    /// Standard deviation of the population (divided by n, as numpy's `std` is by default).
    pub std: f64,
}

/// Mean and standard deviation of `values`; `None`: there are none.
///
/// Two passes over values brought into `[-2, 2]` by a power of two, which is exact, each with a
/// compensated sum: squares of 1e200 do not overflow, those of 1e-200 do not vanish, and a small
/// spread around a large mean survives. `O(n)`, no allocation. A value that is not finite makes
/// both NaN or infinite.
pub fn moments(values: &[f64]) -> Option<Moments> {
    if values.is_empty() {
        return None;
    }
    let (unit, n) = (unit(values), real(values.len()));
    let mean = sum(values.iter().map(|v| v / unit)) / n;
    let off = || values.iter().map(|v| v / unit - mean);
    // The second term takes back what rounding of the mean put into the first.
    let variance = (sum(off().map(|d| d * d)) - sum(off()).powi(2) / n) / n;
    Some(Moments {
        mean: mean * unit,
        std: variance.max(0.0).sqrt() * unit,
    })
}

/// The largest power of two that is at most the largest magnitude.
fn unit(values: &[f64]) -> f64 {
    const EXPONENT: u64 = 0x7ff0_0000_0000_0000;
    let largest = values.iter().fold(0.0, |a: f64, v| a.max(v.abs()));
    let unit = f64::from_bits(largest.to_bits() & EXPONENT);
    if unit.is_normal() {
        unit
    } else if largest > 1.0 {
        1.0
    } else {
        f64::MIN_POSITIVE
    }
}

/// Neumaier's sum: the error does not grow with the number of values.
pub(super) fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let (mut total, mut lost) = (0.0_f64, 0.0_f64);
    for value in values {
        let next = total + value;
        lost += if total.abs() >= value.abs() {
            (total - next) + value
        } else {
            (value - next) + total
        };
        total = next;
    }
    total + lost
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these results are exact")]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-15 * b.abs()
    }

    #[test]
    fn an_empty_sample_has_no_moments() {
        assert_eq!(moments(&[]), None);
    }

    #[test]
    fn equal_values_have_exactly_no_spread() {
        let m = moments(&[0.1; 1000]).unwrap();
        assert!(close(m.mean, 0.1) && m.std < 1e-16, "{m:?}");
        let zero = moments(&[0.0, -0.0]).unwrap();
        assert!(zero.mean == 0.0 && zero.std == 0.0);
    }

    #[test]
    fn a_small_spread_survives_a_large_mean() {
        let m = moments(&[1e9, 1e9 + 1.0, 1e9 + 2.0]).unwrap();
        assert!(close(m.mean, 1e9 + 1.0));
        assert!(close(m.std, (2.0_f64 / 3.0).sqrt()), "{m:?}");
    }

    #[test]
    fn the_largest_and_the_smallest_numbers_neither_overflow_nor_vanish() {
        for scale in [f64::MAX / 4.0, 1e200, 1e-200, 1e-300] {
            let m = moments(&[scale, 3.0 * scale]).unwrap();
            assert!(close(m.mean, 2.0 * scale), "{scale}: {m:?}");
            assert!(close(m.std, scale), "{scale}: {m:?}");
        }
        let opposite = moments(&[f64::MAX, -f64::MAX]).unwrap();
        assert!(opposite.mean == 0.0 && opposite.std == f64::MAX);
        let subnormal = moments(&[5e-324, 5e-324]).unwrap();
        assert!(subnormal.mean == 5e-324 && subnormal.std == 0.0);
    }

    #[test]
    fn what_is_not_finite_does_not_panic() {
        assert!(moments(&[f64::NAN, 1.0]).unwrap().mean.is_nan());
        assert!(!moments(&[f64::INFINITY, 1.0]).unwrap().mean.is_finite());
    }
}

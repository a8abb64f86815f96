//! The two-sample Kolmogorov-Smirnov test, two-sided, with the p-value that scipy's `ks_2samp` gives.
//!
//! `D` is counted in integers, so that it is exact and ties cannot hide it; the p-value is exact
//! while both samples have at most [`EXACT_LIMIT`] values ([`exact`]), beyond that it is the one of
//! a single sample of n m / (n + m) values ([`one_sample`]).

pub mod exact;
pub mod one_sample;

use super::real;

pub use exact::EXACT_LIMIT;

/// Outcome of the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KsTest {
    /// `D = sup |F_baseline(v) - F_recent(v)|`, in `[0, 1]`.
    pub statistic: f64,
    /// Probability of a `D` this large or larger between samples of one continuous distribution,
    /// in `[0, 1]`.
    pub p_value: f64,
    /// The smallest value `v` at which the distributions are that far apart.
    pub location: f64,
    /// Whether recent values lie higher: at `location` fewer of them are at or below it.
    pub recent_higher: bool,
}

/// Compares two samples; `None`: one of them is empty.
///
/// Both sorted ascending and finite; ties are stepped over together, and 0 equals -0. Values that
/// are not finite or not sorted give a number in `[0, 1]` that means nothing, never a panic.
/// `O(n + m)` for the statistic. The p-value takes microseconds for samples of equal size, up to
/// about `D n m` steps otherwise (0.05 to 0.6 ms for 1,000 against 5,000, 8 ms at the limit).
pub fn two_sample(baseline_sorted: &[f64], recent_sorted: &[f64]) -> Option<KsTest> {
    let (n, m) = (baseline_sorted.len(), recent_sorted.len());
    let gap = Gap::between(baseline_sorted, recent_sorted)?;
    let statistic = gap.statistic();
    let p_value = u64::try_from(gap.steps)
        .ok()
        .and_then(|steps| exact::p_value(n, m, steps))
        .unwrap_or_else(|| asymptotic_p(statistic, n, m));
    Some(KsTest {
        statistic,
        p_value,
        location: gap.location,
        recent_higher: gap.recent_higher,
    })
}

/// The p-value of `D` between samples of `n` and `m` values from the distribution of one sample
/// of n m / (n + m) values, rounded half to even; `NaN` where that is 0.
pub fn asymptotic_p(d: f64, n: usize, m: usize) -> f64 {
    let (n, m) = (real(n.max(m)), real(n.min(m)));
    one_sample::p_value(d, (n * m / (n + m)).round_ties_even())
}

/// The largest distance, in steps of one over the least common multiple of the two sizes.
struct Gap {
    steps: u128,
    lattice: u128,
    location: f64,
    recent_higher: bool,
}

impl Gap {
    fn between(baseline: &[f64], recent: &[f64]) -> Option<Self> {
        let (first, other) = (*baseline.first()?, *recent.first()?);
        let (n, m) = (baseline.len() as u128, recent.len() as u128);
        let common = gcd(n, m);
        let (rise, fall) = ((m / common).cast_signed(), (n / common).cast_signed());
        let start = if other < first { other } else { first };
        let (mut highest, mut lowest) = ((0, start), (0, start));
        let (mut distance, mut i, mut j) = (0, 0, 0);
        while i < baseline.len() && j < recent.len() {
            let value = if recent[j] < baseline[i] {
                recent[j]
            } else {
                baseline[i]
            };
            let (in_baseline, in_recent) = (run(&baseline[i..], value), run(&recent[j..], value));
            i += in_baseline;
            j += in_recent;
            distance += signed(in_baseline) * rise - signed(in_recent) * fall;
            if distance > highest.0 {
                highest = (distance, value);
            }
            if distance < lowest.0 {
                lowest = (distance, value);
            }
        }
        // Whatever one sample has left only brings the distance back to 0.
        let recent_higher = highest.0 >= -lowest.0;
        let (steps, location) = if recent_higher { highest } else { lowest };
        Some(Self {
            steps: steps.unsigned_abs(),
            lattice: n / common * m,
            location,
            recent_higher,
        })
    }

    #[expect(clippy::cast_precision_loss, reason = "rounded once, in the quotient")]
    fn statistic(&self) -> f64 {
        self.steps as f64 / self.lattice as f64
    }
}

/// How many of the leading values are not above `value`; a NaN is not above anything, so that at
/// least one value is always stepped over.
fn run(values: &[f64], value: f64) -> usize {
    values
        .iter()
        .position(|v| *v > value)
        .unwrap_or(values.len())
}

const fn signed(count: usize) -> i128 {
    count as i128
}

const fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these results are exact")]
mod tests {
    use super::*;

    fn ks(a: &[f64], b: &[f64]) -> KsTest {
        two_sample(a, b).unwrap()
    }

    #[test]
    fn an_empty_sample_has_no_test() {
        assert_eq!(two_sample(&[], &[1.0]), None);
        assert_eq!(two_sample(&[1.0], &[]), None);
    }

    #[test]
    fn equal_samples_are_certain_to_be_this_close() {
        let one = [0.3, 0.5, 0.5, 0.9];
        assert!(ks(&one, &one).statistic == 0.0 && ks(&one, &one).p_value == 1.0);
        let long: Vec<f64> = (0..20_000).map(f64::from).collect();
        assert!(ks(&long, &long).statistic == 0.0 && ks(&long, &long).p_value == 1.0);
    }

    #[test]
    fn minus_zero_equals_zero() {
        assert!(ks(&[-0.0], &[0.0]).statistic == 0.0);
    }

    #[test]
    fn one_value_against_many_is_tested() {
        let many: Vec<f64> = (0..100).map(f64::from).collect();
        let test = ks(&[50.5], &many);
        assert!((test.statistic - 0.51).abs() < 1e-15);
        assert!((test.p_value - 100.0 / 101.0).abs() < 1e-14);
    }

    #[test]
    fn it_says_where_and_to_which_side() {
        let (low, high) = ([0.1, 0.2, 0.3, 0.4], [0.3, 0.6, 0.7, 0.8]);
        let up = ks(&low, &high);
        assert!(up.recent_higher && up.location == 0.4 && up.statistic == 0.75);
        assert!(!ks(&high, &low).recent_higher);
    }

    #[test]
    fn samples_far_apart_have_p_of_nearly_nothing_but_never_nan() {
        for (n, m) in [(10_000, 9_999), (10_000, 10_000), (1, 10_000), (20_000, 3)] {
            let low: Vec<f64> = (0..n).map(f64::from).collect();
            let high: Vec<f64> = (0..m).map(|v| f64::from(v) + 1e6).collect();
            let test = ks(&low, &high);
            assert!(test.statistic == 1.0, "{n} {m}");
            assert!((0.0..1e-3).contains(&test.p_value), "{n} {m}: {test:?}");
        }
    }

    #[test]
    fn values_that_are_not_finite_neither_hang_nor_panic() {
        let odd = [f64::NAN, f64::NEG_INFINITY, 1.0, f64::NAN, f64::INFINITY];
        for a in [&odd[..], &odd[..1], &odd[3..], &[f64::INFINITY]] {
            for b in [&odd[..], &odd[..1], &[0.5, 0.1], &[f64::NEG_INFINITY]] {
                let test = ks(a, b);
                assert!((0.0..=1.0).contains(&test.statistic), "{a:?} {b:?}");
                assert!((0.0..=1.0).contains(&test.p_value), "{a:?} {b:?}");
            }
        }
    }
}

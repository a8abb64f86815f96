//! The chi-square test of two histograms, and the distribution behind it.

use super::{gamma, real, share as shares};

/// Outcome of the test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ChiSquare {
    /// 0 and more.
    pub statistic: f64,
    /// Degrees of freedom: bins that are not empty on both sides, less one.
    pub freedom: usize,
    /// Probability of a statistic this large or larger while nothing differs, in `[0, 1]`.
    pub p_value: f64,
}

/// Tests whether two histograms over the same bins are of one distribution (Pearson, no correction of
/// Yates); `None`: a side is empty or the bins are not as many.
///
/// The p-value wants about 5 expected in each bin. Bins that both sides have empty count for nothing;
/// where one is left, nothing differs and p is 1.
pub fn two_sample(baseline: &[u32], recent: &[u32]) -> Option<ChiSquare> {
    // that a side is empty, or that they have other bins
    drop(shares(baseline, recent)?);
    let total = |counts: &[u32]| counts.iter().map(|count| f64::from(*count)).sum::<f64>();
    let (n, m) = (total(baseline), total(recent));
    let used = || {
        let both = baseline.iter().zip(recent);
        both.map(|(a, b)| (f64::from(*a), f64::from(*b)))
            .filter(|(a, b)| a + b > 0.0)
    };
    let freedom = used().count().saturating_sub(1);
    if freedom == 0 {
        return Some(ChiSquare {
            statistic: 0.0,
            freedom,
            p_value: 1.0,
        });
    }
    let term = |(a, b): (f64, f64)| {
        let expected = [n, m].map(|size| (a + b) * size / (n + m));
        (a - expected[0]).powi(2) / expected[0] + (b - expected[1]).powi(2) / expected[1]
    };
    let statistic = used().map(term).sum();
    Some(ChiSquare {
        statistic,
        freedom,
        p_value: survival(statistic, freedom),
    })
}

/// Probability of a value above `x` of the chi-square distribution, in `[0, 1]`. `x` 0 or more, 1 degree
/// of freedom or more.
pub fn survival(x: f64, freedom: usize) -> f64 {
    gamma::upper(real(freedom) / 2.0, x / 2.0)
}

/// The value above which the chi-square distribution is with probability `p`, in `(0, 1)`: to 12 digits.
pub fn upper_quantile(p: f64, freedom: usize) -> f64 {
    let (mut low, mut high) = (0.0, real(freedom.max(1)));
    while survival(high, freedom) > p {
        low = high;
        high *= 2.0;
    }
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if survival(middle, freedom) > p {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

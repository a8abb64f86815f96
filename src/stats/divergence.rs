//! How far apart two histograms over the same bins are: effects, not evidence.
//!
//! All take counts of as many bins, and give `None` where a side is empty or the bins are not as many.

use super::share as shares;

/// The least share of a bin in [`psi`]: an empty one would be infinitely far away.
const FLOOR: f64 = 1e-4;

/// Population stability index: `sum (q - p) ln(q / p)` over the shares of both, each at least 1e-4 and
/// not brought back to a sum of 1. 0 and more, without a unit; 0.1 is called small, 0.25 large.
///
/// Source: credit scoring practice; the floor as its users set it.
pub fn psi(baseline: &[u32], recent: &[u32]) -> Option<f64> {
    let term = |(p, q): (f64, f64)| {
        let (p, q) = (p.max(FLOOR), q.max(FLOOR));
        (q - p) * (q / p).ln()
    };
    Some(shares(baseline, recent)?.map(term).sum())
}

/// Jensen-Shannon distance with logarithms to base 2, in `[0, 1]`.
///
/// Source: Endres and Schindelin, 2003: the square root of the divergence is a metric.
pub fn jensen_shannon(baseline: &[u32], recent: &[u32]) -> Option<f64> {
    let bits = |a: f64, middle: f64| {
        if a > 0.0 {
            a * (a / middle).log2()
        } else {
            0.0
        }
    };
    let term = |(p, q): (f64, f64)| {
        let middle = f64::midpoint(p, q);
        f64::midpoint(bits(p, middle), bits(q, middle))
    };
    let divergence: f64 = shares(baseline, recent)?.map(term).sum();
    Some(divergence.clamp(0.0, 1.0).sqrt())
}

/// Half the sum of all differences of shares, in `[0, 1]`: the largest difference of any set of bins.
pub fn total_variation(baseline: &[u32], recent: &[u32]) -> Option<f64> {
    let sum: f64 = shares(baseline, recent)?.map(|(p, q)| (p - q).abs()).sum();
    Some(sum / 2.0)
}

/// The largest difference of the shares of one bin, in `[0, 1]`.
pub fn largest_difference(baseline: &[u32], recent: &[u32]) -> Option<f64> {
    Some(
        shares(baseline, recent)?
            .map(|(p, q)| (p - q).abs())
            .fold(0.0, f64::max),
    )
}

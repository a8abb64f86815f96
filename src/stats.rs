//! Statistics: plain numbers in, plain numbers out, the standard library only.
//!
//! Nothing here knows of models, windows or time, and nothing panics on a number: callers keep
//! NaN and infinities out, because an answer about them would mean nothing.

pub mod chi_square;
pub mod classification;
pub mod divergence;
pub mod g;
pub mod gamma;
pub mod interval;
pub mod isotonic;
pub mod ks;
pub mod moments;
pub mod regression;
pub mod shiryaev_roberts;
pub mod wasserstein;

/// A count as a number; exact below 2^53, and a sample that size does not fit in memory.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53")]
pub(crate) const fn real(count: usize) -> f64 {
    count as f64
}

/// The shares of both histograms, bin by bin; `None`: one is empty, or they have not as many bins.
fn share<'a>(
    baseline: &'a [u32],
    recent: &'a [u32],
) -> Option<impl Iterator<Item = (f64, f64)> + 'a> {
    let total = |counts: &[u32]| counts.iter().map(|count| f64::from(*count)).sum::<f64>();
    let (n, m) = (total(baseline), total(recent));
    let both = baseline.iter().zip(recent);
    (baseline.len() == recent.len() && n > 0.0 && m > 0.0)
        .then(|| both.map(move |(a, b)| (f64::from(*a) / n, f64::from(*b) / m)))
}

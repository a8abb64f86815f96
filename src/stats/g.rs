//! The G statistic of a share: how far a recent one is from an earlier one, as evidence.

/// Twice the log-likelihood ratio of two binomial samples having one share against each its own, with
/// a continuity correction of 1/2 towards the common one.
///
/// * `k1` of `n1`: the recent sample; `k0` of `n0`: the earlier one. `k <= n`, `n > 0`; `k0` may be a
///   fraction.
///
/// 0 and more, about chi-square with one degree of freedom while nothing changed; 0 where the
/// correction crosses over. It carries the sampling error of both samples. No error.
///
/// Source: Wilks' theorem for the 2 x 2 table.
pub fn g(k1: f64, n1: f64, k0: f64, n0: f64) -> f64 {
    let p0 = k0 / n0;
    let expected = n1 * p0;
    let corrected = if k1 > expected {
        (k1 - 0.5).max(expected)
    } else {
        (k1 + 0.5).min(expected)
    };
    if corrected.total_cmp(&expected).is_eq() {
        return 0.0;
    }
    let pooled = (corrected + k0) / (n1 + n0);
    let recent = corrected / n1;
    2.0 * (term(corrected, recent, pooled)
        + term(n1 - corrected, 1.0 - recent, 1.0 - pooled)
        + term(k0, p0, pooled)
        + term(n0 - k0, 1.0 - p0, 1.0 - pooled))
}

/// `count * ln(share / pooled)`, where `0 ln 0` is 0.
fn term(count: f64, share: f64, pooled: f64) -> f64 {
    if count <= 0.0 {
        return 0.0;
    }
    count * (share / pooled).ln()
}

/// The score statistic of the same two shares without a correction: nearly [`g`], and without a
/// logarithm. 0 where all or nothing of both samples is counted.
pub fn score(k1: f64, n1: f64, k0: f64, n0: f64) -> f64 {
    let pooled = (k1 + k0) / (n1 + n0);
    let variance = pooled * (1.0 - pooled) * (1.0 / n1 + 1.0 / n0);
    if variance <= 0.0 {
        return 0.0;
    }
    let difference = k1 / n1 - k0 / n0;
    difference * difference / variance
}

//! `D+`, the distance to one side.

use std::f64::consts::TAU;

/// Probability of `D+ >= d` for a sample of `n` values: a sum of `n (1 - d)` positive terms
/// (Birnbaum and Tingey, Ann. Math. Stat. 22, 1951).
///
/// `0 < d < 1`. Term j is the binomial probability of j among n with the chance `c = d + j/n`,
/// divided by c, written with Stirling's formula and its error so that nothing large is subtracted.
pub(super) fn p_value(d: f64, n: f64) -> f64 {
    let (t, whole) = (n * d, stirling_error(n));
    let mut sum = (n * (-d).ln_1p()).exp() / d;
    let mut j = 1.0;
    while j < n - t {
        let rest = n - j;
        let exponent = j * (t / j).ln_1p() + rest * (-t / rest).ln_1p();
        let error = whole - stirling_error(j) - stirling_error(rest);
        sum += (exponent + error).exp() * (n / (TAU * j * rest)).sqrt() * n / (t + j);
        j += 1.0;
    }
    d * sum
}

/// `ln k! - ln(sqrt(2 pi k) (k/e)^k)` for a whole `k >= 1`, to 1e-15.
pub(super) fn stirling_error(k: f64) -> f64 {
    if k < 16.0 {
        let (mut factorial, mut i) = (1.0, 2.0);
        while i <= k {
            factorial *= i;
            i += 1.0;
        }
        return (factorial / (TAU * k).sqrt()).ln() - k * (k.ln() - 1.0);
    }
    let r = 1.0 / (k * k);
    (1.0 / 12.0 - r * (1.0 / 360.0 - r * (1.0 / 1260.0 - r * (1.0 / 1680.0 - r / 1188.0)))) / k
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_series_continues_the_factorials() {
        let (k, mut factorial) = (20.0_f64, 1.0);
        for i in 1..=20 {
            factorial *= f64::from(i);
        }
        let direct = (factorial / (TAU * k).sqrt()).ln() - k * (k.ln() - 1.0);
        assert!((stirling_error(k) - direct).abs() < 2e-14);
        assert!((stirling_error(15.0) - stirling_error(16.0) - 0.000_347).abs() < 1e-5);
    }

    #[test]
    fn two_values_agree_with_the_polynomial() {
        // n = 2: (1-d)^2 + 2 d (1/2 - d) while d < 1/2.
        for d in [0.1, 0.25, 0.4999] {
            let expected = (1.0 - d) * (1.0 - d) + 2.0 * d * (0.5 - d);
            assert!((p_value(d, 2.0) - expected).abs() < 1e-15, "{d}");
        }
    }
}

//! The distribution of `D` between one sample of n values and a known distribution.
//!
//! Nothing computes it well everywhere, so the domain is divided as Simard and L'Ecuyer do
//! (J. Stat. Softw. 39(11), 2011), with the borders that scipy's `kstwo` has: where samples are
//! large its answer is itself an approximation, and an answer that users can compare is worth
//! more than a few digits beyond its own.

mod durbin;
mod one_sided;
mod pelz_good;

/// Probability of `D >= d` for a sample of `n` values, a whole number of at least 1, else NaN.
///
/// In `[0, 1]`. `O(n)` below 0.05, `O(1)` above; for `n` up to 10,000 and a value near 1 `O(n (n d)^2)`
/// with `n d` below 30.
pub fn p_value(d: f64, n: f64) -> f64 {
    if d.is_nan() || n.is_nan() || n < 1.0 || n.fract() != 0.0 {
        return f64::NAN;
    }
    let (t, z2) = (n * d, n * d * d);
    let p = if t <= 0.5 {
        1.0
    } else if d >= 1.0 {
        0.0
    } else if t <= 1.0 {
        1.0 - smallest_distances(n, t)
    } else if t >= n - 1.0 {
        2.0 * (n * (-d).ln_1p()).exp()
    } else if d >= 0.5 {
        2.0 * one_sided::p_value(d, n)
    } else {
        interior(d, n, z2)
    };
    p.clamp(0.0, 1.0)
}

fn interior(d: f64, n: f64, z2: f64) -> f64 {
    let small = n <= 140.0;
    if z2 >= if small { 4.0 } else { 2.2 } {
        // Miller: leaving on both sides has become too rare to count.
        return if z2 < 370.0 {
            2.0 * one_sided::p_value(d, n)
        } else {
            0.0
        };
    }
    1.0 - if z2 < 0.03 {
        // exp(-pi^2 / 8 z^2) is below the precision of 1.
        0.0
    } else if small || (n <= MATRIX_LIMIT && n * d.powf(1.5) <= 1.4) {
        durbin::cdf(d, n)
    } else {
        pelz_good::cdf(z2.sqrt(), n)
    }
}

/// `1/(2n) < d <= 1/n`: every value must lie in an interval of its own.
fn smallest_distances(n: f64, t: f64) -> f64 {
    let mut p = 1.0;
    let mut i = n;
    while i >= 1.0 && p > 1e-30 {
        p *= i / n * (2.0 * t - 1.0);
        i -= 1.0;
    }
    p
}

/// Beyond it the matrix has more than 50 rows, and where it would be used 1 - p is below 1e-6.
const MATRIX_LIMIT: f64 = 10_000.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_sample_has_no_distribution() {
        for n in [0.0, -1.0, 1.5, f64::NAN, f64::INFINITY] {
            assert!(p_value(0.5, n).is_nan(), "{n}");
        }
        assert!(p_value(f64::NAN, 10.0).is_nan());
    }

    #[test]
    fn one_value_is_at_least_one_half_away_and_uniformly_so() {
        for d in [-1.0, 0.0, 0.3, 0.5, 0.6, 0.75, 0.99, 1.0, 7.0] {
            let expected: f64 = 2.0 * (1.0 - d);
            let p = p_value(d, 1.0);
            assert!((p - expected.clamp(0.0, 1.0)).abs() < 1e-15, "{d}: {p}");
        }
    }

    #[test]
    fn it_falls_with_distance_also_across_the_borders_of_the_methods() {
        for n in [2.0_f64, 3.0, 10.0, 140.0, 141.0, 1_000.0, 10_001.0] {
            let mut last = 1.0;
            for z in 1..180 {
                let p = p_value(f64::from(z) / 20.0 / n.sqrt(), n);
                assert!((0.0..=1.0).contains(&p), "{n} {z}: {p}");
                assert!(p <= last * (1.0 + 3e-5), "{n} {z}: {p} after {last}");
                last = p;
            }
        }
    }
}

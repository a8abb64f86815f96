//! The whole distribution of large samples, by an expansion in 1/sqrt(n).

use std::f64::consts::PI;

/// Probability of `D < z / sqrt(n)`: Kolmogorov's limit and three corrections, in the form that
/// converges for small `z` (Pelz and Good, J. R. Stat. Soc. B 38, 1976).
///
/// `0.1 < z < 2`; beyond that the terms cancel or do not converge in time. At n = 141 nearly five
/// digits, at n = 100,000 ten.
pub(super) fn cdf(z: f64, n: f64) -> f64 {
    let [k0, k1, k2, k3] = corrections(z);
    let root = n.sqrt();
    k0 + (k1 + (k2 + k3 / root) / root) / root
}

fn corrections(z: f64) -> [f64; 4] {
    let z2 = z * z;
    let (z4, z6, z8) = (z2 * z2, z2 * z2 * z2, z2 * z2 * z2 * z2);
    let mut odd = [0.0; 4];
    let mut all = [0.0; 2];
    for k in (1..=TERMS).rev() {
        let a = (PI * f64::from(2 * k - 1) / 2.0).powi(2);
        let weight = (-a / (2.0 * z2)).exp();
        odd[0] += weight;
        odd[1] += weight * (a - z2);
        odd[2] += weight * (6.0 * z6 + 2.0 * z4 + a * (2.0 * z4 - 5.0 * z2 + a * (1.0 - 2.0 * z2)));
        odd[3] += weight
            * (a * (135.0 * z4 - 96.0 * z6 + a * (212.0 * z4 - 60.0 * z2 + a * (5.0 - 30.0 * z2)))
                - 30.0 * z6
                - 90.0 * z8);
        let b = (PI * f64::from(k)).powi(2);
        let weight = (-b / (2.0 * z2)).exp();
        all[0] += weight * b;
        all[1] += weight * b * (3.0 * z2 - b);
    }
    let unit = (2.0 * PI).sqrt();
    [
        unit * odd[0] / z,
        unit * odd[1] / (6.0 * z4),
        unit * (odd[2] / (72.0 * z4 * z2 * z) - all[0] / (36.0 * z2 * z)),
        unit * (odd[3] / (6480.0 * z6 * z4) + all[1] / (216.0 * z6)),
    ]
}

/// At z = 2 the first term left out is below exp(-150).
const TERMS: i32 = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_is_kolmogorovs() {
        // 1 - 2 sum (-1)^(k-1) exp(-2 k^2 z^2), the form that converges for large z.
        for z in [0.5_f64, 1.0, 1.4, 1.9] {
            let tail: f64 = (1..20)
                .map(|k| f64::from(1 - 2 * (k % 2)) * (-2.0 * f64::from(k * k) * z * z).exp())
                .sum();
            assert!((cdf(z, 1e300) - (1.0 + 2.0 * tail)).abs() < 1e-13, "{z}");
        }
    }

    #[test]
    fn a_sample_of_141_is_known_to_nearly_five_digits() {
        for z in [0.6_f64, 0.8, 1.0, 1.4] {
            let exact = super::super::durbin::cdf(z / 141_f64.sqrt(), 141.0);
            let relative = cdf(z, 141.0) / exact - 1.0;
            assert!(relative.abs() < 2e-5, "{z}: {relative:e}");
        }
    }
}

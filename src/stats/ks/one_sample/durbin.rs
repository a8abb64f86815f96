//! The whole distribution, by Durbin's matrix: exact, for small samples.

use std::f64::consts::{E, TAU};

use super::one_sided::stirling_error;
use crate::stats::real;

/// Probability of `D < d` for a sample of `n` values, `1 < n d`.
///
/// The middle element of the n-th power of a matrix of `2 ceil(n d) - 1` rows, times n!/n^n
/// (Durbin 1973; Marsaglia, Tsang and Wang, J. Stat. Softw. 8(18), 2003). A vector is
/// multiplied n times rather than the matrix log n times: the powers of e/n, taken out
/// of it step by step, then keep every number within range. `O(n (n d)^2)`.
pub(super) fn cdf(d: f64, n: f64) -> f64 {
    let matrix = Matrix::new(n * d);
    let middle = matrix.size / 2;
    let (mut now, mut next) = (vec![0.0; matrix.size], vec![0.0; matrix.size]);
    now[middle] = 1.0;
    let mut left = n;
    while left > 0.0 {
        matrix.multiply(&now, &mut next);
        std::mem::swap(&mut now, &mut next);
        left -= 1.0;
    }
    // n! (e/n)^n
    now[middle] * (TAU * n).sqrt() * stirling_error(n).exp()
}

struct Matrix {
    size: usize,
    cells: Vec<f64>,
}

impl Matrix {
    /// `1 / (i - j + 1)!` below and one above the diagonal, corrected in the first column and the
    /// last row by `h`, the part of a step by which `t` = n d misses a whole number; all over e.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a whole number of at most about 30"
    )]
    fn new(t: f64) -> Self {
        let k = t.floor() + 1.0;
        let h = k - t;
        let size = 2 * k as usize - 1;
        let mut powers = vec![1.0; size + 1];
        let mut factorials = vec![1.0; size + 1];
        for i in 1..=size {
            powers[i] = powers[i - 1] * h;
            factorials[i] = factorials[i - 1] * real(i);
        }
        let mut cells = vec![0.0; size * size];
        for i in 0..size {
            for j in 0..=(i + 1).min(size - 1) {
                let mut cell = 1.0;
                if j == 0 {
                    cell -= powers[i + 1];
                }
                if i == size - 1 {
                    cell -= powers[size - j];
                }
                if j == 0 && i == size - 1 {
                    cell += (2.0 * h - 1.0).max(0.0).powf(real(size));
                }
                cells[i * size + j] = cell / factorials[i + 1 - j] / E;
            }
        }
        Self { size, cells }
    }

    fn multiply(&self, vector: &[f64], into: &mut [f64]) {
        for (i, sum) in into.iter_mut().enumerate() {
            let row = &self.cells[i * self.size..][..(i + 2).min(self.size)];
            *sum = row.iter().zip(vector).map(|(a, b)| a * b).sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_rational_arithmetic() {
        // Steck's determinant (Ann. Math. Stat. 42, 1971) in fractions.
        for (d, n, exact) in [
            (0.274, 10.0, 0.628_479_615_456_504_3),
            (0.1, 60.0, 0.447_803_874_071_071_3),
            (0.15, 60.0, 0.878_894_650_494_103_1),
            (0.25, 60.0, 0.999_137_335_819_775_3),
        ] {
            let relative = cdf(d, n) / exact - 1.0;
            assert!(relative.abs() < 1e-13, "{d} {n}: {relative:e}");
        }
    }

    #[test]
    fn a_distance_that_hits_the_grid_is_no_special_case() {
        let at = cdf(0.25, 16.0);
        assert!((cdf(0.25 + 1e-12, 16.0) - at).abs() < 1e-10);
        assert!((cdf(0.25 - 1e-12, 16.0) - at).abs() < 1e-10);
    }
}

//! The exact distribution of `D` between two samples of given sizes without ties.
//!
//! Under the null hypothesis every order in which the pooled values can belong to the two samples
//! is equally likely: a lattice path from (0, 0) to (n, m). `D` reaches `d` when the path leaves
//! the band |i/n - j/m| < d. What is added up is always the probability to have left it, never one
//! minus something, so that a p-value of 1e-200 is as precise as one of 0.5.

use crate::stats::real;

/// Largest sample for which the exact p-value is worth its time, as in scipy.
pub const EXACT_LIMIT: usize = 10_000;

/// Probability of `D >= steps / lcm(n, m)` between samples of `n` and `m` values.
///
/// `None`: a sample is empty or has more than [`EXACT_LIMIT`] values. In `[0, 1]`; below about
/// 1e-308 it becomes 0. `O(n)` for equal sizes (Gnedenko and Korolyuk, Dokl. Akad. Nauk SSSR 80, 1951),
/// otherwise about half of the lattice points in the band (Hodges, Ark. Mat. 3, 1958).
pub fn p_value(n: usize, m: usize, steps: u64) -> Option<f64> {
    let (few, many) = (n.min(m), n.max(m));
    if few == 0 || many > EXACT_LIMIT {
        return None;
    }
    let band = Band::new(few, many, steps);
    Some(if steps == 0 {
        1.0
    } else if steps > band.lattice() {
        0.0
    } else if few == many {
        equal_sizes(few, usize::try_from(steps).ok()?)
    } else if band.leaving_underflows() {
        0.0
    } else {
        band.leaving().min(1.0)
    })
}

/// The reflection principle: twice an alternating sum of ratios of binomial coefficients, nested
/// so that every factor lies in `[0, 1]`.
fn equal_sizes(n: usize, steps: usize) -> f64 {
    let mut p = 0.0;
    for k in (1..=n / steps).rev() {
        let (below, above) = (n - k * steps, n + (k - 1) * steps);
        let ratio: f64 = (1..=steps)
            .map(|j| real(below + j) / real(above + j))
            .product();
        p = ratio * (1.0 - p);
    }
    (2.0 * p).min(1.0)
}

/// Where a path may be: after s values, i of them from the smaller sample.
struct Band {
    few: usize,
    many: usize,
    /// What one value of the smaller sample adds to the distance, in steps.
    up: u64,
    /// What one of the larger takes away.
    down: u64,
    /// The distance that counts as left.
    steps: u64,
}

/// A probability of one. Everything is scaled by it, so that [`FLOOR`] stays far below any p-value.
const CERTAIN: f64 = f64::from_bits((1023 + 500) << 52);
/// Stands for a probability of zero (1e-440 after scaling): the processor takes a hundred times
/// longer for the subnormal numbers that would otherwise fill the middle of the band, and averages
/// of numbers above it stay above it.
const FLOOR: f64 = 1e-290;

impl Band {
    fn new(few: usize, many: usize, steps: u64) -> Self {
        let common = gcd(few, many);
        Self {
            few,
            many,
            up: (many / common) as u64,
            down: (few / common) as u64,
            steps,
        }
    }

    fn lattice(&self) -> u64 {
        self.up * self.few as u64
    }

    /// Hoeffding's bound for draws without replacement (JASA 58, 1963), summed over all points and
    /// both sides, is below the smallest number there is.
    #[expect(clippy::cast_precision_loss, reason = "at most 10^8")]
    fn leaving_underflows(&self) -> bool {
        let d = self.steps as f64 / self.lattice() as f64;
        let (n, m) = (real(self.few), real(self.many));
        let exponent = 2.0 * n * (d * m / (n + m)).powi(2);
        exponent - (2.0 * (n + m)).ln() > 746.0
    }

    /// The last values of i that are at or below the band and inside it, after `s` values.
    fn edges(&self, s: usize) -> (Edge, Edge) {
        let (middle, width) = (s as u64 * self.down, self.up + self.down);
        let steps = self.steps;
        // Shifted by `steps` widths to stay positive below the origin.
        let at = |position: u64, shift: u64| Edge {
            at: position / width,
            rest: position % width,
            shift,
            stride: self.down,
            width,
        };
        (
            at(middle + steps * width - steps, steps),
            at(middle + steps - 1, 0),
        )
    }

    /// Probability that a path from end to end leaves the band.
    ///
    /// A path turned around is a path, and the band turned around is the band: what can happen
    /// after the middle is what could happen before it, so half of the lattice is enough.
    fn leaving(&self) -> f64 {
        let middle = self.few.midpoint(self.many);
        let (before, after) = self.left_by(middle);
        let passing = self.passing(middle);
        let mut left = 0.0;
        for (i, share) in passing.iter().enumerate() {
            let (first, second) = (before[i], after[self.few - i]);
            left += share * (first + (1.0 - first / CERTAIN) * second);
        }
        left / passing.iter().sum::<f64>() / CERTAIN
    }

    /// For i = 0..=few after `middle` values, and after as many as follow it: the probability
    /// that a path to there has left the band, times [`CERTAIN`].
    fn left_by(&self, middle: usize) -> (Vec<f64>, Vec<f64>) {
        let last = self.few + self.many - middle;
        let start = usize::try_from(self.steps.div_ceil(self.up)).unwrap_or(last);
        let (mut below, mut inside) = self.edges(start);
        let counts: Vec<f64> = (0..=self.few).map(real).collect();
        let (mut row, mut next) = (vec![FLOOR; self.few + 3], vec![FLOOR; self.few + 3]);
        let mut at_middle = Vec::new();
        for s in start..=last {
            // Cell i stands at index i + 1; both neighbours of the band are outside it.
            let (lo, hi) = (below.clamped(self.few), inside.clamped(self.few));
            advance(&row[lo..], &mut next[lo + 1..], &counts[lo..hi], real(s));
            next[lo] = CERTAIN;
            next[hi + 1] = CERTAIN;
            std::mem::swap(&mut row, &mut next);
            if s == middle {
                at_middle = self.whole(&row, lo, hi);
            }
            if s == last {
                let at_last = self.whole(&row, lo, hi);
                return (at_middle, at_last);
            }
            below.step();
            inside.step();
        }
        (at_middle, Vec::new())
    }

    /// The row for every i, certain outside of lo..hi.
    fn whole(&self, row: &[f64], lo: usize, hi: usize) -> Vec<f64> {
        let mut all = vec![CERTAIN; self.few + 1];
        all[lo..hi].copy_from_slice(&row[lo + 1..=hi]);
        all
    }

    /// How many paths pass i = 0..=few after `middle` values, up to a common factor.
    fn passing(&self, middle: usize) -> Vec<f64> {
        const LARGEST: f64 = f64::from_bits((1023 + 400) << 52);
        let (n, rest) = (self.few, self.many - middle);
        // Share of i + 1 over the share of i.
        let ratio = |i: usize| real(middle - i) * real(n - i) / (real(i + 1) * real(rest + i + 1));
        let mode = middle * n / (n + self.many);
        let mut shares = vec![LARGEST; n + 1];
        for i in mode..n {
            shares[i + 1] = shares[i] * ratio(i);
        }
        for i in (0..mode).rev() {
            shares[i] = shares[i + 1] / ratio(i);
        }
        shares
    }
}

/// One value more: the path to cell i came from i - 1 in i of s cases, else from i.
///
/// `row` begins at the cell before the first of `next`; `counts` are the cells' i.
fn advance(row: &[f64], next: &mut [f64], counts: &[f64], s: f64) {
    let each = 1.0 / s;
    let cells = next.iter_mut().zip(row).zip(&row[1..]).zip(counts);
    for (((cell, before), here), count) in cells {
        let share = count * each;
        *cell = share * before + (1.0 - share) * here;
    }
}

/// floor(position / width), followed as the position moves by `stride` < `width`.
struct Edge {
    at: u64,
    rest: u64,
    shift: u64,
    stride: u64,
    width: u64,
}

impl Edge {
    fn step(&mut self) {
        self.rest += self.stride;
        if self.rest >= self.width {
            self.rest -= self.width;
            self.at += 1;
        }
    }

    /// The cell after the edge, within 0..=few + 1.
    fn clamped(&self, few: usize) -> usize {
        let after = (self.at + 1).saturating_sub(self.shift);
        usize::try_from(after).unwrap_or(usize::MAX).min(few + 1)
    }
}

const fn gcd(mut a: usize, mut b: usize) -> usize {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By counting paths in integers; exact while there are fewer than 2^128.
    #[expect(clippy::cast_precision_loss, reason = "rounded once")]
    fn counted(n: usize, m: usize, steps: u64) -> f64 {
        let common = gcd(n, m);
        let (up, down) = (m / common, n / common);
        let count = |inside: &dyn Fn(usize, usize) -> bool| {
            let mut row = vec![0_u128; m + 1];
            for i in 0..=n {
                for j in 0..=m {
                    let left = if j == 0 { 0 } else { row[j - 1] };
                    let below = if i == 0 { u128::from(j == 0) } else { row[j] };
                    row[j] = if inside(i, j) { below + left } else { 0 };
                }
            }
            row[m]
        };
        let stay = count(&|i, j| ((i * up).abs_diff(j * down) as u64) < steps);
        let all = count(&|_, _| true);
        (all - stay) as f64 / all as f64
    }

    #[test]
    fn every_p_value_of_small_samples_is_the_share_of_paths() {
        let mut compared = 0;
        for (n, m) in (1..=14).flat_map(|n| (1..=24).map(move |m| (n, m))) {
            let lattice = (n / gcd(n, m) * m) as u64;
            for steps in 0..=lattice + 1 {
                let (p, expected) = (p_value(n, m, steps).unwrap(), counted(n, m, steps));
                let error = (p - expected).abs();
                assert!(
                    error <= 1e-14 * expected,
                    "{n} {m} {steps}: {p:e} {expected:e}"
                );
                compared += 1;
            }
        }
        assert!(compared > 20_000, "{compared}");
    }

    #[test]
    fn p_values_far_out_are_as_precise() {
        // By the same count in Python's integers.
        for (n, m, steps, expected) in [
            (300, 700, 1_400, 1.661_709_093_104_922_3e-89),
            (300, 700, 2_000, 1.754_183_719_937_278_8e-217),
            (499, 503, 200_000, 1.313_614_888_690_020_6e-159),
            (250, 800, 3_500, 1.528_807_016_281_054_5e-156),
        ] {
            let p = p_value(n, m, steps).unwrap();
            assert!((p / expected - 1.0).abs() < 1e-12, "{n} {m} {steps}: {p:e}");
        }
    }

    #[test]
    fn what_is_called_zero_without_counting_is_zero() {
        for (few, many) in [(3_000, 3_001), (2_000, 2_500), (1_000, 9_000)] {
            let lattice = Band::new(few, many, 0).lattice();
            let band = |steps| Band::new(few, many, steps);
            let mut thousandths = (1..=1_000).map(|i| i * lattice / 1_000);
            let first = thousandths.find(|steps| band(*steps).leaving_underflows());
            assert!(band(first.unwrap()).leaving() < 1e-307, "{few} {many}");
        }
    }

    #[test]
    fn samples_too_large_or_empty_have_no_exact_p_value() {
        assert_eq!(p_value(0, 5, 1), None);
        assert_eq!(p_value(5, EXACT_LIMIT + 1, 1), None);
        assert!(p_value(5, EXACT_LIMIT, u64::MAX).is_some());
    }
}

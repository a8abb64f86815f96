//! How far values have moved: the earth mover's distance.

use super::real;

/// Wasserstein-1 distance of two samples, in the unit of their values; `None`: one is empty.
///
/// Both sorted ascending and finite; others give a number that means nothing, never a panic.
/// `O(n + m)`. Source: for one dimension, the area between both distribution functions.
pub fn distance(baseline_sorted: &[f64], recent_sorted: &[f64]) -> Option<f64> {
    let sides = [baseline_sorted, recent_sorted];
    let mut at = baseline_sorted.first()?.min(*recent_sorted.first()?);
    // how many values of each side are at or below `at`
    let mut passed = [0, 0];
    let mut area = 0.0;
    loop {
        let next = match [0, 1].map(|side| sides[side].get(passed[side])) {
            [Some(baseline), Some(recent)] => baseline.min(*recent),
            [Some(value), None] | [None, Some(value)] => *value,
            [None, None] => return Some(area),
        };
        let [below, recent_below] = [0, 1].map(|side| real(passed[side]) / real(sides[side].len()));
        area += (next - at) * (below - recent_below).abs();
        at = next;
        let before = passed;
        for side in [0, 1] {
            let rest = &sides[side][passed[side]..];
            passed[side] += rest.iter().take_while(|value| **value <= next).count();
        }
        if passed == before {
            // a value that is no number is at or below nothing
            return Some(area);
        }
    }
}

/// The same of two histograms over the same bins, over the interquartile range of the baseline; `None`: it
/// has no range, or a side is empty.
///
/// `edges` ascending; of every side the counts at or below each edge, and `baseline_total`,
/// `recent_total` values. Between two edges values are taken to be spread evenly, beyond the outer ones
/// to lie on them.
pub fn of_bins(edges: &[f64], baseline: (&[u32], u32), recent: (&[u32], u32)) -> Option<f64> {
    let share = |(below, total): (&[u32], u32), edge: usize| {
        f64::from(below.get(edge).copied().unwrap_or(0)) / f64::from(total)
    };
    if baseline.1 == 0 || recent.1 == 0 {
        return None;
    }
    let quartile = |wanted: f64| {
        let reached = (0..edges.len()).find(|edge| share(baseline, *edge) >= wanted);
        reached.map(|edge| edges[edge])
    };
    let range = quartile(0.75)? - quartile(0.25)?;
    let gap = |edge| share(baseline, edge) - share(recent, edge);
    let area = |edge: usize| {
        let (left, right) = (gap(edge), gap(edge + 1));
        let width = edges[edge + 1] - edges[edge];
        if left * right >= 0.0 {
            width * f64::midpoint(left.abs(), right.abs())
        } else {
            // they cross
            width * (left * left + right * right) / (2.0 * (left.abs() + right.abs()))
        }
    };
    let moved: f64 = (0..edges.len().saturating_sub(1)).map(area).sum();
    (range > 0.0).then(|| moved / range)
}

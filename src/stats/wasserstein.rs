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

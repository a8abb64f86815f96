//! How far values have moved: the earth mover's distance.

use super::real;

/// Wasserstein-1 distance of two samples, in the unit of their values; `None`: one is empty.
///
/// Both sorted ascending and finite; others give a number that means nothing, never a panic.
/// `O(n + m)`. Source: for one dimension, the area between both distribution functions.
pub fn distance(baseline_sorted: &[f64], recent_sorted: &[f64]) -> Option<f64> {
    let (n, m) = (baseline_sorted.len(), recent_sorted.len());
    let mut at = baseline_sorted.first()?.min(*recent_sorted.first()?);
    let (mut i, mut j) = (0, 0);
    let mut area = 0.0;
    loop {
        let next = match (baseline_sorted.get(i), recent_sorted.get(j)) {
            (Some(a), Some(b)) => a.min(*b),
            (Some(value), None) | (None, Some(value)) => *value,
            (None, None) => return Some(area),
        };
        area += (next - at) * (real(i) / real(n) - real(j) / real(m)).abs();
        at = next;
        let past = |values: &[f64], from: usize| {
            let rest = values.get(from..).unwrap_or_default();
            from + rest.iter().take_while(|value| **value <= next).count()
        };
        let (before_i, before_j) = (i, j);
        (i, j) = (past(baseline_sorted, i), past(recent_sorted, j));
        if (i, j) == (before_i, before_j) {
            // a value that is no number is at or below nothing
            return Some(area);
        }
    }
}

//! How sure a share is that was counted.

use super::real;

/// The standard normal quantile of a two-sided interval of 95 %.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// Wilson's interval of a share of which `hits` of `n` were counted, as `(low, high)` in `[0, 1]`; `None`:
/// `n` is 0. `hits` at most `n`; `z`: the normal quantile, as [`Z_95`].
///
/// Unlike the share plus and minus its standard error, it has a width where all or none are hits.
/// Source: Wilson, J. Am. Stat. Assoc. 22 (1927).
pub fn wilson(hits: usize, n: usize, z: f64) -> Option<(f64, f64)> {
    if n == 0 {
        return None;
    }
    let (n, share) = (real(n), real(hits) / real(n));
    let z2 = z * z;
    let centre = share + z2 / (2.0 * n);
    let half = z * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    Some((
        ((centre - half) / scale).max(0.0),
        ((centre + half) / scale).min(1.0),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nothing_nothing_is_known() {
        assert_eq!(wilson(0, 0, Z_95), None);
    }

    #[test]
    fn all_or_none_still_have_a_width() {
        let (low, high) = wilson(10, 10, Z_95).unwrap();
        // n / (n + z²), as the formula is where every one is a hit
        assert!((low - 10.0 / (10.0 + Z_95 * Z_95)).abs() < 1e-15);
        assert!((high - 1.0).abs() < 1e-15);
        let (none, least) = wilson(0, 10, Z_95).unwrap();
        assert!(none.abs() < 1e-15 && (least - (1.0 - low)).abs() < 1e-15);
    }

    #[test]
    fn its_ends_are_those_at_which_the_share_is_z_deviations_away() {
        for (hits, n) in [(1, 7), (450, 500), (2_500, 5_000)] {
            let (low, high) = wilson(hits, n, Z_95).unwrap();
            for end in [low, high] {
                let deviation = (end * (1.0 - end) / real(n)).sqrt();
                let away = (real(hits) / real(n) - end).abs() / deviation;
                assert!((away - Z_95).abs() < 1e-9, "{hits} of {n}: {away}");
            }
        }
    }
}

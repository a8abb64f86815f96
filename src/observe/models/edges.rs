//! Edges for a histogram of numbers of which the range is known.

/// Steps that such a range has, about.
const STEPS: f64 = 10.0;
/// Most edges: each end may add one, and so may rounding.
const MOST: usize = 13;

/// Round numbers in even steps over a range, as a list in YAML without its brackets. One that is too
/// wide or too narrow for steps has its lower end alone.
pub(super) fn of((least, most): (f64, f64)) -> String {
    let edges = stepped(least, most).unwrap_or_else(|| vec![least]);
    let texts: Vec<_> = edges.iter().map(|edge| format!("{edge:?}")).collect();
    texts.join(", ")
}

/// `None`: no step leads from one end to the other.
fn stepped(least: f64, most: f64) -> Option<Vec<f64>> {
    let wanted = (most - least) / STEPS;
    let power = wanted.log10().floor();
    if !power.is_finite() || power.abs() > 200.0 {
        return None;
    }
    let mantissas = [1.0, 2.0, 5.0, 10.0];
    let is_enough = |mantissa: &&f64| **mantissa >= wanted / 10_f64.powf(power) * (1.0 - 1e-9);
    let mantissa = mantissas.iter().find(is_enough)?;
    // dividing by a power of ten gives the number that is written with these digits
    let scaled = |place: f64| {
        let digits = place * mantissa;
        if power < 0.0 {
            digits / 10_f64.powf(-power)
        } else {
            digits * 10_f64.powf(power)
        }
    };
    let step = scaled(1.0);
    let mut place = (least / step).floor();
    let end = (most / step).ceil();
    let mut edges = Vec::new();
    while place <= end && edges.len() < MOST {
        edges.push(scaled(place));
        place += 1.0;
    }
    edges.is_sorted_by(|a, b| a < b).then_some(edges)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_has_round_edges_that_rise() {
        for (range, expected) in [
            (
                (203.0, 1190.5),
                "200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0, 900.0, 1000.0, 1100.0, 1200.0",
            ),
            ((0.1, 0.35), "0.1, 0.15, 0.2, 0.25, 0.3, 0.35"),
            ((7.0, 7.0), "7.0"),
            ((-1e300, 1e300), "-1e300"),
            ((1e16, 1e16 + 2.0), "1e16"),
        ] {
            assert_eq!(of(range), expected);
        }
    }
}

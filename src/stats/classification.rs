//! Scores of a classifier: of a class by counts, of probabilities by what was true.

use super::{moments::sum, real};

/// Bins of [`calibration_error`].
pub const BINS: usize = 15;
/// How far from 1 the sum of probabilities may be: those on a wire are rounded.
pub const SUM_TOLERANCE: f64 = 0.01;
/// How far out of `[0, 1]` a probability may be, by rounding.
const ROUNDING: f64 = 1e-6;

/// What was counted of one class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Predicted and true.
    pub hits: usize,
    /// Predicted.
    pub predicted: usize,
    /// True: the class's support.
    pub support: usize,
}

impl Counts {
    /// Share of what was predicted to be of the class that is; `None`: nothing was predicted to be.
    pub fn precision(self) -> Option<f64> {
        share(self.hits, self.predicted)
    }

    /// Share of what is of the class that was predicted to be; `None`: nothing is.
    pub fn recall(self) -> Option<f64> {
        share(self.hits, self.support)
    }

    /// Harmonic mean of both, `2 hits / (predicted + support)`: 0 where one of both is undefined; `None`:
    /// both are.
    pub fn f1(self) -> Option<f64> {
        share(2 * self.hits, self.predicted + self.support)
    }
}

/// `part` of `whole`; `None`: the whole is 0.
fn share(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| real(part) / real(whole))
}

/// Whether `values` are the probabilities of all classes: two or more, each in `[0, 1]` and all together 1,
/// but for rounding ([`SUM_TOLERANCE`]). They are used as they are, not brought to a sum of 1.
pub fn is_distribution(values: &[f64]) -> bool {
    values.len() >= 2
        && values
            .iter()
            .all(|value| (-ROUNDING..=1.0 + ROUNDING).contains(value))
        && (values.iter().sum::<f64>() - 1.0).abs() <= SUM_TOLERANCE
}

/// Logarithmic loss of one item, in nats: `-ln p`, `p` the probability that was given to what was true.
///
/// `p` is kept in `[eps, 1 - eps]`, `eps` that of a 64-bit number, as scikit-learn does: 0 costs 36.04 nats.
pub fn log_loss(p: f64) -> f64 {
    -p.clamp(f64::EPSILON, 1.0 - f64::EPSILON).ln()
}

/// Sum of the squared distances of all probabilities of an item from what was true, in `[0, 2]`. `truth`:
/// the place of the true class; `None`: none of them.
///
/// Brier's score is their mean; of two classes half of it. Source: Brier, Mon. Weather Rev. 78 (1950).
pub fn squared_distance(probabilities: &[f64], truth: Option<usize>) -> f64 {
    let target = |place| f64::from(u8::from(Some(place) == truth));
    let terms = probabilities.iter().zip(0..);
    let distance: f64 = terms.map(|(p, place)| (p - target(place)).powi(2)).sum();
    // without the class that was true, its own distance is missing
    distance + f64::from(u8::from(truth.is_none()))
}

/// What fell into one bin of confidence.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bin {
    /// How many.
    pub count: usize,
    /// How many were right.
    pub right: usize,
    /// Mean confidence; 0 where there are none.
    pub confidence: f64,
}

/// Confidences in [`BINS`] bins of the same width: bin `i` holds `(i/15, (i+1)/15]`, the first also 0.
/// Confidences in `[0, 1]`, each with whether its prediction was right.
pub fn bins(items: impl Iterator<Item = (f64, bool)>) -> [Bin; BINS] {
    let mut bins = [Bin::default(); BINS];
    for (confidence, right) in items {
        let bin = &mut bins[bin_of(confidence)];
        bin.count += 1;
        bin.right += usize::from(right);
        bin.confidence += confidence;
    }
    for bin in bins.iter_mut().filter(|bin| bin.count > 0) {
        bin.confidence /= real(bin.count);
    }
    bins
}

/// Where each bin ends but the last. Compared with these, not found by a product with 15: rounding would
/// move what lies on them.
const EDGES: [f64; BINS - 1] = {
    let mut edges = [0.0; BINS - 1];
    let mut bin = 0;
    while bin < edges.len() {
        edges[bin] = real(bin + 1) / real(BINS);
        bin += 1;
    }
    edges
};

fn bin_of(confidence: f64) -> usize {
    EDGES.partition_point(|edge| *edge < confidence)
}

/// Expected calibration error: how far confidence and share of right ones are apart, bin by bin, weighted by
/// how many are in each, in `[0, 1]`; `None`: there are none.
///
/// `sum over bins of count/n * |right/count - mean confidence|`.
/// Source: Naeini, Cooper, Hauskrecht, AAAI (2015); 15 bins as in Guo et al., ICML (2017).
pub fn calibration_error(bins: &[Bin]) -> Option<f64> {
    let n: usize = bins.iter().map(|bin| bin.count).sum();
    let gap = |bin: &Bin| (real(bin.right) - real(bin.count) * bin.confidence).abs();
    (n > 0).then(|| sum(bins.iter().map(gap)) / real(n))
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these results are exact")]
mod tests {
    use super::*;

    #[test]
    fn what_was_divided_by_nothing_is_undefined_and_not_0() {
        let never_predicted = Counts {
            support: 3,
            ..Counts::default()
        };
        assert_eq!(never_predicted.precision(), None);
        assert_eq!(never_predicted.recall(), Some(0.0));
        assert_eq!(never_predicted.f1(), Some(0.0));
        assert_eq!(Counts::default().f1(), None);
    }

    #[test]
    fn probabilities_of_all_classes_are_told_from_other_numbers() {
        assert!(is_distribution(&[0.3333, 0.3333, 0.3333]));
        assert!(is_distribution(&[1.0, 0.0]));
        for other in [
            &[][..],
            &[1.0],
            &[0.5, 0.2],
            &[2.0, -1.0],
            &[f64::NAN, 1.0],
            &[3.1, -2.0, 0.4],
        ] {
            assert!(!is_distribution(other), "{other:?}");
        }
    }

    #[test]
    fn a_probability_of_0_or_1_costs_a_finite_loss() {
        assert!((log_loss(0.0) - 36.043_653_389_117_15).abs() < 1e-12);
        assert!(log_loss(1.0) > 0.0 && log_loss(1.0) < 1e-15);
        assert!((log_loss(0.5) - std::f64::consts::LN_2).abs() < 1e-15);
    }

    #[test]
    fn a_truth_that_no_probability_is_of_counts_as_one_of_0() {
        let given = squared_distance(&[0.25, 0.75, 0.0], Some(2));
        assert_eq!(squared_distance(&[0.25, 0.75], None), given);
        assert_eq!(squared_distance(&[0.0, 1.0], Some(0)), 2.0);
        assert_eq!(squared_distance(&[0.0, 1.0], Some(1)), 0.0);
    }

    #[test]
    fn an_edge_belongs_to_the_bin_below_it() {
        assert_eq!(bin_of(0.0), 0);
        for edge in 1..=BINS {
            let at = real(edge) / real(BINS);
            assert_eq!(bin_of(at), edge - 1, "{at}");
            assert_eq!(bin_of(at.next_up()), edge.min(BINS - 1), "{at}");
        }
    }

    #[test]
    fn as_often_right_as_it_was_sure_is_no_error() {
        let items = [(0.75, true), (0.75, true), (0.75, true), (0.75, false)];
        assert_eq!(calibration_error(&bins(items.into_iter())), Some(0.0));
        let all_wrong = [(0.75, false), (0.25, false)];
        assert_eq!(calibration_error(&bins(all_wrong.into_iter())), Some(0.5));
        assert_eq!(calibration_error(&bins(std::iter::empty())), None);
    }
}

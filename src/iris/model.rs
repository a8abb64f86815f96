//! Softmax regression over four lengths.

use super::coefficients::{INTERCEPTS, WEIGHTS};

/// Changes whenever the coefficients do.
pub const VERSION: &str = "1.0.0";
/// What is told apart.
pub const CLASSES: [&str; 3] = ["setosa", "versicolor", "virginica"];
/// By what; all in cm.
pub const FEATURES: [&str; 4] = ["sepal_length", "sepal_width", "petal_length", "petal_width"];

/// Beyond any flower; keeps sums of products finite.
const LARGEST: f64 = 1e300;

/// What the model says of one flower.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// The most probable class, an index into [`CLASSES`]; the first of equals.
    pub class: usize,
    /// Per class, in `[0, 1]`; the sum is 1 up to rounding.
    pub probabilities: [f64; 3],
}

impl Prediction {
    /// The name of the most probable class.
    pub fn name(&self) -> &'static str {
        CLASSES[self.class]
    }

    /// The probability of the most probable class, from 1/3 to 1.
    pub fn confidence(&self) -> f64 {
        self.probabilities[self.class]
    }
}

/// Predicts one flower; `features` in the order of [`FEATURES`], finite, cm.
pub fn predict(features: &[f64; 4]) -> Prediction {
    let logits: [f64; 3] = std::array::from_fn(|class| {
        let products = WEIGHTS[class].iter().zip(features);
        products.fold(INTERCEPTS[class], |sum, (weight, feature)| {
            sum + weight * feature.clamp(-LARGEST, LARGEST)
        })
    });
    let probabilities = softmax(logits);
    let class = (1..3).fold(0, |best, class| {
        if probabilities[class] > probabilities[best] {
            class
        } else {
            best
        }
    });
    Prediction {
        class,
        probabilities,
    }
}

/// Exponentials over their sum; the largest is taken off first so that none overflows.
fn softmax(logits: [f64; 3]) -> [f64; 3] {
    let largest = logits.into_iter().fold(f64::NEG_INFINITY, f64::max);
    let powers = logits.map(|logit| (logit - largest).exp());
    let sum: f64 = powers.iter().sum();
    powers.map(|power| power / sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iris::data;

    #[test]
    fn it_is_right_about_at_least_95_of_100_flowers_it_was_trained_on() {
        let right = data::rows()
            .iter()
            .filter(|row| predict(&row.features).class == row.class)
            .count();
        assert!(right >= 143, "{right} of 150");
    }

    #[test]
    fn probabilities_are_probabilities_and_confidence_is_the_largest() {
        let absurd = [
            [0.0; 4],
            [1e300; 4],
            [f64::MAX, f64::MIN, f64::MAX, f64::MIN],
            [-1e9, 5.0, 1e9, f64::MIN_POSITIVE],
        ];
        let flowers = data::rows().iter().map(|row| row.features);
        for features in flowers.chain(absurd) {
            let prediction = predict(&features);
            let sum: f64 = prediction.probabilities.iter().sum();
            assert!((sum - 1.0).abs() < 1e-12, "{features:?} {sum}");
            for probability in prediction.probabilities {
                assert!((0.0..=1.0).contains(&probability), "{features:?}");
                assert!(probability <= prediction.confidence(), "{features:?}");
            }
        }
    }

    #[test]
    fn it_agrees_with_another_library_trained_the_same_way() {
        // scikit-learn 1.9.1, LogisticRegression(C=1, tol=1e-10) on the same 150 rows
        let told = [
            ([5.1, 3.5, 1.4, 0.2], 0, 0.981_583_516_614_592_2),
            ([7.0, 3.2, 4.7, 1.4], 1, 0.873_956_584_523_646),
            ([6.3, 3.3, 6.0, 2.5], 2, 0.996_086_345_607_126_4),
        ];
        for (features, class, confidence) in told {
            let prediction = predict(&features);
            assert_eq!(prediction.class, class);
            assert!(
                (prediction.confidence() - confidence).abs() < 1e-3,
                "{prediction:?}"
            );
        }
    }

    #[test]
    fn softmax_gives_the_textbook_values() {
        let close = |a: [f64; 3], b: [f64; 3]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12);
        assert!(close(softmax([7.0; 3]), [1.0 / 3.0; 3]));
        let [one, two, three] = [1f64.exp(), 2f64.exp(), 3f64.exp()];
        let sum = one + two + three;
        assert!(close(
            softmax([1.0, 2.0, 3.0]),
            [one / sum, two / sum, three / sum]
        ));
        assert!(close(
            softmax([1001.0, 1002.0, 1003.0]),
            softmax([1.0, 2.0, 3.0])
        ));
    }
}

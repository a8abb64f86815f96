//! One prediction with its truth.

use crate::stats::classification;

/// A prediction of which the truth is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Labelled<'a> {
    /// Of a classifier.
    Class(LabelledClass<'a>),
    /// Of a regression.
    Value(LabelledValue),
}

/// A predicted class and the true one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelledClass<'a> {
    /// What was predicted.
    pub predicted: &'a str,
    /// What is so.
    pub truth: &'a str,
    /// Probability that was given to the predicted class; one outside `[0, 1]` is none.
    pub confidence: Option<f64>,
    /// Those of all classes, where they are known.
    pub probabilities: Option<Probabilities<'a>>,
}

/// Probabilities of all classes. What does not add up to 1 is none: see
/// [`is_distribution`](classification::is_distribution).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Probabilities<'a> {
    /// One for each class.
    pub values: &'a [f64],
    /// The place of the true class; `None`: the model knows no such class, so it gave it 0.
    pub truth: Option<usize>,
}

/// A predicted number and the true one, finite both.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelledValue {
    /// What was predicted.
    pub predicted: f64,
    /// What is so.
    pub truth: f64,
}

/// What the probabilities of one item scored: all that is kept of them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scored {
    /// In nats.
    pub(super) log_loss: f64,
    /// Sum of squared distances, in `[0, 2]`.
    pub(super) squared: f64,
    /// How many classes there were.
    pub(super) classes: u16,
}

impl LabelledClass<'_> {
    /// Whether the prediction was right.
    pub fn is_right(&self) -> bool {
        self.predicted == self.truth
    }

    /// The confidence, or else the largest probability.
    pub fn confidence(&self) -> Option<f64> {
        let given = self.confidence.filter(|c| (0.0..=1.0).contains(c));
        given.or_else(|| {
            let values = self.distribution()?.values.iter();
            values.copied().reduce(f64::max).map(|top| top.min(1.0))
        })
    }

    /// What its probabilities scored; `None`: they are not known or are none.
    pub(super) fn scored(&self) -> Option<Scored> {
        let Probabilities { values, truth } = self.distribution()?;
        let truth = truth.filter(|place| *place < values.len());
        Some(Scored {
            log_loss: classification::log_loss(truth.map_or(0.0, |place| values[place])),
            squared: classification::squared_distance(values, truth),
            classes: u16::try_from(values.len()).unwrap_or(u16::MAX),
        })
    }

    fn distribution(&self) -> Option<Probabilities<'_>> {
        let probabilities = self.probabilities.as_ref();
        probabilities
            .filter(|p| classification::is_distribution(p.values))
            .copied()
    }
}

impl LabelledValue {
    /// How far off the prediction was, 0 or more; `None`: one of both is no number.
    pub fn off(&self) -> Option<f64> {
        let off = (self.predicted - self.truth).abs();
        off.is_finite().then_some(off)
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these results are exact")]
mod tests {
    use super::*;

    fn of(confidence: Option<f64>, values: &[f64]) -> LabelledClass<'_> {
        LabelledClass {
            predicted: "cat",
            truth: "dog",
            confidence,
            probabilities: Some(Probabilities {
                values,
                truth: Some(1),
            }),
        }
    }

    #[test]
    fn without_a_confidence_the_largest_probability_is_it() {
        assert_eq!(of(Some(0.5), &[0.75, 0.25]).confidence(), Some(0.5));
        assert_eq!(of(None, &[0.75, 0.25]).confidence(), Some(0.75));
        assert_eq!(of(Some(1.5), &[0.75, 0.25]).confidence(), Some(0.75));
        assert_eq!(of(Some(f64::NAN), &[3.0, 1.0]).confidence(), None, "logits");
    }

    #[test]
    fn numbers_that_are_no_probabilities_score_nothing() {
        assert_eq!(of(None, &[3.0, 1.0]).scored(), None);
        assert_eq!(of(None, &[0.9]).scored(), None);
        let scored = of(None, &[0.75, 0.25]).scored().unwrap();
        assert_eq!(scored.squared, 2.0 * 0.75 * 0.75);
        assert_eq!(scored.log_loss, -(0.25_f64.ln()));
    }

    #[test]
    fn a_class_that_the_model_does_not_know_was_given_0() {
        let mut unknown = of(None, &[0.75, 0.25]);
        for truth in [None, Some(7)] {
            unknown.probabilities.as_mut().unwrap().truth = truth;
            let scored = unknown.scored().unwrap();
            assert_eq!(scored.squared, 0.75 * 0.75 + 0.25 * 0.25 + 1.0);
            assert_eq!(scored.log_loss, classification::log_loss(0.0));
        }
    }

    #[test]
    fn a_number_that_is_none_is_not_off() {
        let off = |predicted, truth| LabelledValue { predicted, truth }.off();
        assert_eq!(off(1.0, 3.0), Some(2.0));
        assert_eq!(off(f64::NAN, 3.0), None);
        assert_eq!(off(f64::MAX, -f64::MAX), None);
    }
}

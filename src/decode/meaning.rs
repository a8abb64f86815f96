//! What the numbers of an answer mean: classes, values or probabilities.
//!
//! `[0]`, `[205.39]` and `[[0.98, 0.02]]` differ only by a guess, so it is made in one place, and a
//! route can say what holds: `kind`, `classes`, `positive_class`, `threshold`.

use super::{
    inference::{Output, Prediction, Probabilities, Source, confidence},
    walk::cut,
};
use crate::config::RouteKind;

/// How far from 1 the sum of probabilities may be.
pub(super) const SUM: f64 = 1e-3;

/// What an answer holds, before it is settled what its numbers mean.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Raw {
    /// One per item; none where the answer has vectors alone.
    pub(super) outputs: Vec<Output>,
    /// A vector for each item.
    pub(super) vectors: Option<Vectors>,
    /// A class is the first of a ranking.
    pub(super) is_ranking: bool,
    /// Classes are the names of the largest scores.
    pub(super) is_argmax: bool,
}

/// A list of numbers for each item, all of one length.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Vectors {
    /// Names of the numbers, where the wire has them.
    pub(super) labels: Option<Vec<String>>,
    /// Numbers of one vector, at least 1.
    pub(super) width: usize,
    /// All of them, item by item; `NaN` for what is no number.
    pub(super) numbers: Vec<f64>,
    /// All of them are written without a fraction.
    pub(super) are_whole: bool,
}

/// What a route says about its answers.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rules<'a> {
    pub(super) kind: RouteKind,
    /// Names of the classes by index.
    pub(super) classes: &'a [String],
    /// Whose probability a single number is.
    pub(super) positive: Option<&'a str>,
    /// From which probability on it is predicted.
    pub(super) threshold: f64,
}

/// What the answer means.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Meaning {
    pub(super) outputs: Vec<Output>,
    pub(super) source: Source,
    pub(super) probabilities: Option<Probabilities>,
}

impl Raw {
    /// The vector of one item, where numbers were read as one item each.
    pub(super) fn into_vector(self) -> Self {
        let numbers: Option<Vec<_>> = self.outputs.iter().map(number).collect();
        match numbers {
            Some(numbers) if self.vectors.is_none() && !numbers.is_empty() => Self {
                vectors: Some(Vectors {
                    labels: None,
                    width: numbers.len(),
                    numbers,
                    are_whole: false,
                }),
                ..Self::default()
            },
            _ => self,
        }
    }

    /// Items of the answer.
    pub(super) fn items(&self) -> usize {
        let vectors = || self.vectors.as_ref().map_or(0, Vectors::rows);
        if self.outputs.is_empty() {
            vectors()
        } else {
            self.outputs.len()
        }
    }
}

impl Vectors {
    pub(super) fn rows(&self) -> usize {
        self.numbers.len() / self.width.max(1)
    }

    /// Whether each is a distribution: a word on what is likely, not on what is.
    pub(super) fn are_distributions(&self) -> bool {
        self.width > 1
            && self
                .numbers
                .chunks_exact(self.width)
                .all(|row| is_distribution(row.iter().copied()))
    }

    /// The number of each item, where it has one alone.
    fn scalars(self) -> Vec<Output> {
        let scalar = |number: f64| Output::from(scalar(number, self.are_whole));
        self.numbers.into_iter().map(scalar).collect()
    }

    fn probabilities(self) -> Probabilities {
        Probabilities {
            labels: self.labels,
            width: self.width,
            shares: self.numbers,
        }
    }
}

/// Whether each is a share, and all together are 1.
pub(super) fn is_distribution(mut shares: impl Iterator<Item = f64>) -> bool {
    let sum = shares.try_fold(0.0, |sum, share| confidence(share).map(|_| sum + share));
    sum.is_some_and(|sum| (sum - 1.0).abs() <= SUM)
}

/// `is_whole`: it is written without a fraction.
#[expect(
    clippy::cast_possible_truncation,
    reason = "it is whole, and small enough"
)]
pub(super) fn scalar(number: f64, is_whole: bool) -> Prediction {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if is_whole && number.abs() <= EXACT {
        Prediction::Index(number as i64)
    } else if number.is_finite() {
        Prediction::Value(number)
    } else {
        Prediction::Unknown
    }
}

/// Numbers of several items, as those of one; what has vectors stays.
pub(super) fn as_vector(raw: Raw) -> Raw {
    if raw.vectors.is_some() || raw.outputs.len() < 2 {
        return raw;
    }
    let numbers = raw.outputs.iter().map(|o| number(o).unwrap_or(f64::NAN));
    let vectors = Vectors {
        width: raw.outputs.len(),
        numbers: numbers.collect(),
        ..Vectors::default()
    };
    Raw {
        vectors: Some(vectors),
        ..Raw::default()
    }
}

/// The number that was predicted, whatever it means.
#[expect(clippy::cast_precision_loss, reason = "a score is a float")]
pub(super) fn number(output: &Output) -> Option<f64> {
    match output.prediction {
        Prediction::Value(value) => Some(value),
        Prediction::Index(index) => Some(index as f64),
        _ => None,
    }
}

/// Settles what `raw` means.
pub(super) fn settle(raw: Raw, rules: Rules<'_>) -> Meaning {
    let Raw {
        mut outputs,
        vectors,
        is_ranking,
        is_argmax,
    } = raw;
    let mut meaning = match vectors {
        _ if rules.kind == RouteKind::Generate => {
            // a text is no class, however short
            outputs.fill(Output::from(Prediction::Unknown));
            Meaning {
                outputs,
                ..Meaning::default()
            }
        }
        Some(vectors) if outputs.is_empty() && vectors.width == 1 => Meaning {
            outputs: vectors.scalars(),
            ..Meaning::default()
        },
        Some(vectors) if outputs.is_empty() => {
            // its classes are places already, and no numbers that a kind gives a meaning
            let mut meaning = of_vectors(vectors, rules.kind);
            name(&mut meaning.outputs, rules.classes);
            return meaning;
        }
        Some(vectors) if vectors.rows() == outputs.len() && vectors.are_distributions() => {
            for (output, shares) in outputs
                .iter_mut()
                .zip(vectors.numbers.chunks_exact(vectors.width))
            {
                if output.confidence().is_none() {
                    output.be_sure(share_of(
                        &output.prediction,
                        shares,
                        vectors.labels.as_deref(),
                    ));
                }
            }
            Meaning {
                outputs,
                probabilities: Some(vectors.probabilities()),
                ..Meaning::default()
            }
        }
        _ => Meaning {
            outputs,
            ..Meaning::default()
        },
    };
    if is_ranking {
        meaning.source = Source::ClassificationExtension;
    } else if is_argmax {
        meaning.source = Source::ArgmaxLabel;
    }
    by_kind(&mut meaning.outputs, rules);
    name(&mut meaning.outputs, rules.classes);
    meaning
}

/// Vectors alone: probabilities, scores that a route says are of classes, or nothing that is known.
fn of_vectors(vectors: Vectors, kind: RouteKind) -> Meaning {
    let are_shares = match kind {
        RouteKind::Probabilities => vectors.numbers.iter().all(|n| confidence(*n).is_some()),
        _ => vectors.are_distributions(),
    };
    let are_scores = matches!(kind, RouteKind::Classify | RouteKind::Probabilities);
    if kind == RouteKind::Regress || !(are_shares || are_scores) {
        return Meaning {
            outputs: vec![Output::from(Prediction::Unknown); vectors.rows()],
            ..Meaning::default()
        };
    }
    let labels = vectors.labels.as_deref();
    let rows = vectors.numbers.chunks_exact(vectors.width.max(1));
    let outputs = rows.map(|scores| {
        let Some(best) = largest(scores) else {
            return Output::from(Prediction::Unknown);
        };
        let prediction = match labels.and_then(|labels| labels.get(best)) {
            Some(name) if name.is_empty() => Prediction::Unknown,
            Some(name) => Prediction::Name(name.clone()),
            None => i64::try_from(best).map_or(Prediction::Unknown, Prediction::Index),
        };
        Output::new(prediction, scores.get(best).copied().filter(|_| are_shares))
    });
    Meaning {
        outputs: outputs.collect(),
        source: if labels.is_some() {
            Source::ArgmaxLabel
        } else {
            Source::ArgmaxIndex
        },
        probabilities: are_shares.then(|| vectors.probabilities()),
    }
}

/// The place of the largest number, the first of equal ones.
fn largest(numbers: &[f64]) -> Option<usize> {
    let numbers = numbers.iter().enumerate().filter(|(_, n)| !n.is_nan());
    let best = numbers.reduce(|best, next| if next.1 > best.1 { next } else { best });
    best.map(|(place, _)| place)
}

/// The probability of what was predicted: by name, else by index. Where it is neither, the predicted
/// class is taken for the most probable.
pub(super) fn share_of(
    prediction: &Prediction,
    shares: &[f64],
    labels: Option<&[String]>,
) -> Option<f64> {
    let class = prediction.class()?;
    if !shares.iter().all(|share| confidence(*share).is_some()) {
        // scores of another kind
        return None;
    }
    let place = match labels {
        Some(labels) => labels.iter().rposition(|label| *label == class),
        None => prediction
            .place()
            .filter(|place| *place < shares.len())
            .or_else(|| largest(shares)),
    };
    shares.get(place?).copied()
}

/// One number with a fraction makes values of all; a route may say otherwise.
fn by_kind(outputs: &mut [Output], rules: Rules<'_>) {
    let be: fn(&mut Output, Rules<'_>) = match rules.kind {
        RouteKind::Classify => be_class,
        RouteKind::Regress => be_value,
        RouteKind::Probabilities => be_share,
        _ if rules.positive.is_some() => be_share,
        _ if outputs.iter().any(|output| output.value().is_some()) => be_value,
        _ => return,
    };
    for output in outputs {
        be(output, rules);
    }
}

fn be_class(output: &mut Output, _: Rules<'_>) {
    if let Prediction::Value(value) = output.prediction {
        output.prediction = match scalar(value, value.fract() == 0.0) {
            // a number with a fraction is none
            Prediction::Value(_) => Prediction::Unknown,
            class => class,
        };
    }
}

#[expect(clippy::cast_precision_loss, reason = "values are floats")]
fn be_value(output: &mut Output, _: Rules<'_>) {
    if let Prediction::Index(index) = output.prediction {
        *output = Output::from(Prediction::Value(index as f64));
    }
}

/// A single number is the probability of the positive class; one without a fraction is a class.
fn be_share(output: &mut Output, rules: Rules<'_>) {
    let Some(share) = output.value().and_then(confidence) else {
        return;
    };
    let is_positive = share >= rules.threshold;
    let name = match (rules.positive, is_positive) {
        (Some(positive), true) => Some(positive.to_owned()),
        (Some(positive), false) => {
            let other = rules.classes.iter().find(|class| *class != positive);
            Some(other.cloned().unwrap_or_else(|| format!("not {positive}")))
        }
        (None, _) => None,
    };
    let name = name.map(|name| Prediction::Name(cut(&name).to_owned()));
    let prediction = name.unwrap_or(Prediction::Index(i64::from(is_positive)));
    *output = Output::new(
        prediction,
        Some(if is_positive { share } else { 1.0 - share }),
    );
}

/// Gives classes without a name that of their index.
fn name(outputs: &mut [Output], classes: &[String]) {
    for output in outputs {
        let name = output
            .prediction
            .place()
            .and_then(|place| classes.get(place));
        if let Some(name) = name {
            output.prediction = Prediction::Name(cut(name).to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors(width: usize, numbers: &[f64]) -> Raw {
        let vectors = Vectors {
            width,
            numbers: numbers.to_vec(),
            are_whole: numbers.iter().all(|n| n.fract() == 0.0),
            labels: None,
        };
        Raw {
            vectors: Some(vectors),
            ..Raw::default()
        }
    }

    fn predictions(meaning: &Meaning) -> Vec<(Prediction, Option<f64>)> {
        let outputs = meaning.outputs.iter();
        outputs
            .map(|o| (o.prediction.clone(), o.confidence()))
            .collect()
    }

    #[test]
    fn a_vector_that_sums_to_1_is_a_distribution() {
        let meaning = settle(vectors(2, &[0.2, 0.8, 0.5, 0.5]), Rules::default());
        let expected = [
            (Prediction::Index(1), Some(0.8)),
            (Prediction::Index(0), Some(0.5)),
        ];
        assert_eq!(predictions(&meaning), expected);
        assert_eq!(meaning.source, Source::ArgmaxIndex);
    }

    #[test]
    fn any_other_vector_is_unknown_until_a_route_says_what_it_is() {
        let scores = [3.0, -1.5];
        let meaning = settle(vectors(2, &scores), Rules::default());
        assert_eq!(predictions(&meaning), [(Prediction::Unknown, None)]);
        let rules = Rules {
            kind: RouteKind::Classify,
            ..Rules::default()
        };
        let meaning = settle(vectors(2, &scores), rules);
        assert_eq!(predictions(&meaning), [(Prediction::Index(0), None)]);
        assert_eq!(meaning.probabilities, None);
        let meaning = settle(vectors(2, &[0.7, -2.0]), rules);
        assert_eq!(predictions(&meaning), [(Prediction::Index(0), None)]);
        let rules = Rules {
            kind: RouteKind::Probabilities,
            positive: Some("fraud"),
            ..rules
        };
        let meaning = settle(vectors(2, &scores), rules);
        assert_eq!(predictions(&meaning), [(Prediction::Index(0), None)]);
    }

    #[test]
    fn a_class_is_not_taken_for_the_probability_of_one() {
        let rules = Rules {
            positive: Some("fraud"),
            threshold: 0.5,
            ..Rules::default()
        };
        let meaning = settle(vectors(1, &[1.0, 0.0]), rules);
        let expected = [(Prediction::Index(1), None), (Prediction::Index(0), None)];
        assert_eq!(predictions(&meaning), expected);
    }

    #[test]
    fn scores_of_another_kind_are_no_confidence() {
        let share = |shares: &[f64]| share_of(&Prediction::Index(1), shares, None);
        assert_eq!(share(&[0.7, 0.3]), Some(0.3));
        assert_eq!(share(&[2.5, 0.3]), None);
        let labels = ["1".to_owned(), "x".to_owned()];
        assert_eq!(
            share_of(&Prediction::Index(1), &[0.3, -2.0], Some(&labels)),
            None
        );
    }

    #[test]
    fn a_text_that_a_route_says_is_generated_is_no_class() {
        let raw = Raw {
            outputs: vec![Output::from(Prediction::Name("yes".to_owned()))],
            ..Raw::default()
        };
        let rules = Rules {
            kind: RouteKind::Generate,
            ..Rules::default()
        };
        assert_eq!(
            predictions(&settle(raw, rules)),
            [(Prediction::Unknown, None)]
        );
    }

    #[test]
    fn a_column_of_whole_numbers_is_classes_and_of_others_values() {
        let of = |numbers: &[f64]| predictions(&settle(vectors(1, numbers), Rules::default()));
        assert_eq!(of(&[2.0]), [(Prediction::Index(2), None)]);
        assert_eq!(of(&[205.39]), [(Prediction::Value(205.39), None)]);
        assert_eq!(of(&[f64::NAN]), [(Prediction::Unknown, None)]);
    }

    #[test]
    fn one_number_is_the_probability_of_the_positive_class() {
        let classes = ["ham".to_owned(), "spam".to_owned()];
        let rules = Rules {
            kind: RouteKind::Probabilities,
            classes: &classes,
            positive: Some("spam"),
            threshold: 0.5,
        };
        let meaning = settle(vectors(1, &[0.9, 0.25]), rules);
        let name = |name: &str| Prediction::Name(name.to_owned());
        let expected = [(name("spam"), Some(0.9)), (name("ham"), Some(0.75))];
        assert_eq!(predictions(&meaning), expected);
    }

    #[test]
    fn indexes_get_the_names_of_the_route() {
        let classes = ["a".to_owned(), "b".to_owned()];
        let rules = Rules {
            classes: &classes,
            ..Rules::default()
        };
        let meaning = settle(vectors(1, &[1.0, 7.0]), rules);
        let expected = [
            (Prediction::Name("b".to_owned()), None),
            (Prediction::Index(7), None),
        ];
        assert_eq!(predictions(&meaning), expected);
    }
}

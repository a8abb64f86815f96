//! What the numbers of an answer mean: classes, values or probabilities.
//!
//! `[0]`, `[205.39]` and `[[0.98, 0.02]]` differ only by a guess, so it is made in one place, and a
//! route can say what holds: `kind`, `classes`, `positive_class`, `threshold`. What one answer cannot
//! tell, such as whether the `[200]` of a regressor is a class, the observer can, which saw others.

use std::ops::RangeInclusive;

use super::{
    Text, blame,
    inference::{Inference, Output, Prediction, Probabilities, Source, confidence},
    walk::{Leaf, cut},
};
use crate::config::RouteKind;

/// How far from 1 the sum of probabilities may be.
pub(super) const SUM: f64 = 1e-3;

/// Numbers that classes without a name may be: -1 is the outlier of scikit-learn, and models of
/// `ImageNet` have 1001. What is beyond is a value, unless its field or its route says class.
const CLASSES: RangeInclusive<i64> = -1..=1000;

/// Longest name of a class in bytes, and the words from which on a text is none: the longest of
/// `ImageNet` has 12.
const MAX_NAME: usize = 120;
const TEXT_WORDS: usize = 16;

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
    pub(super) field: Field,
}

/// What the field of the items is called.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Field {
    /// Something that says nothing.
    #[default]
    Open,
    /// A class: it is one, whatever number it is.
    Class,
    /// A text: it was written, and is no class.
    Text,
}

/// A list of numbers for each item, all of one length.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Vectors {
    /// Names of the numbers, where the wire has them.
    pub(super) labels: Option<Vec<Text>>,
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
        let mut numbers = Vec::with_capacity(self.outputs.len());
        numbers.extend(self.outputs.iter().map_while(number));
        let are_all = numbers.len() == self.outputs.len() && !numbers.is_empty();
        if self.vectors.is_some() || !are_all {
            return self;
        }
        Self {
            vectors: Some(Vectors {
                labels: None,
                width: numbers.len(),
                numbers,
                are_whole: false,
            }),
            ..Self::default()
        }
    }

    /// Whether it is numbers, of which at least one is no class: several items, or the vector of one.
    pub(super) fn is_flat(&self) -> bool {
        let outputs = &self.outputs;
        let is_number = |output: &Output| output.confidence().is_none() && number(output).is_some();
        outputs.len() > 1
            && self.vectors.is_none()
            && outputs.iter().any(|output| output.value().is_some())
            && outputs.iter().all(is_number)
    }

    /// Whether some of them have a fraction.
    pub(super) fn has_fractions(&self) -> bool {
        let mut values = self.outputs.iter().filter_map(Output::value);
        values.any(|value| value.fract() != 0.0)
    }

    /// Whether that vector is a distribution.
    pub(super) fn is_distribution(&self) -> bool {
        let share = |output: &Output| number(output).unwrap_or(f64::NAN);
        is_distribution(self.outputs.iter().map(share))
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
        field,
    } = raw;
    let is_scored = is_ranking || is_argmax;
    if let Some(vectors) = vectors.as_ref().filter(|_| is_scored)
        && vectors.rows() == outputs.len()
    {
        outputs = binary(vectors, rules).unwrap_or(outputs);
    }
    let mut meaning = match vectors {
        _ if rules.kind == RouteKind::Generate => {
            // a text is no class, however short
            outputs.fill(Output::from(Prediction::Unknown));
            Meaning {
                outputs,
                source: Source::Generated,
                ..Meaning::default()
            }
        }
        Some(vectors) if outputs.is_empty() && vectors.width == 1 => Meaning {
            outputs: vectors.scalars(),
            ..Meaning::default()
        },
        Some(vectors) if outputs.is_empty() => {
            // its classes are places already, and no numbers that a kind gives a meaning
            let mut meaning = of_vectors(vectors, rules);
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
    by_kind(&mut meaning.outputs, rules, field);
    name(&mut meaning.outputs, rules.classes);
    drop_failures(&mut meaning.outputs, rules);
    // the words of a route are no texts, however long
    let may_be_texts = !is_scored && rules.positive.is_none();
    if field == Field::Text || may_be_texts && be_texts(&mut meaning.outputs, rules) {
        meaning.source = Source::Text;
    }
    meaning
}

/// Vectors alone: probabilities, scores that a route says are of classes, or nothing that is known.
fn of_vectors(vectors: Vectors, rules: Rules<'_>) -> Meaning {
    let kind = rules.kind;
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
    let largest = |scores: &[f64]| {
        let Some(best) = self::largest(scores) else {
            return Output::from(Prediction::Unknown);
        };
        let prediction = match labels.and_then(|labels| labels.get(best)) {
            Some(name) if name.is_empty() => Prediction::Unknown,
            Some(name) => Prediction::Name(name.clone()),
            None => i64::try_from(best).map_or(Prediction::Unknown, Prediction::Index),
        };
        Output::new(prediction, scores.get(best).copied().filter(|_| are_shares))
    };
    let outputs = binary(&vectors, rules).filter(|_| are_shares);
    Meaning {
        outputs: outputs.unwrap_or_else(|| rows.map(largest).collect()),
        source: if labels.is_some() {
            Source::ArgmaxLabel
        } else {
            Source::ArgmaxIndex
        },
        probabilities: are_shares.then(|| vectors.probabilities()),
    }
}

/// The class of each of two columns of probabilities, by the threshold of the route; `None`: it says
/// nothing of them. Without names, the second column is that of the positive class.
fn binary(vectors: &Vectors, rules: Rules<'_>) -> Option<Vec<Output>> {
    let are_shares = || vectors.numbers.iter().all(|n| confidence(*n).is_some());
    if vectors.width != 2 || !are_shares() {
        return None;
    }
    let labels = vectors.labels.as_deref();
    let place = |positive| match labels {
        Some(labels) => labels.iter().position(|name| *name == positive),
        None => rules.classes.iter().position(|name| name == positive),
    };
    let has_names = !labels.map_or(rules.classes.is_empty(), <[_]>::is_empty);
    let positive = match rules.positive {
        Some(_) if !has_names => 1,
        Some(positive) => place(positive)?,
        None if rules.kind == RouteKind::Probabilities && labels.is_none() => 1,
        None => return None,
    };
    let output = |shares: &[f64]| {
        let is_positive = shares[positive] >= rules.threshold;
        let place = if is_positive { positive } else { 1 - positive };
        let named = match labels {
            Some(labels) => Some(labels[place].clone()),
            None => outcome(rules, is_positive).map(Text::from),
        };
        let index = || i64::try_from(place).map_or(Prediction::Unknown, Prediction::Index);
        Output::new(
            named.map_or_else(index, Prediction::Name),
            Some(shares[place]),
        )
    };
    // of more than two classes of the route, two columns are not all
    (positive < 2).then(|| vectors.numbers.chunks_exact(2).map(output).collect())
}

/// What the route calls the positive class, or the other.
fn outcome(rules: Rules<'_>, is_positive: bool) -> Option<String> {
    let positive = rules.positive?;
    if is_positive {
        return Some(cut(positive).to_owned());
    }
    let other = rules.classes.iter().find(|class| *class != positive);
    let name = other.cloned().unwrap_or_else(|| format!("not {positive}"));
    Some(cut(&name).to_owned())
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
    labels: Option<&[Text]>,
) -> Option<f64> {
    let class = prediction.class()?;
    if !shares.iter().all(|share| confidence(*share).is_some()) {
        // scores of another kind
        return None;
    }
    let place = match labels {
        Some(labels) => labels.iter().rposition(|label| **label == *class),
        None => prediction
            .place()
            .filter(|place| *place < shares.len())
            .or_else(|| largest(shares)),
    };
    shares.get(place?).copied()
}

/// One number that is no class makes values of all; a route may say otherwise.
fn by_kind(outputs: &mut [Output], rules: Rules<'_>, field: Field) {
    let is_class =
        |index| field == Field::Class || !rules.classes.is_empty() || CLASSES.contains(&index);
    let is_value = |output: &Output| match output.prediction {
        Prediction::Value(_) => true,
        Prediction::Index(index) => output.confidence().is_none() && !is_class(index),
        _ => false,
    };
    let be: fn(&mut Output, Rules<'_>) = match rules.kind {
        RouteKind::Classify => be_class,
        RouteKind::Regress => be_value,
        RouteKind::Probabilities => be_share,
        _ if rules.positive.is_some() => be_share,
        _ if outputs.iter().any(is_value) => be_value,
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
    let value = match &output.prediction {
        Prediction::Index(index) => *index as f64,
        Prediction::Name(text) => match written(text) {
            Some(number) => number,
            None => return,
        },
        _ => return,
    };
    *output = Output::from(Prediction::Value(value));
}

/// The number that a text is.
fn written(text: &str) -> Option<f64> {
    Leaf::Text(text)
        .number()
        .filter(|number| number.is_finite())
}

/// A single number is the probability of the positive class; one without a fraction is a class.
fn be_share(output: &mut Output, rules: Rules<'_>) {
    if let Prediction::Name(text) = &output.prediction
        && output.confidence().is_none()
        && text.parse::<i64>().is_err()
        && let Some(number) = written(text)
    {
        output.prediction = Prediction::Value(number);
    }
    let Some(value) = output.value() else {
        return;
    };
    let Some(share) = confidence(value) else {
        if rules.kind == RouteKind::Probabilities {
            output.prediction = Prediction::Unknown;
        }
        return;
    };
    let is_positive = share >= rules.threshold;
    let name = outcome(rules, is_positive).map(|name| Prediction::Name(name.into()));
    let prediction = name.unwrap_or(Prediction::Index(i64::from(is_positive)));
    *output = Output::new(
        prediction,
        Some(if is_positive { share } else { 1.0 - share }),
    );
}

impl Inference {
    /// Makes values of the whole numbers among its outputs, where nothing says that they are classes.
    pub fn be_values(&mut self) {
        let is_open = |output: &&mut Output| {
            let is_whole = matches!(output.prediction, Prediction::Index(_));
            is_whole && output.confidence().is_none()
        };
        for output in self.outputs.iter_mut().filter(is_open) {
            be_value(output, Rules::default());
        }
    }
}

/// Makes classes unknown that are the texts of exceptions: a script that caught one answered with it.
fn drop_failures(outputs: &mut [Output], rules: Rules<'_>) {
    for output in outputs {
        if let Prediction::Name(name) = &output.prediction
            && blame::is_failure(name)
            && !is_one_of(name, rules.classes)
        {
            *output = Output::from(Prediction::Unknown);
        }
    }
}

/// Makes classes that are texts unknown; `false`: there are none. One that is longer than the name of
/// a class can be makes texts of all.
fn be_texts(outputs: &mut [Output], rules: Rules<'_>) -> bool {
    let is_text = |output: &Output| match &output.prediction {
        Prediction::Name(name) => is_text(name) && !is_one_of(name, rules.classes),
        _ => false,
    };
    if rules.kind == RouteKind::Classify || !outputs.iter().any(is_text) {
        return false;
    }
    for output in outputs {
        if matches!(output.prediction, Prediction::Name(_)) {
            *output = Output::new(Prediction::Unknown, output.confidence());
        }
    }
    true
}

/// Whether it is longer than the name of a class can be.
fn is_text(name: &str) -> bool {
    let has_lines = || name.trim_ascii().contains('\n');
    name.len() > MAX_NAME
        || has_lines()
        || name.split_ascii_whitespace().nth(TEXT_WORDS - 1).is_some()
}

/// Gives classes without a name that of their index, also where it is written as a text.
fn name(outputs: &mut [Output], classes: &[String]) {
    if classes.is_empty() {
        return;
    }
    let place = |prediction: &Prediction| match prediction {
        Prediction::Name(text) if !is_one_of(text, classes) => index(text),
        other => other.place(),
    };
    for output in outputs {
        let name = place(&output.prediction).and_then(|place| classes.get(place));
        if let Some(name) = name {
            output.prediction = Prediction::Name(cut(name).into());
        }
    }
}

fn is_one_of(name: &str, classes: &[String]) -> bool {
    classes.iter().any(|class| class == name)
}

/// The index that a text is: `007` is a code.
fn index(text: &str) -> Option<usize> {
    let is_index = text.bytes().all(|byte| byte.is_ascii_digit());
    let is_code = text.len() > 1 && text.starts_with('0');
    (is_index && !is_code).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;

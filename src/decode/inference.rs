//! What an exchange says, as numbers and words: the same for every wire format.

use std::borrow::Cow;

use super::{Generation, Lot, Text, walk};

/// What was asked and answered.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Inference {
    /// Name of the wire format; `unknown` where the model refused what no format could read.
    pub format: &'static str,
    /// Model name on the wire, not empty, at most [`Inference::MAX_WORD`] bytes.
    pub model: Option<String>,
    /// Model version on the wire, not empty, at most [`Inference::MAX_WORD`] bytes.
    pub version: Option<String>,
    /// The name of the prediction on the wire, by which feedback tells of it; visible ASCII.
    pub puid: Option<Box<str>>,
    /// Rows of input; 0 where the request could not be read.
    pub rows: usize,
    /// Each with `rows` values, in the order of the wire, or as many as [`Inference::sample`] left;
    /// none where there are more than are kept.
    pub features: Vec<Column>,
    /// One per item of the answer; empty where the status says that there was no prediction.
    pub outputs: Vec<Output>,
    /// Where classes come from.
    pub source: Source,
    /// One row per output, where the wire has them.
    pub probabilities: Option<Probabilities>,
    /// The asynchronous task that was submitted, where there are no outputs, or that they are of;
    /// cut to [`Inference::MAX_WORD`] bytes.
    pub task: Option<String>,
    /// What a model of texts wrote: outputs then are [`Prediction::Unknown`].
    pub generation: Option<Box<Generation>>,
    /// Why something of a body that could be read is not known, for people.
    pub note: Option<&'static str>,
}

impl Inference {
    /// Longest name, version or class in bytes; longer ones are cut between two characters.
    pub const MAX_WORD: usize = 128;

    /// Whether it is a text that a model wrote, which has no class and no confidence to send.
    pub fn is_generated(&self) -> bool {
        self.generation.is_some() || self.source == Source::Generated
    }

    /// Leaves the features of at most `most` rows, spread evenly from the first on. `rows` stays, and
    /// so does every output. No more than one look at each value that stays.
    pub fn sample(&mut self, most: usize) {
        for column in &mut self.features {
            column.values.sample(most);
        }
    }

    /// Rows whose features are there.
    pub fn sampled(&self) -> usize {
        let first = self.features.first();
        first.map_or(self.rows, |column| column.values.len())
    }

    /// Items of the exchange: outputs, or the rows of a request that got none.
    pub fn items(&self) -> usize {
        if self.outputs.is_empty() {
            self.rows
        } else {
            self.outputs.len()
        }
    }
}

/// One feature over all rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Name on the wire, cut to [`Inference::MAX_WORD`] bytes.
    pub name: Name,
    /// One value per row.
    pub values: Values,
}

impl Column {
    /// Bytes it takes.
    pub fn held_bytes(&self) -> usize {
        let name = match &self.name {
            Name::Word(word) => word.held_bytes(),
            Name::Position(_) => 0,
        };
        size_of::<Self>() + name + self.values.held_bytes()
    }
}

/// What a feature is called: no two of an inference the same.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Name {
    /// By the wire or the configuration.
    Word(Text),
    /// The wire names none: its place in a row, from 0.
    Position(usize),
}

impl Name {
    /// That of one number of several that have a name together: `x[0]`.
    pub(super) fn placed(name: &str, place: usize) -> Self {
        // the place is what tells them apart, so it is not what is cut
        let mut digits = [0; 22];
        let place = in_brackets(place, &mut digits);
        let end = name.floor_char_boundary(Inference::MAX_WORD - place.len());
        Self::Word(Text::joined([&name[..end], place]))
    }

    /// As a label and in a log: a position as its digits.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Word(word) => Cow::Borrowed(word),
            Self::Position(place) => Cow::Owned(place.to_string()),
        }
    }
}

/// `[12]`: a row may have thousands, so none is made by way of the heap.
fn in_brackets(mut place: usize, room: &mut [u8; 22]) -> &str {
    let mut at = room.len() - 1;
    room[at] = b']';
    loop {
        at -= 1;
        room[at] = b"0123456789"[place % 10];
        place /= 10;
        if place == 0 {
            break;
        }
    }
    at -= 1;
    room[at] = b'[';
    std::str::from_utf8(&room[at..]).unwrap_or_default()
}

/// The values of one feature.
#[derive(Debug, Clone)]
pub enum Values {
    /// Numbers alone, finite; `NaN` stands for a missing one.
    Numbers(Lot<f64>),
    /// At least one is something else, or was before a later one of its name took its place.
    Mixed(Lot<Scalar>),
}

impl Values {
    /// None yet, with room for `room`.
    pub fn with_capacity(room: usize) -> Self {
        Self::Numbers(Lot::with_capacity(room))
    }

    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.len(),
            Self::Mixed(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds one.
    #[inline]
    pub fn push(&mut self, value: Scalar) {
        match (&mut *self, value) {
            (Self::Numbers(numbers), Scalar::Number(number)) => numbers.push(number),
            (Self::Numbers(numbers), Scalar::Missing) => numbers.push(f64::NAN),
            (Self::Mixed(values), value) => values.push(value),
            (_, value) => self.push_other(value),
        }
    }

    fn push_other(&mut self, value: Scalar) {
        match self {
            Self::Numbers(numbers) => {
                // with the room that was made for them
                let mut values = Lot::with_capacity(numbers.room());
                values.extend(numbers.iter().map(|number| Scalar::of_number(*number)));
                values.push(value);
                *self = Self::Mixed(values);
            }
            Self::Mixed(values) => values.push(value),
        }
    }

    /// Adds all of another.
    pub fn append(&mut self, other: Self) {
        match (&mut *self, other) {
            (Self::Numbers(own), Self::Numbers(others)) => own.extend(others),
            (_, Self::Numbers(others)) => {
                let values = others.into_iter().map(Scalar::of_number);
                values.for_each(|value| self.push(value));
            }
            (_, Self::Mixed(others)) => others.into_iter().for_each(|value| self.push(value)),
        }
    }

    /// Cuts off, or fills up with missing ones.
    pub fn resize(&mut self, len: usize) {
        match self {
            Self::Numbers(numbers) => numbers.resize(len, f64::NAN),
            Self::Mixed(values) => values.resize(len, Scalar::Missing),
        }
    }

    /// Leaves at most `most`, spread evenly from the first on.
    fn sample(&mut self, most: usize) {
        let len = self.len();
        if len <= most {
            return;
        }
        // never behind its new place
        let place = |at: usize| at * len / most;
        match self {
            Self::Numbers(numbers) => {
                (0..most).for_each(|at| numbers[at] = numbers[place(at)]);
                numbers.truncate(most);
                numbers.shrink_to_fit();
            }
            Self::Mixed(values) => {
                (0..most).for_each(|at| values.swap(at, place(at)));
                values.truncate(most);
                values.shrink_to_fit();
            }
        }
    }

    /// One after the other.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Cow<'_, Scalar>> {
        (0..self.len()).map(|at| match self {
            Self::Numbers(numbers) => Cow::Owned(Scalar::of_number(numbers[at])),
            Self::Mixed(values) => Cow::Borrowed(&values[at]),
        })
    }

    /// Bytes on the heap.
    pub fn held_bytes(&self) -> usize {
        match self {
            Self::Numbers(numbers) => numbers.room() * size_of::<f64>(),
            Self::Mixed(values) => {
                let text = |value: &Scalar| match value {
                    Scalar::Text(text) => text.held_bytes(),
                    _ => 0,
                };
                values.room() * size_of::<Scalar>() + values.iter().map(text).sum::<usize>()
            }
        }
    }
}

/// None.
impl Default for Values {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

/// Missing values are equal.
impl PartialEq for Values {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl FromIterator<Scalar> for Values {
    fn from_iter<I: IntoIterator<Item = Scalar>>(all: I) -> Self {
        let all = all.into_iter();
        let mut values = Self::with_capacity(all.size_hint().0);
        all.for_each(|value| values.push(value));
        values
    }
}

/// One value of a feature.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar {
    /// Not sent, `null`, or not a finite number (`NaN`, `Infinity`, `1e999`).
    Missing,
    /// Finite; also from a string that is a number.
    Number(f64),
    /// A truth value.
    Bool(bool),
    /// Any other string, as long as it was sent.
    Text(Text),
}

impl Scalar {
    /// One that is not finite is missing.
    pub fn of_number(number: f64) -> Self {
        if number.is_finite() {
            Self::Number(number)
        } else {
            Self::Missing
        }
    }
}

/// The model's answer for one item.
#[derive(Debug, Clone)]
pub struct Output {
    /// What was predicted.
    pub prediction: Prediction,
    /// `NaN`: none. An option would take half as much again, of which a batch has thousands.
    confidence: f64,
}

impl Output {
    /// `confidence`: the probability of the predicted class; one outside `[0, 1]` is none.
    pub fn new(prediction: Prediction, confidence: Option<f64>) -> Self {
        let mut output = Self::from(prediction);
        output.be_sure(confidence);
        output
    }

    /// The probability of the predicted class, in `[0, 1]`; `None`: none is known.
    pub fn confidence(&self) -> Option<f64> {
        (!self.confidence.is_nan()).then_some(self.confidence)
    }

    /// Sets that probability; one outside `[0, 1]` is none.
    pub fn be_sure(&mut self, share: Option<f64>) {
        self.confidence = share.and_then(confidence).unwrap_or(f64::NAN);
    }

    /// The predicted class as a label and in a log.
    pub fn class(&self) -> Option<Cow<'_, str>> {
        self.prediction.class()
    }

    /// What a regression gave: finite.
    pub fn value(&self) -> Option<f64> {
        match self.prediction {
            Prediction::Value(value) => Some(value),
            _ => None,
        }
    }
}

impl From<Prediction> for Output {
    fn from(prediction: Prediction) -> Self {
        Self {
            prediction,
            confidence: f64::NAN,
        }
    }
}

impl PartialEq for Output {
    fn eq(&self, other: &Self) -> bool {
        self.prediction == other.prediction && self.confidence() == other.confidence()
    }
}

/// A class in the type it has on the wire, or a number.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Prediction {
    /// Neither a class nor a value is on the wire.
    #[default]
    Unknown,
    /// A class: not empty, cut to [`Inference::MAX_WORD`] bytes.
    Name(Text),
    /// A class without a name, or the place of the largest probability.
    Index(i64),
    /// A class of two.
    Bool(bool),
    /// What a regression gives: finite.
    Value(f64),
}

impl Prediction {
    /// The class of that name, cut; an empty one is unknown.
    pub(super) fn named(name: &str) -> Self {
        if name.is_empty() {
            return Self::Unknown;
        }
        Self::Name(walk::cut(name).into())
    }

    /// The class as a label and in a log.
    pub fn class(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Name(name) => Some(Cow::Borrowed(name)),
            Self::Index(index) => Some(Cow::Owned(index.to_string())),
            Self::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
            Self::Unknown | Self::Value(_) => None,
        }
    }

    /// Its place among probabilities without names.
    pub(super) fn place(&self) -> Option<usize> {
        match self {
            Self::Index(index) => usize::try_from(*index).ok(),
            Self::Bool(value) => Some(usize::from(*value)),
            _ => None,
        }
    }
}

/// Where the classes of an answer come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Source {
    /// They stand in the answer, or there are none.
    #[default]
    Label,
    /// The place of the largest of probabilities without names.
    ArgmaxIndex,
    /// The name of the largest of probabilities with names.
    ArgmaxLabel,
    /// The first of a ranking in the classification extension of Open Inference.
    ClassificationExtension,
    /// Texts stand in the answer that are longer than the name of a class can be: they are unknown.
    Text,
    /// The route says that texts are generated, which are no classes.
    Generated,
}

/// How probable each class is, for every output.
#[derive(Debug, Clone, Default)]
pub struct Probabilities {
    /// Names of the classes; `None`: the wire has none.
    pub labels: Option<Vec<Text>>,
    /// How many there are for one output, at least 1.
    pub width: usize,
    /// Output by output, `width` for each, in `[0, 1]` but for rounding.
    pub shares: Vec<f64>,
}

impl Probabilities {
    /// Those of each output.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.shares.chunks_exact(self.width.max(1))
    }
}

/// What is no number is equal.
impl PartialEq for Probabilities {
    fn eq(&self, other: &Self) -> bool {
        let bits = |shares: &[f64]| {
            shares
                .iter()
                .map(|share| share.to_bits())
                .collect::<Vec<_>>()
        };
        self.labels == other.labels
            && self.width == other.width
            && bits(&self.shares) == bits(&other.shares)
    }
}

/// `share` if it is one. Sums of 32-bit floats end a little above 1.
pub(super) fn confidence(share: f64) -> Option<f64> {
    (0.0..=1.0 + 1e-6).contains(&share).then(|| share.min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_numbers_as_long_as_they_are() {
        let mut values = Values::with_capacity(2);
        values.push(Scalar::Number(1.0));
        values.push(Scalar::Missing);
        assert!(matches!(&values, Values::Numbers(numbers) if numbers.len() == 2));
        values.push(Scalar::Text("a".into()));
        values.resize(4);
        let all: Vec<Scalar> = values.iter().map(Cow::into_owned).collect();
        let text = Scalar::Text("a".into());
        let expected = [Scalar::Number(1.0), Scalar::Missing, text, Scalar::Missing];
        assert_eq!(all, expected);
    }

    #[test]
    fn the_place_of_a_number_is_not_what_is_cut_of_its_name() {
        for place in [0, 7, 10, 4095, usize::MAX] {
            let long = "é".repeat(100);
            let text = Name::placed("x", place);
            assert_eq!(text, Name::Word(format!("x[{place}]").into()));
            let Name::Word(text) = Name::placed(&long, place) else {
                panic!("a position");
            };
            assert!(text.len() >= Inference::MAX_WORD - 1 && text.len() <= Inference::MAX_WORD);
            assert!(text.ends_with(&format!("é[{place}]")));
        }
    }

    #[test]
    fn of_many_rows_the_features_of_an_even_sample_stay() {
        let texts = (0..10)
            .map(|i| Scalar::Text(i.to_string().into()))
            .collect();
        let column = |values| Column {
            name: Name::Position(0),
            values,
        };
        let mut inference = Inference {
            rows: 10,
            features: vec![
                column(Values::Numbers((0..10).map(f64::from).collect())),
                column(Values::Mixed(texts)),
            ],
            outputs: vec![Output::from(Prediction::Index(1)); 10],
            ..Inference::default()
        };
        let whole = inference.clone();
        inference.sample(10);
        assert_eq!(inference, whole);
        inference.sample(4);
        let expected = [0.0, 2.0, 5.0, 7.0];
        assert_eq!(
            inference.features[0].values,
            Values::Numbers(expected.to_vec().into())
        );
        let texts = ["0", "2", "5", "7"].map(|text| Scalar::Text(text.into()));
        assert_eq!(
            inference.features[1].values,
            Values::Mixed(texts.to_vec().into())
        );
        assert_eq!(
            (inference.rows, inference.sampled(), inference.items()),
            (10, 4, 10)
        );
    }

    #[test]
    fn a_confidence_is_a_share_or_just_above_1() {
        assert_eq!(confidence(1.0 + 1e-7), Some(1.0));
        assert_eq!(confidence(1.1), None);
        assert_eq!(confidence(f64::NAN), None);
    }
}

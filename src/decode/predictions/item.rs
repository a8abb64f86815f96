//! One item that is an object, and the scores of its classes.

use std::borrow::Cow;

use serde::de::{MapAccess, SeqAccess};

use super::{
    super::{
        inference::{Output, Prediction, confidence},
        meaning,
        walk::{self, At, Leaf, Name, Node, Number},
    },
    prediction,
};

/// How far from 1 the sum of probabilities may be.
const SUM: f64 = 1e-3;

/// What an object says of one item.
#[derive(Debug, Default)]
pub(in crate::decode) struct Item<'de> {
    pub(in crate::decode) prediction: Option<Prediction>,
    /// The probability of it.
    pub(in crate::decode) share: Option<f64>,
    /// Scores of all classes.
    pub(in crate::decode) shares: Shares<'de>,
    /// Every field, where all are numbers: they may be such scores themselves.
    pub(in crate::decode) map: Shares<'de>,
}

impl<'de> Item<'de> {
    /// Reads the fields that are known under their usual names.
    pub(in crate::decode) fn read<A: MapAccess<'de>>(mut object: A) -> Result<Self, A::Error> {
        let mut item = Self::default();
        let mut is_map = true;
        while let Some(name) = object.next_key_seed(Name)? {
            let value = object.next_value_seed(At(Value))?;
            match (&*name, value) {
                (
                    "prediction" | "label" | "class" | "predicted_label" | "predicted_class"
                    | "class_name" | "className",
                    Found::Scalar(prediction, _),
                ) => {
                    is_map = false;
                    item.prediction = Some(prediction);
                }
                ("score" | "confidence" | "probability" | "prob", Found::Scalar(_, share)) => {
                    is_map = false;
                    item.share = share;
                }
                (
                    "probabilities" | "probability" | "probs" | "proba" | "scores" | "score",
                    Found::Shares(shares),
                ) => {
                    is_map = false;
                    item.shares = shares;
                }
                (_, Found::Scalar(_, Some(share))) if is_map => item.map.push_name(name, share),
                _ => is_map = false,
            }
        }
        if !is_map {
            item.map = Shares::default();
        }
        if item.prediction.is_none() && item.shares.is_empty() {
            // a score without a label
            item.prediction = item.share.take().map(Prediction::Value);
        }
        Ok(item)
    }
}

/// Scores, each of one class.
#[derive(Debug, Default, Clone)]
pub(in crate::decode) struct Shares<'de> {
    /// As many as numbers, or none.
    names: Vec<Cow<'de, str>>,
    numbers: Vec<f64>,
}

impl<'de> Shares<'de> {
    pub(in crate::decode) fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.numbers.len()
    }

    pub(in crate::decode) fn has_names(&self) -> bool {
        !self.names.is_empty()
    }

    pub(super) fn labels(&self) -> Option<Vec<String>> {
        let label = |name: &Cow<'_, str>| walk::cut(name).to_owned();
        self.has_names()
            .then(|| self.names.iter().map(label).collect())
    }

    pub(super) fn push(&mut self, label: &Prediction, share: f64) {
        let name = label.class().map_or_else(String::new, Cow::into_owned);
        self.push_name(Cow::Owned(name), share);
    }

    pub(super) fn push_name(&mut self, name: Cow<'de, str>, share: f64) {
        self.names.push(name);
        self.numbers.push(share);
    }

    /// Adds `[label, score]`; `false`: it is something else.
    pub(super) fn push_pair<A: SeqAccess<'de>>(&mut self, mut list: A) -> Result<bool, A::Error> {
        let label = list.next_element_seed(At(Value))?;
        let share = list.next_element_seed(At(Value))?;
        let mut has_more = false;
        while list.next_element::<serde::de::IgnoredAny>()?.is_some() {
            has_more = true;
        }
        match (label, share) {
            (Some(Found::Scalar(label, _)), Some(Found::Scalar(_, Some(share)))) if !has_more => {
                self.push(&label, share);
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Whether numbers by name are scores of classes. `best`: also if some classes are missing.
    pub(super) fn is_ranking(&self, best: bool) -> bool {
        let sum: f64 = self.numbers.iter().sum();
        !self.is_empty()
            && self.numbers.iter().all(|n| confidence(*n).is_some())
            && (best || (self.len() > 1 && (sum - 1.0).abs() <= SUM))
    }

    /// The label with the largest score, the first of equal ones.
    pub(in crate::decode) fn best(&self) -> Output {
        let named = self.names.iter().zip(&self.numbers);
        let best = named.reduce(|best, next| if next.1 > best.1 { next } else { best });
        best.map_or_else(
            || Output::from(Prediction::Unknown),
            |(name, share)| {
                let name = walk::word(name);
                let prediction = name.map_or(Prediction::Unknown, Prediction::Name);
                Output::new(prediction, Some(*share))
            },
        )
    }

    /// The score of what was predicted: by name, else by index. Where it is neither, the predicted class
    /// is taken for the most probable, if these are probabilities.
    pub(in crate::decode) fn of(&self, prediction: &Prediction) -> Option<f64> {
        if self.has_names() {
            let class = prediction.class()?;
            let at = self
                .names
                .iter()
                .rposition(|name| walk::cut(name) == class)?;
            return self.numbers.get(at).copied();
        }
        meaning::share_of(prediction, &self.numbers, None)
    }

    /// Appends them in the order of `labels`; `NaN` for one that is not there.
    pub(super) fn append(&self, labels: Option<&[String]>, numbers: &mut Vec<f64>) {
        let Some(labels) = labels.filter(|_| self.has_names()) else {
            return numbers.extend_from_slice(&self.numbers);
        };
        for (place, label) in labels.iter().enumerate() {
            let is_it = |name: &Cow<'_, str>| walk::cut(name) == label;
            let at = match self.names.get(place) {
                Some(name) if is_it(name) => Some(place),
                _ => self.names.iter().rposition(is_it),
            };
            numbers.push(at.map_or(f64::NAN, |at| self.numbers[at]));
        }
    }
}

/// The place of scores: a list of them, or an object of classes with theirs.
pub(in crate::decode) struct SharesOf;

impl<'de> Node<'de> for SharesOf {
    type Found = Shares<'de>;

    fn leaf(self, _: Leaf<'_>) -> Shares<'de> {
        Shares::default()
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shares<'de>, A::Error> {
        let mut shares = Shares::default();
        while let Some(share) = list.next_element_seed(At(Number))? {
            shares.numbers.push(share.unwrap_or(f64::NAN));
        }
        Ok(shares)
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Shares<'de>, A::Error> {
        let mut shares = Shares::default();
        while let Some(name) = object.next_key_seed(Name)? {
            let share = object.next_value_seed(At(Number))?;
            shares.push_name(name, share.unwrap_or(f64::NAN));
        }
        Ok(shares)
    }
}

/// The value of a field of an item.
struct Value;

enum Found<'de> {
    /// With its number, where it is one.
    Scalar(Prediction, Option<f64>),
    /// An object or a list.
    Shares(Shares<'de>),
    Other,
}

impl<'de> Node<'de> for Value {
    type Found = Found<'de>;

    fn leaf(self, leaf: Leaf<'_>) -> Found<'de> {
        let number = leaf.number().filter(|number| number.is_finite());
        prediction(leaf).map_or(Found::Other, |value| Found::Scalar(value, number))
    }

    fn list<A: SeqAccess<'de>>(self, list: A) -> Result<Found<'de>, A::Error> {
        SharesOf.list(list).map(Found::Shares)
    }

    fn object<A: MapAccess<'de>>(self, object: A) -> Result<Found<'de>, A::Error> {
        SharesOf.object(object).map(Found::Shares)
    }
}

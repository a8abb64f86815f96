//! One item of an answer: its class and how sure the model is of it.

use std::borrow::Cow;

use serde::de::{MapAccess, SeqAccess};

use super::super::{
    Output,
    walk::{self, At, Leaf, Name, Node},
};

/// The value of `prediction`, as far as it matters.
#[derive(Debug)]
pub(super) enum Label {
    Null,
    Bool(bool),
    /// Index of a class or a class itself.
    Integer(i128),
    /// A regression value.
    Real,
    /// Not empty; already cut.
    Text(String),
}

impl Label {
    /// `None`: a list or object.
    pub(super) fn of(leaf: Leaf<'_>) -> Option<Self> {
        Some(match leaf {
            Leaf::Null => Self::Null,
            Leaf::Bool(value) => Self::Bool(value),
            Leaf::Integer(value) => Self::Integer(value),
            Leaf::Real(_) => Self::Real,
            Leaf::Text(text) => walk::word(text).map_or(Self::Null, Self::Text),
            Leaf::List | Leaf::Object => return None,
        })
    }

    pub(super) fn class(self) -> Option<String> {
        match self {
            Self::Null | Self::Real => None,
            Self::Bool(value) => Some(value.to_string()),
            Self::Integer(value) => Some(value.to_string()),
            Self::Text(text) => Some(text),
        }
    }
}

/// What stands beside `prediction`.
#[derive(Debug, Default)]
pub(super) struct Item<'de> {
    pub(super) confidence: Option<f64>,
    pub(super) odds: Odds<'de>,
}

impl Item<'_> {
    pub(super) fn output(self, label: Label) -> Output {
        let index = match label {
            Label::Integer(value) => usize::try_from(value).ok(),
            _ => None,
        };
        let class = label.class();
        let confidence = self.confidence.or_else(|| {
            let share = self.odds.of(class.as_deref()?, index)?;
            confidence(share)
        });
        Output { class, confidence }
    }
}

/// `share` if it is one. Sums of 32-bit floats end a little above 1.
fn confidence(share: f64) -> Option<f64> {
    (0.0..=1.0 + 1e-6).contains(&share).then(|| share.min(1.0))
}

/// The value of `probabilities`; as a place, where they are gathered.
#[derive(Debug, Default)]
pub(super) enum Odds<'de> {
    #[default]
    None,
    ByClass(Vec<(Cow<'de, str>, f64)>),
    ByIndex(Vec<f64>),
}

impl Odds<'_> {
    /// That of the class: by name or index, else the largest.
    fn of(&self, class: &str, index: Option<usize>) -> Option<f64> {
        match self {
            Self::None => None,
            Self::ByClass(odds) => {
                let named = odds.iter().rev().find(|(name, _)| walk::cut(name) == class);
                named.map_or_else(
                    || largest(odds.iter().map(|o| o.1)),
                    |&(_, share)| Some(share),
                )
            }
            Self::ByIndex(odds) => {
                let indexed = index.and_then(|index| odds.get(index));
                indexed.map_or_else(|| largest(odds.iter().copied()), |&share| Some(share))
            }
        }
    }
}

/// The largest share; `None` if one of them is none, for then they are scores of another kind.
fn largest(odds: impl Iterator<Item = f64>) -> Option<f64> {
    odds.map(confidence)
        .reduce(|a, b| Some(a?.max(b?)))
        .flatten()
}

impl<'de> Node<'de> for Odds<'de> {
    type Found = Self;

    fn leaf(self, _: Leaf<'_>) -> Self {
        Self::None
    }

    fn list<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self, A::Error> {
        let mut odds = Vec::new();
        while let Some(share) = list.next_element_seed(At(Share))? {
            odds.push(share);
        }
        Ok(Self::ByIndex(odds))
    }

    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<Self, A::Error> {
        let mut odds = Vec::new();
        while let Some(name) = object.next_key_seed(Name)? {
            odds.push((name, object.next_value_seed(At(Share))?));
        }
        Ok(Self::ByClass(odds))
    }
}

/// The place of one probability; what is no number holds its place as `NaN`.
struct Share;

impl Node<'_> for Share {
    type Found = f64;

    fn leaf(self, leaf: Leaf<'_>) -> f64 {
        leaf.number().unwrap_or(f64::NAN)
    }
}

/// The place of `confidence`.
pub(super) struct Confidence;

impl Node<'_> for Confidence {
    type Found = Option<f64>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<f64> {
        leaf.number().and_then(confidence)
    }
}

/// The place of a name or version.
pub(super) struct Word;

impl Node<'_> for Word {
    type Found = Option<String>;

    fn leaf(self, leaf: Leaf<'_>) -> Option<String> {
        leaf.word()
    }
}

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
            Label::Bool(value) => Some(usize::from(value)),
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
    /// That of the class: by name or index. A list does not name its classes: where the class is
    /// no index into it, the predicted one is taken for the most probable.
    fn of(&self, class: &str, index: Option<usize>) -> Option<f64> {
        match self {
            Self::None => None,
            Self::ByClass(odds) => {
                let named = odds.iter().rev().find(|(name, _)| walk::cut(name) == class);
                named.map(|&(_, share)| share)
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

#[cfg(test)]
mod tests {
    use super::super::tests::{class, output};

    #[test]
    fn a_class_is_a_word_an_integer_or_a_truth_value() {
        for (prediction, expected) in [
            (r#""setosa""#, class("setosa")),
            ("2", class("2")),
            ("-1", class("-1")),
            ("18446744073709551615", class("18446744073709551615")),
            ("-9223372036854775808", class("-9223372036854775808")),
            ("true", class("true")),
            (r#""00501""#, class("00501")),
            ("205.39", None),
            ("18446744073709551616", None),
            ("1e999", None),
            ("NaN", None),
            ("null", None),
            (r#""""#, None),
        ] {
            let response = format!(r#"{{"prediction":{prediction}}}"#);
            assert_eq!(output(&response), (expected, None), "{prediction}");
        }
    }

    #[test]
    fn confidence_is_a_share_or_a_string_that_is_one_and_never_invented() {
        for (confidence, expected) in [
            ("0.93", Some(0.93)),
            (r#""0.93""#, Some(0.93)),
            ("0", Some(0.0)),
            ("1", Some(1.0)),
            // The sum of an exponential in 32 bits.
            ("1.0000001192092896", Some(1.0)),
            ("1.1", None),
            ("-0.1", None),
            ("93", None),
            (r#""93%""#, None),
            ("NaN", None),
            ("Infinity", None),
            ("1e999", None),
            ("null", None),
            ("true", None),
            ("[0.9]", None),
            ("{}", None),
        ] {
            let response = format!(r#"{{"prediction":"a","confidence":{confidence}}}"#);
            assert_eq!(output(&response), (class("a"), expected), "{confidence}");
        }
    }

    #[test]
    fn without_confidence_it_is_the_probability_of_the_class() {
        for (prediction, probabilities, expected) in [
            (r#""b""#, r#"{"a":0.7,"b":0.3}"#, Some(0.3)),
            ("1", r#"{"0":0.7,"1":"0.3"}"#, Some(0.3)),
            ("true", r#"{"false":0.7,"true":0.3}"#, Some(0.3)),
            (r#""b""#, r#"{"b":0.1,"b":0.3,"a":0.7}"#, Some(0.3)),
            ("1", "[0.7,0.3]", Some(0.3)),
            // A truth value is an index too.
            ("true", "[0.7,0.3]", Some(0.3)),
            // A map without the class does not say how probable it is.
            ("1", r#"{"a":0.7,"b":0.3}"#, None),
            // Named or numbered otherwise: the largest.
            (r#""b""#, "[0.7,0.3]", Some(0.7)),
            ("2", "[0.7,0.3]", Some(0.7)),
            ("-1", "[0.7,0.3]", Some(0.7)),
            // Scores of another kind have no largest share.
            (r#""b""#, "[-1.2,0.3]", None),
            (r#""b""#, "[0.2,null]", None),
            (r#""b""#, "[NaN,0.3]", None),
            ("0", "[2.5,0.3]", None),
            // No class, no probability of it.
            ("1.5", "[0.7,0.3]", None),
            ("null", "[0.7,0.3]", None),
            (r#""b""#, "[]", None),
            (r#""b""#, "{}", None),
            (r#""b""#, "0.9", None),
            (r#""b""#, "[[0.7,0.3]]", None),
        ] {
            let (_, first) = output(&format!(
                r#"{{"probabilities":{probabilities},"prediction":{prediction}}}"#
            ));
            let (_, last) = output(&format!(
                r#"{{"prediction":{prediction},"confidence":null,"probabilities":{probabilities}}}"#
            ));
            assert_eq!((first, last), (expected, expected), "{probabilities}");
        }
        let told = r#"{"probabilities":[0.7,0.3],"prediction":0,"confidence":0.6}"#;
        assert_eq!(output(told), (class("0"), Some(0.6)));
    }
}

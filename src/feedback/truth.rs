//! A label in the terms of its prediction: is the class `"1"`, which somebody calls 1, the same?
//!
//! | predicted | the label is |
//! |---|---|
//! | a class by name | that text; a number is the class of that place, where the classes have names and none is called so; else its digits |
//! | a class by number | that number, also as a text, as `true` (1) or `false` (0), or the name of that place |
//! | `true` or `false` | that, also as a text in any case, or 1 and 0 |
//! | a number | a number, also as a text |
//!
//! What is none of these is a class of that name, which was not predicted.

use super::{
    labelled::{Labelled, LabelledClass, LabelledValue, Probabilities},
    posted::Truth,
    record::{Predicted, Said},
};

/// What is so, in the terms of a prediction.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Settled {
    /// A class.
    Class(String),
    /// A number.
    Value(f64),
}

/// Why a label says nothing of a prediction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unsettled {
    /// Of the item neither a class nor a number is known.
    NothingPredicted,
    /// A number was predicted, and it is none.
    NoNumber,
}

/// `truth` in the terms of `predicted`.
pub(super) fn settle(truth: &Truth, predicted: &Predicted) -> Result<Settled, Unsettled> {
    let names = &predicted.names;
    Ok(Settled::Class(match &predicted.said {
        Said::Unknown => return Err(Unsettled::NothingPredicted),
        Said::Value(_) => return number(truth).map(Settled::Value),
        Said::Name(name) => {
            let text = written(truth);
            let at_place = match truth {
                Truth::Integer(place) => usize::try_from(*place).ok().and_then(|at| names.get(at)),
                _ => None,
            };
            match at_place {
                Some(class) if text != *name && !names.contains(&text) => class.clone(),
                _ => text,
            }
        }
        Said::Index(_) => match truth {
            Truth::Bool(truth) => u8::from(*truth).to_string(),
            Truth::Text(text) => by_number(text, names),
            _ => written(truth),
        },
        Said::Bool(_) => match truth {
            Truth::Integer(0) => false.to_string(),
            Truth::Integer(1) => true.to_string(),
            Truth::Text(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "1" => true.to_string(),
                "false" | "0" => false.to_string(),
                _ => text.clone(),
            },
            _ => written(truth),
        },
    }))
}

fn number(truth: &Truth) -> Result<f64, Unsettled> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a number that was written without a fraction"
    )]
    let number = match truth {
        Truth::Integer(number) => Some(*number as f64),
        Truth::Number(number) => Some(*number),
        Truth::Text(text) => text.trim().parse().ok(),
        Truth::Bool(_) => None,
    };
    number
        .filter(|n: &f64| n.is_finite())
        .ok_or(Unsettled::NoNumber)
}

fn written(truth: &Truth) -> String {
    match truth {
        Truth::Text(text) => text.clone(),
        Truth::Integer(number) => number.to_string(),
        Truth::Number(number) => number.to_string(),
        Truth::Bool(truth) => truth.to_string(),
    }
}

/// The number of a class that is written as a text: its digits, or its name.
fn by_number(text: &str, names: &[String]) -> String {
    if let Some(place) = names.iter().position(|name| name == text) {
        return place.to_string();
    }
    match text.trim().parse::<f64>() {
        Ok(number) if number.fract() == 0.0 && number.is_finite() => number.to_string(),
        _ => text.to_owned(),
    }
}

/// The predicted class, as in the label `predicted_class`.
pub(super) fn class(said: &Said) -> Option<String> {
    match said {
        Said::Name(name) => Some(name.clone()),
        Said::Index(index) => Some(index.to_string()),
        Said::Bool(value) => Some(value.to_string()),
        Said::Value(_) | Said::Unknown => None,
    }
}

/// Hands `take` the prediction with its truth; nothing where these are not of one kind.
pub(super) fn labelled(predicted: &Predicted, truth: &Settled, take: impl FnOnce(&Labelled<'_>)) {
    match (truth, &predicted.said) {
        (Settled::Value(truth), Said::Value(predicted)) => {
            take(&Labelled::Value(LabelledValue {
                predicted: *predicted,
                truth: *truth,
            }));
        }
        (Settled::Class(truth), said) => {
            let Some(class) = class(said) else {
                return;
            };
            let shares = &predicted.shares;
            let probabilities = (!shares.is_empty()).then(|| Probabilities {
                values: shares,
                truth: place(predicted, truth),
            });
            take(&Labelled::Class(LabelledClass {
                predicted: &class,
                truth,
                confidence: predicted.confidence,
                probabilities,
            }));
        }
        (Settled::Value(_), _) => {}
    }
}

/// The place of a class among the probabilities.
fn place(predicted: &Predicted, class: &str) -> Option<usize> {
    let named = predicted.names.iter().position(|name| name == class);
    named.or_else(|| match predicted.said {
        Said::Index(_) => class.parse().ok(),
        Said::Bool(_) => Some(usize::from(class.parse::<bool>().ok()?)),
        _ => None,
    })
}

/// As bytes, which are the same for the same truth.
pub(super) fn bytes(truth: &Settled) -> Vec<u8> {
    match truth {
        Settled::Class(class) => [b"c", class.as_bytes()].concat(),
        Settled::Value(value) => {
            // -0 is 0
            let value = if *value == 0.0 { 0.0 } else { *value };
            [&b"v"[..], &value.to_le_bytes()].concat()
        }
    }
}

/// What [`bytes`] wrote.
pub(super) fn of_bytes(bytes: &[u8]) -> Option<Settled> {
    let (kind, rest) = bytes.split_first()?;
    match kind {
        b'c' => Some(Settled::Class(std::str::from_utf8(rest).ok()?.to_owned())),
        b'v' => Some(Settled::Value(f64::from_le_bytes(rest.try_into().ok()?))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(said: Said, names: &[&str]) -> Predicted {
        Predicted {
            model: "m".into(),
            version: "1".into(),
            at: 0.0,
            said,
            confidence: None,
            shares: Vec::new(),
            names: names.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    fn text(text: &str) -> Truth {
        Truth::Text(text.to_owned())
    }

    #[test]
    fn a_class_by_name_is_that_name_or_its_place() {
        let class = |truth, names: &[&str]| {
            let predicted = of(Said::Name("cat".to_owned()), names);
            let settled = settle(&truth, &predicted).unwrap();
            let Settled::Class(class) = settled else {
                panic!("{settled:?}")
            };
            class
        };
        assert_eq!(class(text("cat"), &[]), "cat");
        assert_eq!(class(text("Cat"), &[]), "Cat", "another class");
        assert_eq!(class(Truth::Integer(1), &["dog", "cat"]), "cat");
        assert_eq!(class(Truth::Integer(2), &["dog", "cat"]), "2");
        assert_eq!(class(Truth::Integer(1), &[]), "1");
        assert_eq!(
            class(Truth::Integer(1), &["2", "1"]),
            "1",
            "it is called so"
        );
        assert_eq!(class(Truth::Bool(true), &[]), "true");
    }

    #[test]
    fn a_class_by_number_is_that_number_however_it_is_written() {
        let predicted = of(Said::Index(1), &["no", "yes"]);
        for truth in [
            Truth::Integer(1),
            text("1"),
            text("1.0"),
            text(" 1"),
            Truth::Bool(true),
            text("yes"),
        ] {
            let settled = settle(&truth, &predicted).unwrap();
            assert_eq!(settled, Settled::Class("1".to_owned()), "{truth:?}");
        }
        let other = settle(&text("maybe"), &predicted).unwrap();
        assert_eq!(other, Settled::Class("maybe".to_owned()));
    }

    #[test]
    fn one_of_two_is_also_1_or_0() {
        let predicted = of(Said::Bool(true), &[]);
        for truth in [
            Truth::Bool(true),
            Truth::Integer(1),
            text("True"),
            text("1"),
        ] {
            let settled = settle(&truth, &predicted).unwrap();
            assert_eq!(settled, Settled::Class("true".to_owned()), "{truth:?}");
        }
        assert_eq!(
            settle(&Truth::Integer(0), &predicted),
            Ok(Settled::Class("false".to_owned()))
        );
        assert_eq!(
            settle(&Truth::Integer(2), &predicted),
            Ok(Settled::Class("2".to_owned()))
        );
    }

    #[test]
    fn a_number_needs_one() {
        let predicted = of(Said::Value(1.5), &[]);
        assert_eq!(settle(&text("2.5"), &predicted), Ok(Settled::Value(2.5)));
        assert_eq!(
            settle(&Truth::Integer(2), &predicted),
            Ok(Settled::Value(2.0))
        );
        for truth in [text("many"), text("nan"), text("inf"), Truth::Bool(true)] {
            assert_eq!(
                settle(&truth, &predicted),
                Err(Unsettled::NoNumber),
                "{truth:?}"
            );
        }
        let unknown = of(Said::Unknown, &[]);
        assert_eq!(
            settle(&text("a"), &unknown),
            Err(Unsettled::NothingPredicted)
        );
    }

    #[test]
    fn the_probability_of_the_truth_is_found_by_name_or_by_place() {
        let place = |said, names: &[&str], class| place(&of(said, names), class);
        let cat = || Said::Name("cat".to_owned());
        assert_eq!(place(cat(), &["dog", "cat"], "cat"), Some(1));
        assert_eq!(place(cat(), &["dog", "cat"], "cow"), None);
        assert_eq!(place(Said::Index(0), &[], "2"), Some(2));
        assert_eq!(place(Said::Bool(false), &[], "true"), Some(1));
    }

    #[test]
    fn a_truth_is_read_back_as_it_was_written() {
        for truth in [
            Settled::Class("a".to_owned()),
            Settled::Class(String::new()),
            Settled::Value(-2.5),
        ] {
            assert_eq!(of_bytes(&bytes(&truth)), Some(truth));
        }
        assert_eq!(bytes(&Settled::Value(-0.0)), bytes(&Settled::Value(0.0)));
        assert_eq!(of_bytes(b""), None);
        assert_eq!(of_bytes(b"v123"), None);
    }
}

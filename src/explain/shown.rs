//! Parts of an inference as JSON.

use serde::{Serialize, Serializer, ser::SerializeMap};

use crate::decode::{self, Column, Prediction, Probabilities, Scalar, Text};

/// Features by name, each with its values.
pub(super) struct Features<'a>(pub(super) &'a [Column]);

/// The values of one feature; a missing one is `null`.
pub(super) struct Values<'a>(pub(super) &'a decode::Values);

/// A class in the type it has on the wire; `null` where there is none.
pub(super) struct Class<'a>(pub(super) &'a Prediction);

/// How probable each class is.
#[derive(Serialize)]
pub(super) struct Shares<'a> {
    labels: Option<Vec<&'a str>>,
    rows: Vec<&'a [f64]>,
}

impl Serialize for Features<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for column in self.0 {
            map.serialize_entry(&*column.name.text(), &Values(&column.values))?;
        }
        map.end()
    }
}

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            // JSON has no NaN: it becomes null
            decode::Values::Numbers(numbers) => numbers.serialize(serializer),
            decode::Values::Mixed(values) => serializer.collect_seq(values.iter().map(Cell)),
        }
    }
}

struct Cell<'a>(&'a Scalar);

impl Serialize for Cell<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Scalar::Number(number) => number.serialize(serializer),
            Scalar::Bool(value) => value.serialize(serializer),
            Scalar::Text(text) => text.as_str().serialize(serializer),
            Scalar::Missing => serializer.serialize_none(),
        }
    }
}

impl Class<'_> {
    /// Whether `prediction` is a class.
    pub(super) fn is_one(prediction: &Prediction) -> bool {
        !matches!(prediction, Prediction::Unknown | Prediction::Value(_))
    }
}

impl Serialize for Class<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Prediction::Name(name) => name.as_str().serialize(serializer),
            Prediction::Index(index) => index.serialize(serializer),
            Prediction::Bool(value) => value.serialize(serializer),
            Prediction::Unknown | Prediction::Value(_) => serializer.serialize_none(),
        }
    }
}

impl<'a> Shares<'a> {
    pub(super) fn of(probabilities: &'a Probabilities) -> Self {
        Self {
            labels: probabilities
                .labels
                .as_ref()
                .map(|labels| labels.iter().map(Text::as_str).collect()),
            rows: probabilities.rows().collect(),
        }
    }
}

//! The lines as they stand in the log: field names and their order are what users search for.

use std::borrow::Cow;

use serde::{
    Serialize, Serializer,
    ser::{SerializeMap, SerializeSeq},
};

use super::super::redact::Redact;
use crate::{
    config::Features,
    decode::{Column, Inference, Scalar},
    telemetry::Utc,
};

/// A value as it is, or the hash in its place.
pub(super) type Text<'a> = Cow<'a, str>;

/// Everything of one exchange. What is not known has no field; a prediction without confidence
/// has `"confidence": null`.
#[derive(Serialize)]
pub(super) struct Line<'a> {
    pub(super) timestamp: Utc,
    pub(super) level: &'static str,
    pub(super) logger: &'a str,
    pub(super) message: &'static str,
    pub(super) request_id: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trace_id: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) method: Option<&'a str>,
    pub(super) path: Text<'a>,
    pub(super) client_ip: Text<'a>,
    pub(super) status_code: u16,
    pub(super) duration_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) upstream_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model_version: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prediction: Option<Prediction<Text<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) confidence: Option<Prediction<Share>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) items: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) features: Option<Items<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fault: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<&'static str>,
}

/// What each of the course page's lines begins with.
#[derive(Serialize)]
pub(super) struct Head<'a> {
    pub(super) timestamp: Utc,
    pub(super) level: &'static str,
    pub(super) logger: &'a str,
    pub(super) message: &'static str,
    pub(super) request_id: &'a str,
}

/// "Request started"
#[derive(Serialize)]
pub(super) struct Started<'a> {
    #[serde(flatten)]
    pub(super) head: Head<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) method: Option<&'a str>,
    pub(super) path: Text<'a>,
    pub(super) client_ip: Text<'a>,
}

/// "Prediction request"
#[derive(Serialize)]
pub(super) struct PredictionRequest<'a> {
    #[serde(flatten)]
    pub(super) head: Head<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) features: Option<Items<'a>>,
}

/// "Prediction result"
#[derive(Serialize)]
pub(super) struct PredictionResult<'a> {
    #[serde(flatten)]
    pub(super) head: Head<'a>,
    pub(super) prediction: Prediction<Text<'a>>,
    pub(super) confidence: Prediction<Share>,
    pub(super) model_version: Text<'a>,
}

/// "Request completed" or "Request failed"
#[derive(Serialize)]
pub(super) struct Completed<'a> {
    #[serde(flatten)]
    pub(super) head: Head<'a>,
    pub(super) status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error: Option<&'static str>,
    pub(super) duration_ms: f64,
}

/// One value for a single item, a list for a batch.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Prediction<T> {
    Single(Option<T>),
    Batch(Vec<Option<T>>),
}

impl<T> Prediction<T> {
    fn of(mut values: Vec<Option<T>>, is_batch: bool) -> Self {
        match values.pop() {
            Some(only) if values.is_empty() && !is_batch => Self::Single(only),
            last => {
                values.extend(last);
                Self::Batch(values)
            }
        }
    }
}

impl<'a> Prediction<Text<'a>> {
    /// The predicted classes.
    pub(super) fn classes(inference: &'a Inference, redact: &Redact) -> Self {
        let is_hidden = redact.covers("prediction");
        let shown = |class: &'a String| {
            if is_hidden {
                Text::Owned(redact.hash("prediction", class))
            } else {
                Text::Borrowed(class.as_str())
            }
        };
        let outputs = inference.outputs.iter();
        let classes = outputs.map(|o| o.class.as_ref().map(shown)).collect();
        Self::of(classes, inference.items() > 1)
    }
}

/// A confidence, or the hash in its place.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Share {
    Shown(f64),
    Hidden(String),
}

impl Prediction<Share> {
    /// Their confidences, rounded to whole multiples of `1 / parts` where that is given.
    pub(super) fn confidences(inference: &Inference, parts: Option<f64>, redact: &Redact) -> Self {
        let is_hidden = redact.covers("confidence");
        let shown = |value: f64| {
            if is_hidden {
                Share::Hidden(redact.hash("confidence", &value.to_string()))
            } else {
                Share::Shown(parts.map_or(value, |parts| (value * parts).round() / parts))
            }
        };
        let outputs = inference.outputs.iter();
        let confidences = outputs.map(|o| o.confidence.map(shown)).collect();
        Self::of(confidences, inference.items() > 1)
    }
}

/// The features that are wanted in a log, by name: a value for one row, a list for several.
pub(super) struct Items<'a> {
    pub(super) inference: &'a Inference,
    pub(super) wanted: &'a Features,
    pub(super) redact: &'a Redact,
}

impl Items<'_> {
    fn is_wanted(&self, name: &str) -> bool {
        match self.wanted {
            Features::All => true,
            Features::None => false,
            Features::Named(names) => names.iter().any(|wanted| wanted == name),
        }
    }
}

impl Serialize for Items<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let mut map = to.serialize_map(None)?;
        for column in &self.inference.features {
            if self.is_wanted(&column.name) {
                let redact = self.redact.covers(&column.name).then_some(self.redact);
                map.serialize_entry(&column.name, &Values { column, redact })?;
            }
        }
        map.end()
    }
}

struct Values<'a> {
    column: &'a Column,
    redact: Option<&'a Redact>,
}

impl Serialize for Values<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let value = |scalar| Value {
            name: &self.column.name,
            scalar,
            redact: self.redact,
        };
        if let [only] = self.column.values.as_slice() {
            return value(only).serialize(to);
        }
        let mut list = to.serialize_seq(Some(self.column.values.len()))?;
        for each in &self.column.values {
            list.serialize_element(&value(each))?;
        }
        list.end()
    }
}

struct Value<'a> {
    name: &'a str,
    scalar: &'a Scalar,
    redact: Option<&'a Redact>,
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match (self.scalar, self.redact) {
            (Scalar::Missing, _) => to.serialize_none(),
            (Scalar::Number(number), None) => to.serialize_f64(*number),
            (Scalar::Bool(value), None) => to.serialize_bool(*value),
            (Scalar::Text(text), None) => to.serialize_str(text),
            (Scalar::Number(number), Some(redact)) => {
                to.serialize_str(&redact.hash(self.name, &number.to_string()))
            }
            (Scalar::Bool(value), Some(redact)) => {
                to.serialize_str(&redact.hash(self.name, &value.to_string()))
            }
            (Scalar::Text(text), Some(redact)) => to.serialize_str(&redact.hash(self.name, text)),
        }
    }
}

//! The lines as they stand in the log: field names and their order are what users search for.

use std::{
    borrow::Cow,
    net::{IpAddr, Ipv4Addr},
};

use super::{
    super::redact::Redact,
    json::{self, Fields, Json, Word, Written, fields},
};
use crate::{
    config::Features,
    decode::{self, Inference, Output, Scalar},
    telemetry,
};

/// A value as it is, or the hash in its place.
pub(super) type Text<'a> = Cow<'a, str>;

fields! {
    /// Everything of one exchange. What is not known has no field; a prediction without
    /// confidence has `"confidence": null`.
    pub(super) struct Line<'a> {
        pub(super) timestamp: telemetry::Text,
        pub(super) level: Word,
        pub(super) logger: &'a Written,
        pub(super) message: Word,
        pub(super) request_id: Text<'a>,
        pub(super) trace_id: Option<Text<'a>>,
        pub(super) method: Option<&'a str>,
        pub(super) path: Text<'a>,
        pub(super) client_ip: Address,
        pub(super) status_code: u16,
        pub(super) grpc_status: Option<u32>,
        pub(super) duration_ms: f64,
        pub(super) upstream_ms: Option<f64>,
        pub(super) model: Option<Text<'a>>,
        pub(super) model_version: Option<Text<'a>>,
        pub(super) prediction: Option<Classes<'a>>,
        pub(super) confidence: Option<Confidences<'a>>,
        pub(super) items: Option<usize>,
        pub(super) features: Option<Items<'a>>,
        pub(super) fault: Option<&'static str>,
        pub(super) error: Option<&'static str>,
    }

    /// What each of the course page's lines begins with.
    pub(super) struct Head<'a> {
        pub(super) timestamp: telemetry::Text,
        pub(super) level: Word,
        pub(super) logger: &'a Written,
        pub(super) message: Word,
        pub(super) request_id: &'a str,
    }

    /// "Request started", after its head.
    pub(super) struct Started<'a> {
        pub(super) method: Option<&'a str>,
        pub(super) path: Text<'a>,
        pub(super) client_ip: Address,
    }

    /// "Prediction request", after its head.
    pub(super) struct PredictionRequest<'a> {
        pub(super) features: Option<Items<'a>>,
    }

    /// "Prediction result", after its head.
    pub(super) struct PredictionResult<'a> {
        pub(super) prediction: Classes<'a>,
        pub(super) confidence: Confidences<'a>,
        pub(super) model_version: Text<'a>,
    }

    /// "Request completed" or "Request failed", after its head.
    pub(super) struct Completed<'a> {
        pub(super) status_code: u16,
        pub(super) error: Option<&'a str>,
        pub(super) duration_ms: f64,
    }
}

impl Json for telemetry::Text {
    fn write(&self, out: &mut Vec<u8>) {
        json::quoted(self.as_bytes(), out);
    }
}

/// The client's address, or the hash in its place.
pub(super) enum Address {
    Shown(IpAddr),
    Hidden(String),
}

impl Json for Address {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Shown(IpAddr::V4(address)) => dotted(*address, out),
            Self::Shown(IpAddr::V6(address)) => address.to_string().write(out),
            Self::Hidden(hash) => hash.write(out),
        }
    }
}

/// A fifth of the instructions that the standard library's formatter and a string take.
fn dotted(address: Ipv4Addr, out: &mut Vec<u8>) {
    let mut text = [b'"'; 17];
    let mut end = 0;
    for (octet, before) in address.octets().into_iter().zip(*b"\"...") {
        let [hundreds, tens, ones] = [octet / 100, octet / 10 % 10, octet % 10];
        text[end] = before;
        text[end + 1] = b'0' + hundreds;
        end += 1 + usize::from(hundreds > 0);
        text[end] = b'0' + tens;
        end += usize::from(octet >= 10);
        text[end] = b'0' + ones;
        end += 1;
    }
    text[end] = b'"';
    out.extend_from_slice(&text[..=end]);
}

/// The predicted classes or values: one for a single item, a list for a batch.
#[derive(Clone, Copy)]
pub(super) struct Classes<'a> {
    pub(super) inference: &'a Inference,
    pub(super) redact: &'a Redact,
}

impl<'a> Json for Classes<'a> {
    fn write(&self, out: &mut Vec<u8>) {
        let is_hidden = self.redact.covers("prediction");
        let hash = |text: &str| Predicted::Class(self.redact.hash("prediction", text).into());
        let shown = |output: &'a Output| match (output.class(), output.value()) {
            (Some(class), _) if is_hidden => Some(hash(&class)),
            (_, Some(value)) if is_hidden => Some(hash(&value.to_string())),
            (Some(class), _) => Some(Predicted::Class(class)),
            (None, value) => value.map(Predicted::Value),
        };
        json::one_or_list(self.inference.outputs.iter().map(shown), out);
    }
}

/// A class, the hash in its place, or the value of a regression.
enum Predicted<'a> {
    Class(Cow<'a, str>),
    Value(f64),
}

impl Json for Predicted<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Class(class) => class.write(out),
            Self::Value(value) => value.write(out),
        }
    }
}

/// Their confidences, likewise.
#[derive(Clone, Copy)]
pub(super) struct Confidences<'a> {
    pub(super) inference: &'a Inference,
    pub(super) redact: &'a Redact,
    /// Rounded to whole multiples of `1 / parts` where that is given.
    pub(super) parts: Option<f64>,
}

impl Json for Confidences<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let is_hidden = self.redact.covers("confidence");
        let shown = |value: f64| {
            if is_hidden {
                Share::Hidden(self.redact.hash("confidence", &value.to_string()))
            } else {
                let rounded = |parts: f64| (value * parts).round() / parts;
                Share::Shown(self.parts.map_or(value, rounded))
            }
        };
        let confidence = |output: &Output| output.confidence().map(shown);
        json::one_or_list(self.inference.outputs.iter().map(confidence), out);
    }
}

/// A confidence, or the hash in its place.
enum Share {
    Shown(f64),
    Hidden(String),
}

impl Json for Share {
    fn write(&self, out: &mut Vec<u8>) {
        match self {
            Self::Shown(value) => value.write(out),
            Self::Hidden(hash) => hash.write(out),
        }
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

impl Json for Items<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let columns = self.inference.features.iter();
        let named = columns.map(|column| (column.name.text(), &column.values));
        let wanted = named.filter(|(name, _)| self.is_wanted(name));
        let entries = wanted.map(|(name, scalars)| {
            let redact = self.redact.covers(&name).then_some(self.redact);
            let values = Values {
                name: name.clone(),
                scalars,
                redact,
            };
            (name, values)
        });
        json::map(entries, out);
    }
}

struct Values<'a> {
    name: Cow<'a, str>,
    scalars: &'a decode::Values,
    redact: Option<&'a Redact>,
}

impl Json for Values<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let value = |scalar| Value {
            name: &self.name,
            scalar,
            redact: self.redact,
        };
        json::one_or_list(self.scalars.iter().map(value), out);
    }
}

struct Value<'a> {
    name: &'a str,
    scalar: Cow<'a, Scalar>,
    redact: Option<&'a Redact>,
}

impl Json for Value<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let mut hash = |redact: &Redact, text: &str| redact.hash(self.name, text).write(out);
        match (&*self.scalar, self.redact) {
            (Scalar::Missing, _) => None::<f64>.write(out),
            (Scalar::Number(number), None) => number.write(out),
            (Scalar::Bool(value), None) => value.write(out),
            (Scalar::Text(text), None) => text.write(out),
            (Scalar::Number(number), Some(redact)) => hash(redact, &number.to_string()),
            (Scalar::Bool(value), Some(redact)) => hash(redact, &value.to_string()),
            (Scalar::Text(text), Some(redact)) => hash(redact, text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_anywhere_is_written_as_the_standard_library_does() {
        for octet in 0..=u8::MAX {
            for address in [
                [octet, 0, 10, 255],
                [255, octet, octet, 255],
                [1, 99, 100, octet],
            ] {
                let mut out = Vec::new();
                Address::Shown(address.into()).write(&mut out);
                let expected = format!("\"{}\"", Ipv4Addr::from(address));
                assert_eq!(out, expected.as_bytes());
            }
        }
    }
}

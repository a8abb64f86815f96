//! One line of a log, by what it is.

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, Visitor},
};
use serde_json::Value as Json;

use crate::capture::recorded::Recorded;

/// What a line is. Of an agent's own event, fields may have anything under these names.
pub(super) enum Line {
    /// All of an exchange: `log.lines: one`.
    Whole(Box<Fields>),
    /// A part of one: `log.lines: separate`.
    Part(Part, Box<Fields>),
    /// Drift began or ended, as the agent saw it.
    Drift(Event),
    /// Something else that an agent said.
    Other,
    /// An exchange as `sidelight explain` takes it, with times where it has them.
    Recorded(Box<Recorded>, Box<Fields>),
}

/// The lines of `log.lines: separate`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Started,
    Asked,
    Answered,
    Completed,
}

/// Why nothing is made of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Unread {
    /// The last line of a file has no end: it was being written.
    Torn,
    NoJson,
    NoLine,
    NoExchange,
    TooLong,
    /// Parts of an exchange whose end is not there.
    NoEnd,
}

impl Unread {
    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::Torn => "cut off at the end of a file",
            Self::NoJson => "no JSON object",
            Self::NoLine => "neither a line of the log nor a recorded exchange",
            Self::NoExchange => "a recorded exchange that cannot be one",
            Self::TooLong => "too long",
            Self::NoEnd => "of requests whose end is not in the log",
        }
    }
}

/// A drift as an agent told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) has_begun: bool,
    pub(super) time: String,
    pub(super) model: String,
    pub(super) version: String,
    pub(super) series: String,
    pub(super) since: Option<String>,
}

/// What of a line counts.
#[derive(Default, Deserialize)]
pub(super) struct Fields {
    pub(super) timestamp: Option<Json>,
    level: Option<Json>,
    message: Option<Json>,
    pub(super) request_id: Option<Json>,
    pub(super) method: Option<Json>,
    pub(super) path: Option<Json>,
    pub(super) status_code: Option<Json>,
    pub(super) grpc_status: Option<Json>,
    pub(super) duration_ms: Option<Json>,
    pub(super) upstream_ms: Option<Json>,
    pub(super) model: Option<Json>,
    pub(super) model_version: Option<Json>,
    /// `Some(Null)`: it predicted, and what is not known.
    #[serde(default, deserialize_with = "present")]
    pub(super) prediction: Option<Json>,
    #[serde(default, deserialize_with = "present")]
    pub(super) confidence: Option<Json>,
    pub(super) items: Option<Json>,
    pub(super) features: Option<Columns>,
    pub(super) fault: Option<Json>,
    pub(super) error: Option<Json>,
    series: Option<Json>,
    since: Option<Json>,
    request: Option<IgnoredAny>,
    response: Option<IgnoredAny>,
}

fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

/// Features in their order; of what is no object there are none.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Columns {
    Named(InOrder),
    Other(IgnoredAny),
}

/// An object with its fields in their order.
pub(super) struct InOrder(pub(super) Vec<(String, Json)>);

impl<'de> Deserialize<'de> for InOrder {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = InOrder;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InOrder, A::Error> {
                let mut fields = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    fields.push(entry);
                }
                Ok(InOrder(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

impl Line {
    /// Reads a line.
    pub(super) fn read(line: &[u8]) -> Result<Self, Unread> {
        let fields: Fields = serde_json::from_slice(line).map_err(|_| Unread::NoJson)?;
        let fields = Box::new(fields);
        if fields.request.is_some() && fields.response.is_some() {
            let recorded = Recorded::read(line).map_err(|_| Unread::NoExchange)?;
            return Ok(Self::Recorded(Box::new(recorded), fields));
        }
        let (Some(message), Some(_), Some(_)) = (
            text(fields.message.as_ref()),
            text(fields.level.as_ref()),
            text(fields.timestamp.as_ref()),
        ) else {
            return Err(Unread::NoLine);
        };
        let is_whole = fields.path.is_some();
        let part = match message {
            "Request completed" | "Request failed" if is_whole => return Ok(Self::Whole(fields)),
            "Request completed" | "Request failed" => Part::Completed,
            "Request started" => Part::Started,
            "Prediction request" => Part::Asked,
            "Prediction result" => Part::Answered,
            "Drift detected!" => return Ok(Self::Drift(fields.event(true))),
            "Drift cleared" => return Ok(Self::Drift(fields.event(false))),
            _ => return Ok(Self::Other),
        };
        if text(fields.request_id.as_ref()).is_none() {
            return Err(Unread::NoLine);
        }
        Ok(Self::Part(part, fields))
    }
}

impl Fields {
    fn event(&self, has_begun: bool) -> Event {
        let owned = |value: &Option<Json>| text(value.as_ref()).unwrap_or_default().to_owned();
        Event {
            has_begun,
            time: owned(&self.timestamp),
            model: owned(&self.model),
            version: owned(&self.model_version),
            series: owned(&self.series),
            since: text(self.since.as_ref()).map(str::to_owned),
        }
    }

    /// What `later` says too is as it says.
    pub(super) fn join(&mut self, later: Self) {
        let Self {
            timestamp,
            request_id,
            method,
            path,
            status_code,
            grpc_status,
            duration_ms,
            upstream_ms,
            model,
            model_version,
            prediction,
            confidence,
            items,
            features,
            fault,
            error,
            ..
        } = later;
        for (own, later) in [
            (&mut self.timestamp, timestamp),
            (&mut self.request_id, request_id),
            (&mut self.method, method),
            (&mut self.path, path),
            (&mut self.status_code, status_code),
            (&mut self.grpc_status, grpc_status),
            (&mut self.duration_ms, duration_ms),
            (&mut self.upstream_ms, upstream_ms),
            (&mut self.model, model),
            (&mut self.model_version, model_version),
            (&mut self.prediction, prediction),
            (&mut self.confidence, confidence),
            (&mut self.items, items),
            (&mut self.fault, fault),
            (&mut self.error, error),
        ] {
            *own = later.or(own.take());
        }
        self.features = features.or(self.features.take());
    }
}

/// A value that is a text.
pub(super) fn text(value: Option<&Json>) -> Option<&str> {
    value?.as_str()
}

//! A line of the log as the exchange and the inference that it was written of.

use std::{sync::Arc, time::Duration};

use http::Method;
use jiff::Timestamp;
use serde_json::Value as Json;

use super::line::{Columns, Fields, InOrder, text};
use crate::{
    capture::{Exchange, Fault, policy::Interest, route::Routes},
    config::{self, RouteKind},
    decode::{Column, Inference, Name, Output, Prediction, Scalar, Source, Values},
    drift::SeriesName,
    history::is_hashed,
    proxy::past,
};

/// What a line says.
pub(super) struct Logged {
    pub(super) exchange: Exchange,
    /// From the first byte to the last, where it is said.
    pub(super) duration: Option<Duration>,
    /// The answer came from the upstream.
    pub(super) is_answered: bool,
    /// What was read of the bodies; `None`: nothing.
    pub(super) said: Option<Said>,
    /// Which parts of it were hashed.
    pub(super) hidden: Hidden,
    /// When it ended.
    pub(super) at: Option<Timestamp>,
}

/// What was read of the bodies.
pub(super) struct Said {
    pub(super) inference: Inference,
    pub(super) model: String,
    pub(super) version: String,
    /// What was hashed: it is not known what it was.
    pub(super) withheld: Vec<SeriesName>,
    /// The line has an object of features, whatever is in it.
    pub(super) has_features: bool,
}

/// Which fields of a line are hashes.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hidden {
    pub(super) path: bool,
    pub(super) model: bool,
    pub(super) version: bool,
}

impl Logged {
    /// `None`: it has no status, so it is no exchange. `is_one`: it is a line for all of an exchange.
    pub(super) fn new(
        fields: &Fields,
        routes: &Routes,
        configured: &config::Model,
        is_one: bool,
    ) -> Option<Self> {
        let status = fields.status_code.as_ref()?.as_u64()?;
        let status = u16::try_from(status).ok().filter(|s| *s < 1000)?;
        let (path, is_hidden) = shown(fields.path.as_ref());
        let path = path.unwrap_or_default();
        let path = &path[..path.floor_char_boundary(Exchange::MAX_PATH)];
        let route = routes.find(path).cloned();
        let at = time(fields.timestamp.as_ref());
        let duration = milliseconds(fields.duration_ms.as_ref());
        let end = at.map_or(Duration::ZERO, |at| {
            Duration::try_from(at.as_duration()).unwrap_or_default()
        });
        let error = text(fields.error.as_ref()).map(past::reason);
        let told = text(fields.fault.as_ref());
        let fault = Fault::ALL.into_iter().find(|f| Some(f.label()) == told);
        let method = text(fields.method.as_ref());
        let mut exchange = Exchange {
            request_id: text(fields.request_id.as_ref())
                .unwrap_or_default()
                .to_owned(),
            method: method.and_then(|method| Method::from_bytes(method.as_bytes()).ok()),
            path: path.to_owned(),
            endpoint: Arc::from(path),
            route,
            status,
            started: end.saturating_sub(duration.unwrap_or_default()),
            duration: duration.unwrap_or_default(),
            upstream: milliseconds(fields.upstream_ms.as_ref()),
            // the separate lines do not say whose fault it was
            fault: fault.or_else(|| {
                if is_one {
                    None
                } else {
                    Fault::of_status(status)
                }
            }),
            error,
            grpc_status: fields
                .grpc_status
                .as_ref()
                .and_then(|s| s.as_u64()?.try_into().ok()),
            ..Exchange::default()
        };
        let mut hidden = Hidden {
            path: is_hidden,
            ..Hidden::default()
        };
        let said = Said::new(fields, &exchange, configured, &mut hidden);
        if said.is_some() {
            exchange.interest = Interest::Bodies;
        }
        Some(Self {
            is_answered: if is_one {
                exchange.upstream.is_some()
            } else {
                error.is_none()
            },
            exchange,
            duration,
            said,
            hidden,
            at,
        })
    }
}

impl Said {
    fn new(
        fields: &Fields,
        exchange: &Exchange,
        configured: &config::Model,
        hidden: &mut Hidden,
    ) -> Option<Self> {
        let named = |value: &Option<Json>, own: &str| {
            let name = text(value.as_ref());
            let name = name.map(|name| &name[..name.floor_char_boundary(Inference::MAX_WORD)]);
            (name.unwrap_or(own).to_owned(), name.is_some_and(is_hashed))
        };
        let columns = match &fields.features {
            Some(Columns::Named(InOrder(columns))) => Some(columns.as_slice()),
            Some(Columns::Other(_)) | None => None,
        };
        if fields.prediction.is_none() && fields.model.is_none() && columns.is_none() {
            return None;
        }
        let (model, version);
        (model, hidden.model) = named(&fields.model, &configured.name);
        (version, hidden.version) = named(&fields.model_version, &configured.version);
        let mut withheld = Vec::new();
        let outputs = outputs(fields, &mut withheld);
        let items = fields.items.as_ref().and_then(Json::as_u64);
        let items = items.and_then(|items| usize::try_from(items).ok());
        let items = items.unwrap_or(outputs.len()).max(outputs.len());
        let features =
            columns.map_or_else(Vec::new, |all| self::columns(all, items, &mut withheld));
        let sampled = features.first().map(|column| column.values.len());
        // what texts a model writes are no classes
        let is_generated = exchange
            .route
            .as_ref()
            .is_some_and(|route| route.kind == RouteKind::Generate);
        Some(Self {
            inference: Inference {
                format: "log",
                rows: sampled.unwrap_or(0),
                features,
                outputs,
                source: if is_generated {
                    Source::Generated
                } else {
                    Source::Label
                },
                ..Inference::default()
            },
            model,
            version,
            withheld,
            has_features: columns.is_some(),
        })
    }
}

/// One output for each item that was predicted.
fn outputs(fields: &Fields, withheld: &mut Vec<SeriesName>) -> Vec<Output> {
    let Some(predicted) = &fields.prediction else {
        return Vec::new();
    };
    let all = one_or_list(predicted);
    let sure = fields.confidence.as_ref().map(one_or_list);
    let sure = sure.unwrap_or_default();
    let (mut hides_class, mut hides_share) = (false, false);
    let outputs = all.iter().enumerate().map(|(item, predicted)| {
        let prediction = match predicted {
            Json::Number(number) => match number.as_f64().filter(|n| n.is_finite()) {
                Some(value) => Prediction::Value(value),
                None => Prediction::Unknown,
            },
            Json::String(class) if is_hashed(class) => {
                hides_class = true;
                Prediction::Unknown
            }
            Json::String(class) if !class.is_empty() => {
                let end = class.floor_char_boundary(Inference::MAX_WORD);
                Prediction::Name(class[..end].into())
            }
            _ => Prediction::Unknown,
        };
        let share = sure.get(item);
        hides_share |= share.and_then(Json::as_str).is_some_and(is_hashed);
        Output::new(prediction, share.and_then(Json::as_f64))
    });
    let outputs = outputs.collect();
    if hides_class {
        withheld.extend([SeriesName::Class, SeriesName::Value]);
    }
    if hides_share {
        withheld.push(SeriesName::Confidence);
    }
    outputs
}

/// The features that are shown; those that are hashed are withheld.
fn columns(all: &[(String, Json)], items: usize, withheld: &mut Vec<SeriesName>) -> Vec<Column> {
    let mut columns: Vec<Column> = Vec::new();
    let mut rows = None;
    for (name, values) in all {
        let name = &name[..name.floor_char_boundary(Inference::MAX_WORD)];
        // an empty list is no row
        let values = match values {
            Json::Array(values) => values.as_slice(),
            one => std::slice::from_ref(one),
        };
        if values
            .iter()
            .any(|value| value.as_str().is_some_and(is_hashed))
        {
            withheld.push(SeriesName::Feature(name.to_owned()));
            continue;
        }
        let is_known = |column: &Column| column.name.text() == name;
        // a name that is there twice is what it was first, and all columns have as many rows
        let is_odd = *rows.get_or_insert(values.len()) != values.len();
        if is_odd || columns.iter().any(is_known) || values.len() > items.max(1) {
            continue;
        }
        columns.push(Column {
            name: Name::Word(name.into()),
            values: values.iter().map(scalar).collect::<Values>(),
        });
    }
    columns
}

fn scalar(value: &Json) -> Scalar {
    match value {
        Json::Number(number) => number.as_f64().map_or(Scalar::Missing, Scalar::of_number),
        Json::Bool(value) => Scalar::Bool(*value),
        Json::String(text) => Scalar::Text(text.as_str().into()),
        Json::Null | Json::Array(_) | Json::Object(_) => Scalar::Missing,
    }
}

fn one_or_list(value: &Json) -> &[Json] {
    match value {
        Json::Array(values) => values,
        one => std::slice::from_ref(one),
    }
}

/// A text that is shown, and whether it is hidden.
fn shown(value: Option<&Json>) -> (Option<&str>, bool) {
    match text(value) {
        Some(hash) if is_hashed(hash) => (None, true),
        shown => (shown, false),
    }
}

pub(super) fn time(value: Option<&Json>) -> Option<Timestamp> {
    let time: Timestamp = text(value)?.parse().ok()?;
    (time >= Timestamp::UNIX_EPOCH).then_some(time)
}

/// Nothing takes longer than a year.
pub(super) fn milliseconds(value: Option<&Json>) -> Option<Duration> {
    let milliseconds = value?.as_f64()?;
    let known = 0.0..=366.0 * 86_400_000.0;
    known
        .contains(&milliseconds)
        .then(|| Duration::from_secs_f64(milliseconds / 1000.0))
}

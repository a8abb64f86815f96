//! Which rule matched, and what was not found.

use super::said::Told;
use crate::{
    capture::{Exchange, exchange::Message, grpc, tee::End},
    config::{self, RouteKind},
    decode::{self, DecodeError, Inference, Name, Prediction, Source},
};

/// Sentences without full stops, joined by semicolons.
///
/// `is_configured`: the route is one of the configuration.
pub(super) fn of(
    exchange: &Exchange,
    told: &Told,
    is_configured: bool,
    bounds: &config::Capture,
) -> String {
    let mut why = vec![of_path(exchange, told, is_configured)];
    if is_configured && matches!(told, Told::Read(_) | Told::Unread(_)) {
        why.extend(of_places(exchange, bounds));
    }
    match told {
        Told::Read(inference) => why.extend(of_inference(exchange, inference)),
        Told::Unread(error) => why.extend(of_failure(exchange, error)),
        Told::TooLong => why.push(of_length(exchange, bounds)),
        Told::Known(..) | Told::Unwanted => {}
    }
    why.join("; ")
}

/// What stands nowhere of what the route says a place of.
fn of_places(exchange: &Exchange, bounds: &config::Capture) -> Vec<String> {
    let keys = decode::not_found(exchange, bounds).unwrap_or_default();
    let nothing = |key| format!("nothing stands where the route's `{key}` says");
    keys.into_iter().map(nothing).collect()
}

fn of_path(exchange: &Exchange, told: &Told, is_configured: bool) -> String {
    let (path, method) = (&exchange.path, exchange.method.as_ref());
    let method = method.map_or("", |method| method.as_str());
    match (told, exchange.route.as_deref()) {
        (Told::Known(purpose, _), _) => {
            format!(
                "{method} {path} is known for {}: no prediction",
                purpose.name()
            )
        }
        (Told::Unwanted, Some(route)) if route.kind == RouteKind::Ignore => {
            format!(
                "the route {} of the configuration says ignore",
                route.endpoint
            )
        }
        (Told::Unwanted, _) => {
            format!("{method} carries no body that could ask for a prediction, or a probe sent it")
        }
        (_, Some(route)) if is_configured => {
            format!("the route {} of the configuration matched", route.endpoint)
        }
        (_, Some(route)) => format!("{} is known for predictions", route.endpoint),
        (_, None) => format!("no route names {path}: a body may be a prediction anywhere"),
    }
}

fn of_inference(exchange: &Exchange, inference: &Inference) -> Vec<String> {
    let mut why = vec![of_format(exchange, inference.format)];
    let items = inference.items();
    if exchange.fault.is_some() {
        why.push(no_prediction(exchange));
    } else {
        let not_found = not_found(inference).filter(|_| !inference.is_generated());
        why.extend(not_found.map(str::to_owned));
        if items == 0 {
            why.push("no items in the answer".to_owned());
        }
    }
    why.extend(inference.note.map(str::to_owned));
    if inference.rows == 0 {
        why.push("no rows found in the request".to_owned());
    } else if inference.features.is_empty() && inference.generation.is_none() {
        why.push("rows were counted, their features were not kept".to_owned());
    } else if inference.sampled() < inference.rows {
        let (some, rows) = (inference.sampled(), inference.rows);
        why.push(format!(
            "features of {some} of {rows} rows are kept: decode.max_items"
        ));
    } else if is_unnamed(inference) {
        why.push("features have no names on the wire: the route's `features` can name them".into());
    }
    let (model, version) = decode::named(Some(inference), exchange);
    match (model, version) {
        (None, None) => why.push("neither model nor version on the wire".to_owned()),
        (None, _) => why.push("no model on the wire".to_owned()),
        (_, None) => why.push("no version on the wire".to_owned()),
        _ => {}
    }
    why
}

fn no_prediction(exchange: &Exchange) -> String {
    match exchange.grpc_status {
        Some(status) if status != grpc::OK => format!("gRPC status {status}: no prediction"),
        _ => format!("status {}: no prediction", exchange.status),
    }
}

fn of_format(exchange: &Exchange, format: &str) -> String {
    let route = exchange.route.as_deref();
    if route.is_some_and(|route| route.format.is_some()) {
        format!("the route says format {format}")
    } else if format == "unknown" {
        "no format knows the request".to_owned()
    } else if decode::named_format(exchange) == Some(format) {
        format!("path or fields say format {format}")
    } else {
        format!("the bodies have the shape of format {format}")
    }
}

fn of_failure(exchange: &Exchange, error: &DecodeError) -> Vec<String> {
    let named = decode::named_format(exchange);
    let format = named.map(|format| format!("path or fields say format {format}"));
    let hint = matches!(error, DecodeError::UnknownShape)
        .then(|| "a route with a format could say how to read it".to_owned());
    format
        .into_iter()
        .chain([error.to_string()])
        .chain(hint)
        .collect()
}

/// The outcome of the agent, and what would have it read.
fn of_length(exchange: &Exchange, bounds: &config::Capture) -> String {
    let is_too_long =
        |message: &Message| matches!(&message.body, Some(body) if body.end == End::TooLong);
    let (whose, message) = if is_too_long(&exchange.request) {
        ("request", &exchange.request)
    } else {
        ("answer", &exchange.response)
    };
    let passed = message.body.as_ref().map_or(0, |body| body.passed);
    let limit = bounds.body_limit;
    format!(
        "too_long: the {whose} has {passed} bytes, and capture.body_limit keeps {limit}: nothing is read"
    )
}

fn is_unnamed(inference: &Inference) -> bool {
    let mut columns = inference.features.iter();
    columns.any(|column| matches!(column.name, Name::Position(_)))
}

fn not_found(inference: &Inference) -> Option<&'static str> {
    let outputs = &inference.outputs;
    let first = outputs.first()?;
    let is_value = matches!(first.prediction, Prediction::Value(_));
    if inference.source == Source::Text {
        Some(
            "a text is no class: the route's `kind: generate` says that, `kind: classify` that it is",
        )
    } else if outputs.iter().any(|o| o.prediction == Prediction::Unknown) {
        Some("class unknown: the route's `kind` or `classes` can tell it")
    } else if !is_value && outputs.iter().any(|o| o.confidence().is_none()) {
        Some("no confidence on the wire")
    } else {
        None
    }
}

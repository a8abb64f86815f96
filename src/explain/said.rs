//! What is said of one exchange: the words of `expect` in the recorded pairs.

use serde::Serialize;

use super::shown::{Class, Features, Shares, Values};
use crate::{
    capture::{
        Exchange, Fault,
        policy::{self, Interest, Purpose},
    },
    config::{self, RouteKind},
    decode::{
        self, DecodeError, Generation, Inference, Name, Output, Prediction, Scalar, Source, Usage,
    },
};

/// What an exchange turned out to be.
pub(super) enum Told {
    /// No prediction, and not meant to be one.
    Known(Purpose, Subject),
    /// Its route says that it is to be ignored, or nothing says that it could be a prediction.
    Unwanted,
    /// Its bodies were read.
    Read(Inference),
    /// They could not be.
    Unread(DecodeError),
    /// One of them is longer than is kept, so that neither is read.
    TooLong,
}

/// Of which model something is told that is no prediction.
#[derive(Default)]
pub(super) struct Subject {
    model: Option<String>,
    version: Option<String>,
}

impl Told {
    /// What was read, if anything was.
    pub(super) fn inference(&self) -> Option<&Inference> {
        match self {
            Self::Read(inference) => Some(inference),
            _ => None,
        }
    }

    /// `max_items`: rows whose features are kept.
    pub(super) fn of(exchange: &Exchange, bounds: &config::Capture, max_items: usize) -> Self {
        if exchange.interest == Interest::Bodies && exchange.is_too_long() {
            return Self::TooLong;
        }
        if exchange.interest == Interest::Bodies {
            return match decode::decode(exchange, bounds) {
                Ok(mut inference) => {
                    inference.sample(max_items);
                    Self::Read(inference)
                }
                Err(error) => Self::Unread(error),
            };
        }
        match purpose(exchange) {
            Some(purpose) => Self::Known(purpose, Subject::of(exchange, bounds)),
            None => Self::Unwanted,
        }
    }
}

/// A prediction route has no other purpose, whatever its path looks like.
fn purpose(exchange: &Exchange) -> Option<Purpose> {
    let route = exchange.route.as_deref();
    if route.is_some_and(|route| route.kind != RouteKind::Ignore) {
        return None;
    }
    policy::purpose(exchange.method.as_ref()?, &exchange.path)
}

impl Subject {
    fn of(exchange: &Exchange, bounds: &config::Capture) -> Self {
        let (model, version) = decode::subject(exchange, bounds);
        Self { model, version }
    }
}

/// A line of output. Every key is there, with `null` for what is not known.
#[derive(Serialize)]
pub(super) struct Said<'a> {
    id: Option<&'a str>,
    kind: Option<&'static str>,
    model: Option<&'a str>,
    model_version: Option<&'a str>,
    items: Option<usize>,
    features: Option<Features<'a>>,
    columns: Option<Vec<Values<'a>>>,
    predicted_class: Option<Vec<Class<'a>>>,
    class_source: Option<&'static str>,
    confidence: Option<Vec<Option<f64>>>,
    probabilities: Option<Shares<'a>>,
    value: Option<Vec<Option<f64>>>,
    error: bool,
    error_kind: Option<&'static str>,
    status: u16,
    text: Option<Vec<&'a str>>,
    stream: Option<bool>,
    output_text: Option<&'a str>,
    finish_reason: Option<&'a [String]>,
    usage: Option<Usage>,
    content_chunks: Option<usize>,
    done_marker: Option<bool>,
    chunks_expected: Option<usize>,
    format: Option<&'a str>,
    route: Option<&'a str>,
    fault: Option<&'static str>,
    why: String,
}

/// A line for what is no exchange.
#[derive(Serialize)]
pub(super) struct Refused<'a> {
    id: (),
    why: &'a str,
}

impl<'a> Refused<'a> {
    pub(super) fn new(why: &'a str) -> Self {
        Self { id: (), why }
    }
}

impl<'a> Said<'a> {
    pub(super) fn new(
        id: Option<&'a str>,
        exchange: &'a Exchange,
        told: &'a Told,
        fault: Option<Fault>,
        why: String,
    ) -> Self {
        let error_kind = error_kind(exchange);
        let said = Self {
            id,
            kind: kind(told, error_kind),
            model: None,
            model_version: None,
            items: None,
            features: None,
            columns: None,
            predicted_class: None,
            class_source: None,
            confidence: None,
            probabilities: None,
            value: None,
            error: error_kind.is_some(),
            error_kind,
            status: exchange.status,
            text: None,
            stream: None,
            output_text: None,
            finish_reason: None,
            usage: None,
            content_chunks: None,
            done_marker: None,
            chunks_expected: None,
            format: None,
            route: exchange.route.as_ref().map(|route| &*route.endpoint),
            fault: fault.map(Fault::label),
            why,
        };
        match told {
            Told::Read(inference) => said.with_inference(exchange, inference),
            Told::Known(_, subject) => Self {
                model: subject.model.as_deref(),
                model_version: subject.version.as_deref(),
                ..said
            },
            Told::Unwanted | Told::Unread(_) | Told::TooLong => said,
        }
    }

    /// The model and version of a prediction, from the wire or the route; empty: unknown.
    pub(super) fn identify(&mut self, (model, version): (&'a str, &'a str)) {
        let known = |name: &'a str| (!name.is_empty()).then_some(name);
        self.model = self.model.or(known(model));
        self.model_version = self.model_version.or(known(version));
    }

    fn with_inference(self, exchange: &'a Exchange, inference: &'a Inference) -> Self {
        let (model, model_version) = decode::named(Some(inference), exchange);
        let said = Self {
            model,
            model_version,
            items: Some(inference.items()).filter(|items| *items > 0 || !self.error),
            format: (inference.format != "unknown").then_some(inference.format),
            ..self
        };
        let said = said.with_features(inference).with_outputs(inference);
        match &inference.generation {
            Some(generation) => said.with_generation(generation),
            None => said,
        }
    }

    fn with_generation(self, generation: &'a Generation) -> Self {
        if generation.is_embedding {
            return Self {
                usage: generation.usage,
                ..self
            };
        }
        let prompts = generation.prompts.as_ref();
        Self {
            text: prompts.map(|texts| texts.iter().map(String::as_str).collect()),
            stream: Some(generation.is_stream),
            output_text: Some(&generation.output),
            finish_reason: generation.finish.as_deref(),
            usage: generation.usage,
            content_chunks: generation.content_chunks,
            done_marker: generation.done_marker,
            chunks_expected: generation.lines,
            ..self
        }
    }

    fn with_features(self, inference: &'a Inference) -> Self {
        let columns = &inference.features;
        if columns.is_empty() {
            return self;
        }
        if let Some(text) = shown_text(inference) {
            return Self {
                text: Some(text),
                ..self
            };
        }
        let are_named = columns.iter().any(|c| matches!(c.name, Name::Word(_)));
        if are_named {
            return Self {
                features: Some(Features(columns)),
                ..self
            };
        }
        Self {
            columns: Some(columns.iter().map(|c| Values(&c.values)).collect()),
            ..self
        }
    }

    fn with_outputs(self, inference: &'a Inference) -> Self {
        let outputs = &inference.outputs;
        let predictions = || outputs.iter().map(|output| &output.prediction);
        let classes = || predictions().map(Class).collect();
        let confidences = || outputs.iter().map(Output::confidence).collect();
        let values = || outputs.iter().map(Output::value).collect();
        let has_classes = predictions().any(Class::is_one);
        let has_values = outputs.iter().any(|output| output.value().is_some());
        let has_confidences = outputs.iter().any(|output| output.confidence().is_some());
        Self {
            predicted_class: has_classes.then(classes),
            class_source: has_classes.then(|| source(inference.source)),
            confidence: has_confidences.then(confidences),
            probabilities: inference.probabilities.as_ref().map(Shares::of),
            value: has_values.then(values),
            ..self
        }
    }
}

/// An only column without a name, of nothing but texts, is what a model of texts was asked.
fn shown_text(inference: &Inference) -> Option<Vec<&str>> {
    let [column] = inference.features.as_slice() else {
        return None;
    };
    let decode::Values::Mixed(values) = &column.values else {
        return None;
    };
    if !matches!(column.name, Name::Position(_)) {
        return None;
    }
    values.iter().map(as_text).collect()
}

fn as_text(value: &Scalar) -> Option<&str> {
    match value {
        Scalar::Text(text) => Some(text),
        _ => None,
    }
}

fn kind(told: &Told, error_kind: Option<&str>) -> Option<&'static str> {
    match told {
        Told::Known(purpose, _) => Some(purpose.name()),
        _ if error_kind.is_some() => Some("error"),
        Told::Read(inference) if inference.outputs.is_empty() && inference.task.is_some() => {
            Some(Purpose::Job.name())
        }
        Told::Read(inference) => of_outputs(inference),
        Told::Unwanted | Told::Unread(_) | Told::TooLong => None,
    }
}

fn of_outputs(inference: &Inference) -> Option<&'static str> {
    let is_embedding = |generation: &Generation| generation.is_embedding;
    if inference.generation.as_deref().is_some_and(is_embedding) {
        return Some("embed");
    }
    if inference.is_generated() {
        return Some("generate");
    }
    let mut predictions = inference.outputs.iter().map(|output| &output.prediction);
    predictions.find_map(|prediction| match prediction {
        Prediction::Unknown => None,
        Prediction::Value(_) => Some("regress"),
        _ => Some("classify"),
    })
}

fn error_kind(exchange: &Exchange) -> Option<&'static str> {
    Some(match exchange.fault? {
        Fault::Client => "client",
        Fault::ClientAs5xx | Fault::Upstream | Fault::Sidelight => "server",
    })
}

fn source(source: Source) -> &'static str {
    match source {
        Source::Label | Source::Text | Source::Generated => "label",
        Source::ArgmaxIndex => "argmax_index",
        Source::ArgmaxLabel => "argmax_label",
        Source::ClassificationExtension => "classification_ext",
    }
}

//! What is promised of everything that is read, whatever it is read from.

use std::{collections::HashSet, sync::LazyLock};

use super::super::{
    Column, DECODERS, DecodeError, Inference, Name, Output, Prediction, Scalar, Source, Target,
    Text, Values, has_failed, identity, named as names, subject, target, walk::cut,
};
use crate::{
    capture::{Exchange, Fault},
    config::{self, RouteKind},
};

/// Of an inference by itself; `bytes`: of both bodies.
pub(in super::super) fn check(inference: &Inference, bytes: usize) {
    let formats = DECODERS.iter().map(|decoder| decoder.format);
    let mut formats = formats.chain([DecodeError::UNKNOWN]);
    assert!(formats.any(|format| format == inference.format));
    for word in [&inference.model, &inference.version, &inference.task] {
        assert!(word.as_deref().is_none_or(is_word));
    }
    let (rows, items) = (inference.rows, inference.outputs.len());
    assert!(rows == items || rows == 0 || items == 0);
    inference.features.iter().for_each(|c| column(c, rows));
    let names = inference.features.iter().map(|column| &column.name);
    let names: Vec<&Name> = names.collect();
    let distinct: HashSet<&Name> = names.iter().copied().collect();
    assert_eq!(distinct.len(), names.len(), "a feature has one column");
    inference.outputs.iter().for_each(output);
    if inference.probabilities.is_some() {
        probabilities(inference);
    }
    if inference.generation.is_some() {
        let outputs = inference.outputs.iter();
        let mut kinds = outputs.map(|output| &output.prediction);
        assert!(kinds.all(|kind| *kind == Prediction::Unknown));
    }
    assert!(held_bytes(inference) <= 32 * bytes + 200_000);
}

fn is_word(word: &str) -> bool {
    !word.is_empty() && word.len() <= Inference::MAX_WORD
}

fn column(column: &Column, rows: usize) {
    assert_eq!(column.values.len(), rows);
    if let Name::Word(name) = &column.name {
        assert!(name.len() <= Inference::MAX_WORD);
    }
    match &column.values {
        Values::Numbers(numbers) => assert!(numbers.iter().all(|n| n.is_finite() || n.is_nan())),
        Values::Mixed(values) => {
            let is_finite = |value: &Scalar| !matches!(value, Scalar::Number(n) if !n.is_finite());
            assert!(values.iter().all(is_finite));
        }
    }
}

fn output(output: &Output) {
    assert!(output.confidence().is_none_or(|c| (0.0..=1.0).contains(&c)));
    assert!(output.value().is_none_or(f64::is_finite));
    assert!(output.class().is_none_or(|class| is_word(&class)));
}

fn probabilities(inference: &Inference) {
    let Some(probabilities) = &inference.probabilities else {
        return;
    };
    let width = probabilities.width;
    assert!(width > 0);
    assert_eq!(probabilities.shares.len(), width * inference.outputs.len());
    // sums of 32-bit floats end a little above 1
    let is_share = |share: &f64| (0.0..=1.0 + 1e-6).contains(share);
    assert!(probabilities.shares.iter().all(is_share));
    if let Some(labels) = &probabilities.labels {
        assert_eq!(labels.len(), width);
        assert!(labels.iter().all(|l| l.len() <= Inference::MAX_WORD));
    }
}

/// With the exchange that it was read from: what a failure holds, and what its route says.
pub(super) fn agrees(exchange: &Exchange, inference: &Inference) {
    if has_failed(exchange) {
        assert!(inference.outputs.is_empty() && inference.probabilities.is_none());
        assert!(inference.generation.is_none() && inference.task.is_none());
    } else {
        assert_ne!(inference.format, DecodeError::UNKNOWN);
    }
    let route = exchange.route.as_deref();
    let classes = route.map_or(&[][..], |route| &route.classes);
    // a path of the user's own may lead to any other share
    let paths = route.and_then(|route| route.paths.as_ref());
    let has_own = paths.is_some_and(|paths| paths.confidence.is_some());
    let kind = route.map_or(RouteKind::Predict, |route| route.kind);
    let is_scored = route.is_some_and(|route| route.positive_class.is_some());
    // of two columns a threshold may tell
    let has_threshold = is_scored || kind == RouteKind::Probabilities;
    let is_largest = matches!(inference.source, Source::ArgmaxIndex | Source::ArgmaxLabel);
    if is_largest && !has_own && !has_threshold {
        are_largest(inference, classes);
    }
    let has = |is: fn(&Prediction) -> bool| inference.outputs.iter().any(|o| is(&o.prediction));
    let has_values = has(|p| matches!(p, Prediction::Value(_)));
    let has_indexes = has(|p| matches!(p, Prediction::Index(_)));
    match kind {
        RouteKind::Classify => assert!(!has_values),
        RouteKind::Regress => assert!(!has_indexes),
        RouteKind::Generate => assert!(!has(|p| *p != Prediction::Unknown)),
        RouteKind::Predict if !is_scored => {
            assert!(
                !(has_values && has_indexes),
                "one value makes values of all"
            );
        }
        _ => {}
    }
}

/// Each class is the one with the largest of the probabilities that are told.
fn are_largest(inference: &Inference, classes: &[String]) {
    let Some(probabilities) = &inference.probabilities else {
        return;
    };
    for (output, shares) in inference.outputs.iter().zip(probabilities.rows()) {
        let Some(class) = output.class() else {
            continue;
        };
        let largest = shares.iter().copied().fold(0.0, f64::max);
        let names = |place: usize| match &probabilities.labels {
            Some(labels) => *labels[place] == *class,
            None => classes
                .get(place)
                .map_or(place.to_string() == class, |name| cut(name) == class),
        };
        let is_best = |place: usize| shares[place] >= largest && names(place);
        assert!((0..shares.len()).any(is_best));
        assert_eq!(output.confidence(), Some(largest.min(1.0)));
    }
}

/// What has no name elsewhere is called as the defaults say.
static CONFIGURED: LazyLock<config::Model> = LazyLock::new(|| config::defaults().model);

/// Names for labels are there and short, wherever they come from.
pub(super) fn named(exchange: &Exchange, inference: Option<&Inference>) {
    let (model, version) = identity(inference, exchange, &CONFIGURED);
    assert!(is_word(model) && is_word(version));
    let (model, version) = names(inference, exchange);
    assert!(model.is_none_or(is_word) && version.is_none_or(is_word));
    let (model, version) = subject(exchange, &super::BOUNDS);
    assert!(model.as_deref().is_none_or(is_word) && version.as_deref().is_none_or(is_word));
}

/// Blame is for failures alone, and only what looked like the upstream's changes hands.
pub(super) fn blamed(exchange: &Exchange, blamed: Option<Fault>) {
    if blamed != exchange.fault {
        assert_eq!(exchange.fault, Some(Fault::Upstream));
        assert_eq!(blamed, Some(Fault::ClientAs5xx));
        let says = exchange.status >= 500 || exchange.grpc_message.is_some();
        assert!(says && exchange.error.is_none());
    }
}

/// What any path names is a part of it.
pub(super) fn targeted(path: &str) {
    let Target { model, version } = target(path);
    for name in [model, version].into_iter().flatten() {
        assert!(!name.is_empty() && path.contains(name));
    }
}

/// Heap and inline bytes of an inference.
fn held_bytes(inference: &Inference) -> usize {
    let columns = inference.features.iter().map(Column::held_bytes);
    let names = inference
        .outputs
        .iter()
        .map(|output| match &output.prediction {
            Prediction::Name(name) => name.held_bytes(),
            _ => 0,
        });
    let shares = inference.probabilities.as_ref().map_or(0, |p| {
        let labels = p.labels.iter().flatten().map(Text::held_bytes);
        p.shares.capacity() * size_of::<f64>() + labels.sum::<usize>()
    });
    let texts = inference.generation.as_ref().map_or(0, |generation| {
        let all = generation
            .prompts
            .iter()
            .chain(&generation.finish)
            .flatten();
        generation.output.capacity() + all.map(String::capacity).sum::<usize>()
    });
    columns.sum::<usize>()
        + inference.outputs.capacity() * size_of::<Output>()
        + names.sum::<usize>()
        + shares
        + texts
}

//! What is kept of a prediction for labels that may come, never what was asked; and labels that pass.

use crate::{
    capture::Exchange,
    config,
    decode::{self, Inference, Prediction, Probabilities, Told},
    feedback::{Draft, Label, MAX_LABELS, Offer, Passed, Posted, Truth},
};

/// Hands over the labels of an exchange that tells them, without waiting.
pub(super) fn pass(offer: &Offer, exchange: &Exchange, bounds: &config::Capture) {
    if !offer.is_open() {
        return;
    }
    if !(200..300).contains(&exchange.status) {
        return offer.passed(Passed::Refused);
    }
    let Ok(told) = decode::told(exchange, bounds) else {
        return offer.passed(Passed::Unread);
    };
    let Told { puid, truths } = told;
    if truths.is_empty() {
        return offer.passed(Passed::NoTruth);
    }
    if truths.len() > MAX_LABELS {
        return offer.passed(Passed::Unread);
    }
    match puid.as_deref().or(exchange.puid.as_deref()) {
        Some(puid) => offer.labels(posted(puid, &truths)),
        None => offer.passed(Passed::NoPuid),
    }
}

/// Labels of the items of one prediction, in their order.
fn posted(id: &str, truths: &[Prediction]) -> Posted {
    let mut posted = Posted::default();
    for (item, truth) in (0..).zip(truths) {
        let truth = match truth {
            Prediction::Unknown => None,
            Prediction::Name(name) => Truth::named(name),
            Prediction::Index(index) => Some(Truth::Integer(*index)),
            Prediction::Bool(value) => Some(Truth::Bool(*value)),
            Prediction::Value(value) => Some(Truth::of(*value)),
        };
        match truth {
            Some(truth) => posted.labels.push(Label {
                request_id: id.to_owned(),
                item,
                truth,
            }),
            None => posted.invalid += 1,
        }
    }
    posted
}

/// Offers the outputs of an inference, made at `at` seconds since 1970, under the id of its request.
pub(super) fn keep(
    offer: &Offer,
    inference: &Inference,
    exchange: &Exchange,
    (model, version): (&str, &str),
    at: f64,
) {
    let is_known = |output: &crate::decode::Output| output.prediction != Prediction::Unknown;
    if !offer.is_open() || !inference.outputs.iter().any(is_known) {
        return;
    }
    let shares = inference.probabilities.as_ref();
    let width = shares.map_or(0, |shares| shares.width);
    let mut draft = Draft::new(model, version, at, width);
    if let Some(labels) = shares.and_then(|shares| shares.labels.as_ref()) {
        draft.name(labels.iter().map(|label| &**label));
    } else if let Some(route) = exchange.route.as_deref() {
        draft.name(route.classes.iter().map(String::as_str));
    }
    let mut rows = shares.map(Probabilities::rows);
    for output in &inference.outputs {
        let row = rows.as_mut().and_then(Iterator::next).unwrap_or_default();
        let confidence = output.confidence();
        match &output.prediction {
            Prediction::Unknown => draft.unknown(),
            Prediction::Name(name) => draft.named(name, confidence, row),
            Prediction::Index(index) => draft.index(*index, confidence, row),
            Prediction::Bool(value) => draft.truth(*value, confidence, row),
            Prediction::Value(value) => draft.value(*value),
        }
    }
    // a field is only noted where Seldon has its paths
    let puid = inference.puid.as_deref().or(exchange.puid.as_deref());
    offer.offer(&exchange.request_id, puid, draft);
}

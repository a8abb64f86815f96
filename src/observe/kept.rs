//! What is kept of a prediction for labels that may come: never what was asked.

use crate::{
    capture::Exchange,
    decode::{Inference, Prediction, Probabilities},
    feedback::{Draft, Offer},
};

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
    offer.offer(&exchange.request_id, draft);
}

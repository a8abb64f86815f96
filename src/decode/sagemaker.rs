//! What containers on `SageMaker` speak.
//!
//! | | path `/invocations`, `/models/{model}/invoke` |
//! |---|---|
//! | request | `RecordIO` with protocol buffers, CSV without names, `{"instances": [{"features": [..]}]}`, `{"instances": [{"data": {"features": {"values": [..]}}}]}`, those objects line by line, or JSON as of V1 |
//! | answer | `RecordIO`, lines of CSV, `{"predictions": [{"score", "predicted_label"?}]}`, `{"scores": [{"score"}]}`, those objects line by line, or a bare list |
//!
//! A score beside the label 0 or 1 is the probability of class 1. From the documentation of Amazon
//! `SageMaker` AI (common data formats for inference; response formats of linear learner, k-means,
//! k-NN and Random Cut Forest; container contract of multi-model endpoints).
//!
//! `MLflow` answers on the same path: it has the exchanges that content types and shapes do not
//! claim for `SageMaker`.

mod answer;
mod lines;
mod recordio;
mod request;

use std::borrow::Cow;

use super::{Answer, DecodeError, Decoder, Pair, content, csv, shown};
use crate::capture::exchange::Message;

const FORMAT: &str = "sagemaker";

pub(super) const DECODER: Decoder = Decoder {
    format: FORMAT,
    claims: |pair| pair.exchange.path.ends_with("/invocations") || model(pair).is_some(),
    is_anywhere: false,
    answer,
    request: request::read,
};

fn answer(pair: &Pair<'_>) -> Result<Option<Answer>, DecodeError> {
    let raw = answer::read(pair)?;
    Ok(raw.map(|raw| Answer {
        model: model(pair).and_then(shown::segment),
        raw,
        sure: true,
        ..Answer::default()
    }))
}

/// The model in the path of an endpoint with several.
fn model<'a>(pair: &Pair<'a>) -> Option<&'a str> {
    let path = pair.exchange.path.strip_suffix("/invoke")?;
    let (_, model) = path.split_once("/models/")?;
    (!model.is_empty() && !model.contains('/')).then_some(model)
}

/// Whether the content type of a message has `word` in it.
pub(super) fn says(message: &Message, word: &str) -> bool {
    let kind = message.content_type.as_deref().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default();
    kind.to_ascii_lowercase().contains(word)
}

/// How the anomaly scores of Random Cut Forest begin.
const SCORES: &str = r#"{"scores":[{"score":"#;

/// How answers of the algorithms begin, and requests to them.
const ANSWERS: [&str; 5] = [
    SCORES,
    r#"{"predictions":[{"score":"#,
    r#"{"predictions":[{"predicted_label":"#,
    r#"{"predictions":[{"closest_cluster":"#,
    r#"{"predictions":[{"distance_to_cluster":"#,
];
const REQUESTS: [&str; 2] = [
    r#"{"instances":[{"features":"#,
    r#"{"instances":[{"data":{"features":"#,
];

/// Whether it is nothing that `MLflow` would take or say.
pub(super) fn is_of_its_own_kind(pair: &Pair<'_>) -> bool {
    let Pair {
        exchange,
        request,
        response,
        ..
    } = pair;
    let asks = |word| says(&exchange.request, word);
    let answers = |word| says(&exchange.response, word);
    asks("jsonlines")
        || asks("libsvm")
        || asks("recordio")
        || asks("image")
        || answers("jsonlines")
        || answers("csv")
        || recordio::is_one(response)
        || (asks("csv") && !csv::begins_with_names(request))
        || ANSWERS.iter().any(|shape| begins(response, shape))
        || REQUESTS.iter().any(|shape| begins(request, shape))
}

/// Whether `body` begins with `shape`, space aside.
fn begins(body: &[u8], shape: &str) -> bool {
    let mut body = body.iter().filter(|byte| !byte.is_ascii_whitespace());
    shape.bytes().all(|byte| body.next() == Some(&byte))
}

/// A body of JSON, one document a line, as the list of them; another body as it is.
fn json<'a>(message: &Message, body: &'a [u8]) -> Cow<'a, [u8]> {
    if says(message, "jsonlines") || says(message, "ndjson") || has_documents(body) {
        return Cow::Owned(list(body));
    }
    Cow::Borrowed(body)
}

/// Whether the first line ends a document, and the next begins another.
fn has_documents(body: &[u8]) -> bool {
    let Some(end) = memchr::memchr(b'\n', body) else {
        return false;
    };
    let (line, rest) = body.split_at(end);
    let (first, last) = (line.trim_ascii().first(), line.trim_ascii().last());
    let is_document = matches!(
        (first, last),
        (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']'))
    );
    is_document && rest.trim_ascii_start().first() == first
}

fn list(body: &[u8]) -> Vec<u8> {
    let text = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let mut list = Vec::with_capacity(text.len() + 2);
    list.push(b'[');
    for line in text.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii) {
        if !line.is_empty() {
            if list.len() > 1 {
                list.push(b',');
            }
            list.extend_from_slice(line);
        }
    }
    list.push(b']');
    list
}

/// Rows of the request, where they can be told without the answer.
fn rows(pair: &Pair<'_>) -> Option<usize> {
    let asked = request::read(pair, None).ok()??;
    Some(asked.table.rows())
}

fn is_json(body: &[u8]) -> bool {
    content::json(body).is_ok()
}

#[cfg(test)]
mod tests;

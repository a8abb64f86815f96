//! What must hold for any bodies. The fuzz targets call these, and so do tests, with the inputs
//! that fuzzing has kept.

use std::{borrow::Cow, sync::LazyLock};

use super::{Column, DecodeError, Inference, Name, Output, Prediction, Scalar, content, decode};
use crate::{
    capture::{Exchange, exchange::Message, route::Routes},
    config::{self, Capture},
};

static DEFAULTS: LazyLock<Capture> = LazyLock::new(|| config::defaults().capture);
static ROUTES: LazyLock<Routes> = LazyLock::new(|| Routes::new(&[]));

/// Paths of every kind, to places that the other formats have as well.
pub(super) static MAPPED: LazyLock<Routes> = LazyLock::new(|| {
    let paths = r#"{"path":"/predict","format":"mapped","model":{"request":"$..model"},
        "version":{"response":"$.*[-1]"},"paths":{
        "features":{"a":"$..a","b":"$.instances[*].b","c":"$[1:9:2]","d":"$[?@.a == $[0].a]"},
        "items":"$.predictions","class":"$.predictions[*].prediction",
        "confidence":"$..confidence","probabilities":"$..probabilities"}}"#;
    let route = serde_json::from_str(paths).expect("a test reads it");
    Routes::new(&[route])
});

/// Codings that the first byte of an input chooses from; any other value is read from the input.
const CODINGS: [&str; 8] = [
    "gzip",
    "deflate",
    "br",
    "zstd",
    "gzip, br",
    "zstd, deflate",
    "identity",
    "gzip,gzip,gzip,gzip",
];

/// What a body of many inputs inflates to is more than this, of some more than the ratio.
const LIMIT: usize = 64 << 10;

/// A body under a coding, which the first byte chooses.
///
/// # Panics
/// When more comes out than may, or a limit changes what comes out below it.
pub fn content(input: &[u8]) {
    let Some((first, bytes)) = input.split_first() else {
        return;
    };
    let codings = CODINGS[usize::from(*first) % CODINGS.len()];
    let bounds = Capture {
        body_limit: 1 << 10,
        inflate_limit: LIMIT,
        ..DEFAULTS.clone()
    };
    let mut message = Exchange::example("/", "", "").response;
    message.content_encoding = Some(codings.to_owned());
    if let Some(body) = &mut message.body {
        body.bytes = bytes.to_vec();
    }
    let most = (bytes.len() * bounds.inflate_ratio).clamp(bounds.body_limit, LIMIT);
    match content::body(&message, &bounds) {
        Ok(Cow::Borrowed(body)) => assert_eq!(body, bytes),
        Ok(Cow::Owned(body)) => {
            assert!(body.len() <= most);
            if !codings.contains(',') {
                ends_at_its_length(&message, &body, &bounds);
            }
        }
        Err(DecodeError::InflateLimit) => assert_eq!(most, LIMIT),
        Err(DecodeError::InflateRatio) => assert!(most < LIMIT),
        Err(error) => assert_eq!(error, DecodeError::InflateBroken),
    }
}

/// `body` comes out with just enough room, and does not with a byte less.
fn ends_at_its_length(message: &Message, body: &[u8], bounds: &Capture) {
    let within = |inflate_limit| Capture {
        inflate_limit,
        ..bounds.clone()
    };
    let exact = content::body(message, &within(body.len()));
    assert_eq!(exact.as_deref(), Ok(body));
    if let Some(less) = body.len().checked_sub(1) {
        let cut = content::body(message, &within(less));
        assert_eq!(cut, Err(DecodeError::InflateLimit));
    }
}

/// Paths that the flags of an input choose from: some formats are known by them alone.
const PATHS: [&str; 4] = [
    "/predict",
    "/v2/models/iris/infer",
    "/inference.GRPCInferenceService/ModelInfer",
    "/inference.GRPCInferenceService/ModelStreamInfer",
];

/// An exchange through every decoder: a byte of flags, the request, 0xff, and the answer.
///
/// Flags: 1 a route that matches, 2 a refusal, 4 and 8 the path, 16 and 32 binary tensors behind
/// the first half of the request and of the answer.
///
/// # Panics
/// When what is read breaks a promise of [`Inference`], or holds more than its bodies allow.
pub fn decoders(input: &[u8]) {
    let Some((flags, bodies)) = input.split_first() else {
        return;
    };
    let mut bodies = bodies.splitn(2, |byte| *byte == 0xff);
    let path = PATHS[usize::from(flags >> 2 & 3)];
    let mut exchange = Exchange::example(path, "", "");
    let mut bytes = 0;
    for (message, flag) in [(&mut exchange.request, 16), (&mut exchange.response, 32)] {
        let text = bodies.next().unwrap_or_default();
        bytes += text.len();
        message.json_bytes = (flags & flag != 0).then_some(text.len() / 2);
        if let Some(body) = &mut message.body {
            body.bytes = text.to_vec();
        }
    }
    if flags & 1 != 0 {
        exchange.route = ROUTES.find(path).cloned();
    }
    if flags & 2 != 0 {
        exchange.status = 422;
    }
    if flags & 128 != 0 {
        exchange.route = MAPPED.find("/predict").cloned();
        let _ = super::not_found(&exchange, &DEFAULTS);
    }
    match decode(&exchange, &DEFAULTS) {
        Ok(inference) => {
            check(&inference, bytes);
            assert!(flags & 2 == 0 || inference.outputs.is_empty());
            assert!(inference.rows <= bytes && inference.outputs.len() <= bytes);
            assert_eq!(
                decode(&exchange, &DEFAULTS),
                Ok(inference),
                "twice the same"
            );
        }
        Err(error) => {
            assert_eq!(flags & 2, 0);
            assert!(super::failures().any(|known| known.reason() == error.reason()));
        }
    }
}

/// Heap and inline bytes of an inference.
fn held_bytes(inference: &Inference) -> usize {
    let columns = inference.features.iter().map(|column| {
        let name = match &column.name {
            Name::Word(word) => word.capacity(),
            Name::Position(_) => 0,
        };
        size_of::<Column>() + name + column.values.held_bytes()
    });
    let names = inference
        .outputs
        .iter()
        .map(|output| match &output.prediction {
            Prediction::Name(name) => name.capacity(),
            _ => 0,
        });
    let shares = inference.probabilities.as_ref().map_or(0, |p| {
        let labels = p.labels.iter().flatten().map(String::capacity);
        p.shares.capacity() * size_of::<f64>() + labels.sum::<usize>()
    });
    columns.sum::<usize>()
        + inference.outputs.capacity() * size_of::<Output>()
        + names.sum::<usize>()
        + shares
}

pub(super) fn check(inference: &Inference, bytes: usize) {
    for column in &inference.features {
        assert_eq!(column.values.len(), inference.rows);
        assert!(column.name.text().len() <= Inference::MAX_WORD);
        for value in column.values.iter() {
            assert!(!matches!(*value, Scalar::Number(number) if !number.is_finite()));
        }
    }
    for output in &inference.outputs {
        assert!(output.confidence().is_none_or(|c| (0.0..=1.0).contains(&c)));
        assert!(output.value().is_none_or(f64::is_finite));
        let class = output.class().unwrap_or("x".into());
        assert!(!class.is_empty() && class.len() <= Inference::MAX_WORD);
    }
    if let Some(probabilities) = &inference.probabilities {
        assert_eq!(probabilities.rows().len(), inference.outputs.len());
    }
    assert!(held_bytes(inference) <= 32 * bytes + 200_000);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fuzzing_has_kept_of_encoded_bodies_still_holds() {
        crate::fuzzing::replay("content", content);
    }

    #[test]
    fn what_fuzzing_has_kept_of_exchanges_still_holds() {
        crate::fuzzing::replay("decoders", decoders);
    }
}

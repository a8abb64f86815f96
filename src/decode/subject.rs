//! Of which model something is told that is no prediction.

use serde::Deserialize;

use super::{
    content,
    protobuf::{Fields, Value},
    shown, target,
    v2_grpc::Frames,
};
use crate::{capture::Exchange, config};

/// Model and version that a probe or a question about a model names: in its path, in the answer
/// of the course page's `/ready`, or in the request of Open Inference over gRPC.
pub fn subject(exchange: &Exchange, bounds: &config::Capture) -> (Option<String>, Option<String>) {
    let named = target(&exchange.path);
    let model = named.model.and_then(shown::segment);
    let version = named.version.and_then(shown::segment);
    if exchange.path.starts_with(GRPC) {
        return asked(exchange, bounds);
    }
    let version = version.or_else(|| {
        let body = content::body(&exchange.response, bounds).ok()?;
        answered(&body)
    });
    (model, version)
}

const GRPC: &str = "/inference.GRPCInferenceService/";

/// `{"model_version": ..}` or `{"checks": {"model_version": ..}}`.
fn answered(body: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Ready {
        model_version: Option<String>,
        checks: Option<Checks>,
    }
    #[derive(Deserialize)]
    struct Checks {
        model_version: Option<String>,
    }
    let ready: Ready = serde_json::from_slice(body).ok()?;
    let version = ready.model_version.or_else(|| ready.checks?.model_version);
    shown::name(&version?)
}

/// `name` (1) and `version` (2) of the only message.
fn asked(exchange: &Exchange, bounds: &config::Capture) -> (Option<String>, Option<String>) {
    let body = exchange.request.body.as_ref();
    let body = body.map(|body| body.bytes.as_slice()).unwrap_or_default();
    let codings = content::Messages::of(&exchange.request, body, Some(bounds));
    let message = Frames::of(body, codings).next().and_then(Result::ok);
    let (mut model, mut version) = (None, None);
    for (number, value) in Fields::of(&message.unwrap_or_default()).flatten() {
        let Value::Bytes(text) = value else {
            continue;
        };
        let text = std::str::from_utf8(text).ok().and_then(shown::name);
        match number {
            1 => model = text,
            2 => version = text,
            _ => {}
        }
    }
    (model, version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(path: &str, request: &str, response: &str) -> (Option<String>, Option<String>) {
        let exchange = Exchange::example(path, request, response);
        subject(&exchange, &config::defaults().capture)
    }

    #[test]
    fn a_probe_names_its_model_in_path_answer_or_message() {
        let named = |model: &str, version: &str| {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            (some(model), some(version))
        };
        assert_eq!(of("/v2/models/iris/ready", "", ""), named("iris", ""));
        let ready = r#"{"ready":true,"checks":{"model_version":"1.0.0"}}"#;
        assert_eq!(of("/ready", "", ready), named("", "1.0.0"));
        assert_eq!(of("/ready", "", r#"{"model_version":"2"}"#), named("", "2"));
        assert_eq!(of("/health", "", "ok"), named("", ""));
        let grpc = "/inference.GRPCInferenceService/ModelMetadata";
        let message = "\0\0\0\0\u{9}\n\u{4}iris\u{12}\u{1}3";
        assert_eq!(of(grpc, message, ""), named("iris", "3"));
        assert_eq!(of(grpc, "\0\0\0\0\u{9}\n\u{4}ir", ""), named("", ""));
        assert_eq!(of(grpc, "", ""), named("", ""));
    }
}

//! Whose fault a failure of the model server was, as far as its answer tells.

use serde::de::IgnoredAny;

use super::{content, reader};
use crate::{
    capture::{Exchange, Fault, exchange::Message},
    config,
};

/// What servers and the libraries below them write under 5xx where the request was wrong. A text
/// with a gap has both parts, in this order.
const MISTAKES: &[(&str, &str)] = &[
    // scikit-learn
    (" features, but ", " is expecting "),
    ("Expected 2D array, got ", ""),
    ("could not convert string to float", ""),
    ("Input X contains NaN", ""),
    ("The feature names should match those", ""),
    // pandas
    ("If using all scalar values, you must pass an index", ""),
    // XGBoost
    ("Feature shape mismatch, expected: ", ""),
    ("feature_names mismatch", ""),
    // LightGBM
    (
        "The number of features in data (",
        " is not the same as it was in training data",
    ),
    // ONNX Runtime
    ("[ONNXRuntimeError] : 2 : INVALID_ARGUMENT", ""),
    // TensorFlow
    ("Matrix size-incompatible", ""),
    // PyTorch
    ("mat1 and mat2 shapes cannot be multiplied", ""),
];

/// How the last line of a traceback begins that a body which could not be read has left. Elsewhere in
/// it, what failed may be an answer that the model itself asked for.
const LAST_LINES: &[&str] = &[
    "json.decoder.JSONDecodeError",
    "pydantic_core._pydantic_core.ValidationError",
];

/// As much of an answer as is looked at: a traceback says it at its end, and is shorter.
const MOST: usize = 64 * 1024;

/// Whose fault it was that there was no good answer. A 5xx of the model server is the client's
/// where its body says that the request was wrong, or the request says JSON and is none.
///
/// Costs nothing but for a 5xx: then one search of its body for each known text.
pub fn blame(exchange: &Exchange, bounds: &config::Capture) -> Option<Fault> {
    let fault = exchange.fault?;
    let is_answer = exchange.error.is_none() && exchange.status >= 500;
    if fault != Fault::Upstream || !is_answer {
        return Some(fault);
    }
    let is_mistake = content::body(&exchange.response, bounds).is_ok_and(|body| says_so(&body))
        || is_broken(&exchange.request, bounds);
    Some(if is_mistake {
        Fault::ClientAs5xx
    } else {
        fault
    })
}

fn says_so(body: &[u8]) -> bool {
    let body = &body[..body.len().min(MOST)];
    let is_there = |(first, second): &(&str, &str)| {
        let found = memchr::memmem::find(body, first.as_bytes());
        found.is_some_and(|at| memchr::memmem::find(&body[at..], second.as_bytes()).is_some())
    };
    let last = body.trim_ascii_end().rsplit(|byte| *byte == b'\n').next();
    let is_last = |text: &&str| last.is_some_and(|last| last.starts_with(text.as_bytes()));
    MISTAKES.iter().any(is_there) || LAST_LINES.iter().any(is_last)
}

/// Whether a body says that it is JSON, and is none.
fn is_broken(message: &Message, bounds: &config::Capture) -> bool {
    let kind = message.content_type.as_deref().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return false;
    }
    let Ok(body) = content::body(message, bounds) else {
        return false;
    };
    reader::parsed::<IgnoredAny>(&body).is_err()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, request: &str, response: &str) -> Option<Fault> {
        let mut exchange = Exchange::example("/predict", request, response);
        exchange.status = status;
        exchange.fault = Fault::of_status(status);
        blame(&exchange, &config::defaults().capture)
    }

    #[test]
    fn a_5xx_is_the_clients_where_its_body_says_so() {
        for body in [
            r#"{"error":"X has 3 features, but StandardScaler is expecting 4 features as input."}"#,
            "Traceback (most recent call last):\n...\nValueError: could not convert string to float: 'a'",
            "Traceback (most recent call last):\n...\njson.decoder.JSONDecodeError: Expecting value",
            "[LightGBM] [Fatal] The number of features in data (3) is not the same as it was in training data (4).",
        ] {
            assert_eq!(of(500, "{}", body), Some(Fault::ClientAs5xx), "{body}");
        }
        for body in [
            "",
            r#"{"detail":"Internal server error"}"#,
            r#"{"error":"decoding str is not supported"}"#,
            r#"{"code":503,"type":"ServiceUnavailableException","message":"Model \"m\" has no worker"}"#,
            "CUDA out of memory",
            // what TorchServe says of any handler that failed
            r#"{"code":503,"type":"InternalServerException","message":"Prediction failed"}"#,
            "json.decoder.JSONDecodeError: Expecting value\nRuntimeError: the feature store is down",
        ] {
            assert_eq!(of(500, "{}", body), Some(Fault::Upstream), "{body}");
        }
    }

    #[test]
    fn a_5xx_to_json_that_is_none_is_the_clients() {
        assert_eq!(of(500, "{\"input\":[5.1", ""), Some(Fault::ClientAs5xx));
        assert_eq!(of(500, "", ""), Some(Fault::ClientAs5xx));
        assert_eq!(of(500, "[NaN]", ""), Some(Fault::Upstream));
    }

    #[test]
    fn other_faults_are_as_they_were() {
        assert_eq!(of(200, "{", ""), None);
        assert_eq!(of(422, "{", ""), Some(Fault::Client));
        let mut exchange = Exchange::example("/predict", "{", "");
        (exchange.status, exchange.error) = (502, Some("upstream_reset"));
        exchange.fault = Some(Fault::Upstream);
        let fault = blame(&exchange, &config::defaults().capture);
        assert_eq!(fault, Some(Fault::Upstream));
    }
}

//! What the answer to a GET says of the model.

use http::StatusCode;
use serde::Deserialize;
use serde_json::Value;

use crate::health::ModelState;

/// Longest version; it is a label.
const MAX_VERSION: usize = 128;

/// What an answer says of the model: a 2xx that its body does not take back. Of a path that somebody `chose`
/// a 3xx says the same, as it does to Kubernetes; of one that was guessed it leads anywhere.
pub(super) fn said(status: StatusCode, body: &[u8], chose: bool) -> ModelState {
    let body = Body::read(body);
    let checks = body.checks.unwrap_or_default();
    let is_denied = is_false(&body.ready) || is_false(&checks.model_loaded);
    let version = checks.model_version.or(body.model_version);
    ModelState {
        loaded: (status.is_success() || chose && status.is_redirection()) && !is_denied,
        version: version.and_then(|version| as_text(&version)),
    }
}

/// The course page's fields; anything else in a body says nothing.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Body {
    ready: Value,
    model_version: Option<Value>,
    checks: Option<Checks>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Checks {
    model_loaded: Value,
    model_version: Option<Value>,
}

impl Body {
    fn read(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }
}

fn is_false(value: &Value) -> bool {
    *value == Value::Bool(false)
}

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => {
            Some(text[..text.floor_char_boundary(MAX_VERSION)].to_owned())
        }
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said_of(status: u16, body: &str) -> (bool, Option<String>) {
        let status = StatusCode::from_u16(status).unwrap();
        let state = said(status, body.as_bytes(), false);
        (state.loaded, state.version)
    }

    #[test]
    fn a_2xx_means_loaded_unless_its_body_says_otherwise() {
        assert_eq!(said_of(200, ""), (true, None));
        assert_eq!(said_of(200, "OK"), (true, None));
        assert_eq!(said_of(200, "[1]"), (true, None));
        assert_eq!(said_of(503, ""), (false, None));
        assert_eq!(said_of(200, r#"{"ready":false}"#), (false, None));
        assert_eq!(
            said_of(200, r#"{"ready":true,"checks":{"model_loaded":false}}"#),
            (false, None)
        );
        assert_eq!(
            said_of(200, r#"{"ready":null,"checks":null}"#),
            (true, None)
        );
    }

    #[test]
    fn a_3xx_means_loaded_only_of_a_path_that_somebody_chose() {
        for (status, chose, expected) in [
            (302, true, true),
            (302, false, false),
            (404, true, false),
            (503, true, false),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            assert_eq!(
                said(status, b"", chose).loaded,
                expected,
                "{status} {chose}"
            );
        }
    }

    #[test]
    fn the_version_comes_from_the_body() {
        let page = r#"{"ready":true,"checks":{"model_loaded":true,"model_version":"1.2.0"}}"#;
        assert_eq!(said_of(200, page), (true, Some("1.2.0".to_owned())));
        assert_eq!(
            said_of(200, r#"{"model_version":3}"#),
            (true, Some("3".to_owned()))
        );
        assert_eq!(
            said_of(200, r#"{"checks":{"model_version":null}}"#),
            (true, None)
        );
    }
}

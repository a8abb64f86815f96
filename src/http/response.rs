//! What a handler answers.

use std::{fmt::Display, io};

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Empty, Full, combinators::UnsyncBoxBody};
use serde::Serialize;

/// The body of a response: whole bytes or a stream. A stream that fails breaks the connection,
/// so that the client does not take what it has for the whole.
pub type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What a handler answers.
pub type Response = http::Response<Body>;

/// No body.
pub fn empty() -> Body {
    Empty::new().map_err(|never| match never {}).boxed_unsync()
}

/// All of `bytes`.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// 200 with `bytes` of `content_type`.
pub fn content(content_type: &'static str, bytes: impl Into<Bytes>) -> Response {
    of(StatusCode::OK, content_type, bytes)
}

/// Plain text in UTF-8.
pub fn text(status: StatusCode, text: impl Into<String>) -> Response {
    of(status, "text/plain; charset=utf-8", text.into())
}

/// `value` as JSON; numbers as short as they can be and still be read back as themselves.
/// A value that JSON cannot hold (keys that are no strings) becomes a 500.
pub fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => of(status, "application/json", bytes),
        Err(error) => {
            tracing::error!(%error, "answer cannot be written as json");
            error_json(
                StatusCode::INTERNAL_SERVER_ERROR,
                "unwritable",
                "no answer could be made",
            )
        }
    }
}

/// `{"error": reason, "detail": detail}`: a fixed word for programs, a sentence for people.
pub fn error_json(status: StatusCode, reason: &str, detail: impl Display) -> Response {
    let value = serde_json::json!({ "error": reason, "detail": detail.to_string() });
    of(status, "application/json", value.to_string())
}

fn of(status: StatusCode, content_type: &'static str, bytes: impl Into<Bytes>) -> Response {
    let mut response = Response::new(full(bytes));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    async fn body(response: Response) -> String {
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn an_error_has_a_word_and_a_sentence() {
        let response = error_json(StatusCode::NOT_FOUND, "no_route", "no \"such\" route");
        assert_eq!(response.status(), 404);
        assert_eq!(response.headers()["content-type"], "application/json");
        let text = body(response).await;
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["error"], "no_route");
        assert_eq!(value["detail"], "no \"such\" route");
        assert_eq!(value.as_object().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn numbers_are_written_as_short_as_they_read_back() {
        let value = serde_json::json!({"a": 0.1 + 0.2, "b": 0.1, "c": 6.203_777_137_248_23e-8});
        let text = body(json(StatusCode::OK, &value)).await;
        assert_eq!(
            text,
            r#"{"a":0.30000000000000004,"b":0.1,"c":6.20377713724823e-8}"#
        );
    }

    #[tokio::test]
    async fn a_value_that_json_cannot_hold_is_a_500() {
        let value = BTreeMap::from([((1, 2), 3)]);
        assert_eq!(json(StatusCode::OK, &value).status(), 500);
    }
}

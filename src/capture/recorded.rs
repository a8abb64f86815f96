//! Exchanges written as lines of JSON, as the agent would have captured them.
//!
//! A line has `id`, `method`, `path`, `request` and `response`; both of these `headers` as lists
//! of name and value and `body` with `body_encoding` (`text` or `base64`, without chunks, still
//! compressed), the response its `status` and `trailers`. What else stands there is passed over.

pub mod base64;

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde::Deserialize;

use super::{
    Exchange, Fault, grpc, policy,
    route::Routes,
    tee::{Captured, End},
};

/// One line.
#[derive(Debug, Deserialize)]
pub struct Recorded {
    /// What it is called.
    pub id: Option<String>,
    method: String,
    path: String,
    request: Sent,
    response: Sent,
}

#[derive(Debug, Deserialize)]
struct Sent {
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body: Option<String>,
    #[serde(default)]
    body_encoding: Encoding,
    status: Option<u16>,
    #[serde(default)]
    trailers: Option<Vec<(String, String)>>,
}

#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Encoding {
    #[default]
    Text,
    Base64,
}

/// Why a line is no exchange. No variant carries text of a body.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// It is no JSON, or lacks something.
    #[error("no exchange: {0}")]
    Json(#[from] serde_json::Error),
    /// An answer without one.
    #[error("no exchange: the response has no status")]
    Status,
    /// No method of HTTP.
    #[error("no exchange: method is no token of HTTP")]
    Method,
    /// A field that HTTP does not allow.
    #[error("no exchange: a header has a name or a value that HTTP does not allow")]
    Header,
    /// A body that is not what `body_encoding` says.
    #[error("no exchange: a body is not base64")]
    Base64,
}

/// What is known of the routes, and how much of a body is kept.
pub struct Capture<'a> {
    /// Those of the configuration and the known ones.
    pub routes: &'a Routes,
    /// `capture.body_limit`
    pub body_limit: usize,
}

impl Recorded {
    /// Reads a line.
    ///
    /// # Errors
    /// When it is no exchange.
    pub fn read(line: &[u8]) -> Result<Self, Malformed> {
        Ok(serde_json::from_slice(line)?)
    }

    /// The exchange as the agent would have captured it; both bodies are there even where the
    /// agent would not have wanted them.
    ///
    /// # Errors
    /// When method, headers or bodies are not what they say.
    pub fn exchange(self, capture: &Capture<'_>) -> Result<Exchange, Malformed> {
        let method = Method::from_bytes(self.method.as_bytes()).map_err(|_| Malformed::Method)?;
        let target = self.path.split('#').next().unwrap_or_default();
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (target, None),
        };
        let path = &path[..path.floor_char_boundary(Exchange::MAX_PATH)];
        let route = capture.routes.find(path).map(Arc::clone);
        let (asked, answer) = (self.request, self.response);
        let status = answer.status.ok_or(Malformed::Status)?;
        let fields = fields(&asked.headers)?;
        let mut exchange = Exchange {
            request_id: self.id.unwrap_or_default(),
            interest: policy::interest(&method, path, &fields, route.as_deref()),
            method: Some(method),
            path: path.to_owned(),
            endpoint: route
                .as_ref()
                .map_or_else(|| Arc::from(path), |route| Arc::clone(&route.endpoint)),
            route,
            status,
            fault: Fault::of_status(status),
            ..Exchange::default()
        };
        exchange.note_query(query, &fields, capture.body_limit);
        exchange.note_request(&fields);
        exchange.request.body = Some(asked.copy(capture.body_limit)?);
        let fields = self::fields(&answer.headers)?;
        exchange.note_response(&fields);
        exchange.begin_call(&fields);
        let mut copy = answer.copy(capture.body_limit)?;
        exchange.end_call(copy.outcome.take());
        exchange.response.body = Some(copy);
        Ok(exchange)
    }
}

impl Sent {
    fn copy(self, limit: usize) -> Result<Captured, Malformed> {
        let body = self.body.unwrap_or_default();
        let bytes = match self.body_encoding {
            Encoding::Text => body.into_bytes(),
            Encoding::Base64 => base64::decode(&body).ok_or(Malformed::Base64)?,
        };
        let trailers = fields(&self.trailers.unwrap_or_default())?;
        let (passed, is_kept) = (bytes.len() as u64, bytes.len() <= limit);
        Ok(Captured {
            bytes: if is_kept { bytes } else { Vec::new() },
            end: if is_kept { End::Complete } else { End::TooLong },
            passed,
            trailers: !trailers.is_empty(),
            outcome: grpc::outcome(&trailers),
        })
    }
}

/// The fields of a head; those of HTTP/2 that stand for its first line are passed over.
fn fields(headers: &[(String, String)]) -> Result<HeaderMap, Malformed> {
    let mut fields = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        if name.starts_with(':') {
            continue;
        }
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Malformed::Header)?;
        let value = HeaderValue::from_str(value)
            .or_else(|_| HeaderValue::from_bytes(value.as_bytes()))
            .map_err(|_| Malformed::Header)?;
        fields.append(name, value);
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::policy::Interest;

    fn read(line: &str, limit: usize) -> Result<Exchange, Malformed> {
        let routes = Routes::new(&[]);
        let capture = Capture {
            routes: &routes,
            body_limit: limit,
        };
        Recorded::read(line.as_bytes())?.exchange(&capture)
    }

    const LINE: &str = r#"{"id":"a","note":1,"method":"POST","path":"/predict?x=1",
        "request":{"headers":[[":path","/predict"],["Content-Type","text/csv"]],"body":"eyJhIjoxfQ==","body_encoding":"base64"},
        "response":{"status":503,"headers":[["content-encoding","gzip"],["content-encoding","br"]],"body":"no"}}"#;

    #[test]
    fn an_exchange_is_as_the_agent_would_have_it() {
        let exchange = read(LINE, 100).unwrap();
        assert_eq!((exchange.path.as_str(), exchange.status), ("/predict", 503));
        assert_eq!(exchange.interest, Interest::Bodies);
        assert_eq!(exchange.fault, Some(Fault::Upstream));
        assert!(exchange.route.is_some());
        assert_eq!(exchange.request.content_type.as_deref(), Some("text/csv"));
        assert_eq!(
            exchange.response.content_encoding.as_deref(),
            Some("gzip,br")
        );
        assert_eq!(exchange.request.body.unwrap().bytes, b"{\"a\":1}");
    }

    #[test]
    fn a_body_above_the_limit_is_not_kept() {
        let body = read(LINE, 2).unwrap().request.body.unwrap();
        assert_eq!((body.end, body.passed), (End::TooLong, 7));
        assert!(body.bytes.is_empty());
    }

    #[test]
    fn what_is_no_exchange_says_why() {
        for (line, why) in [
            ("", "EOF while parsing"),
            ("[]", "invalid length"),
            (r#"{"id":"a"}"#, "missing field"),
            (&LINE.replace("POST", "PO ST"), "method is no token"),
            (&LINE.replace("Content-Type", "Content Type"), "a header"),
            (&LINE.replace("eyJ", "*yJ"), "not base64"),
            (&LINE.replace("base64", "hex"), "unknown variant"),
        ] {
            let error = read(line, 100).unwrap_err().to_string();
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}

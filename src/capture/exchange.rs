//! One request with its answer, as the observer gets it.

use std::{net::IpAddr, sync::Arc, time::Duration};

use http::{HeaderMap, Method, header};

use super::{policy::Interest, route::Route, tee::Captured};

/// Whose fault it was that a request got no good answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The client sent something wrong or left.
    Client,
    /// The model server failed, broke off or was not there.
    Upstream,
    /// The agent itself.
    Sidelight,
}

impl Fault {
    /// The label value.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Upstream => "upstream",
            Self::Sidelight => "sidelight",
        }
    }
}

/// One request with its answer. Everything is copied: nothing holds a connection's buffers.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The client's id or the one made for it.
    pub request_id: String,
    /// From `traceparent`, 32 hexadecimal digits.
    pub trace_id: Option<String>,
    /// `None`: the request line could not be read.
    pub method: Option<Method>,
    /// Path without query, at most [`Exchange::MAX_PATH`] bytes; empty when it could not be read.
    pub path: String,
    /// Route template, the value of the label `endpoint`.
    pub endpoint: Arc<str>,
    /// The route of the configuration that matched, or a known one.
    pub route: Option<Arc<Route>>,
    /// Address of the client's end of the connection.
    pub client_ip: IpAddr,
    /// When the request's head was there, since 1970.
    pub started: Duration,
    /// Status sent to the client; 499 when it left before there was one.
    pub status: u16,
    /// From the request's head to the answer's last byte.
    pub duration: Duration,
    /// From the forwarded request to the head of the upstream's answer.
    pub upstream: Option<Duration>,
    /// From `started` to the moment the request was handed to the upstream.
    pub forwarded_after: Option<Duration>,
    /// Whose fault a missing or bad answer was.
    pub fault: Option<Fault>,
    /// Why there was no whole answer, as a constant word.
    pub error: Option<&'static str>,
    /// Whether bodies were wanted.
    pub interest: Interest,
    /// What the client sent.
    pub request: Message,
    /// What it got.
    pub response: Message,
}

/// One direction of an exchange: the copy of the body and the fields that say how to read it.
#[derive(Debug, Clone, Default)]
pub struct Message {
    /// `Content-Type`, at most 256 bytes.
    pub content_type: Option<String>,
    /// Every `Content-Encoding` as one list, at most 256 bytes; [`Message::UNREADABLE`] where it is
    /// longer or not ASCII.
    pub content_encoding: Option<String>,
    /// The body, or as much of it as the limit allows; `None`: no body was seen to its end.
    pub body: Option<Captured>,
}

impl Exchange {
    /// Longest path that is kept.
    pub const MAX_PATH: usize = 2048;

    /// Bytes it holds while it waits: what the queue's bound counts.
    pub fn held_bytes(&self) -> usize {
        size_of::<Self>()
            + self.request_id.len()
            + self.path.len()
            + self.request.held_bytes()
            + self.response.held_bytes()
    }
}

impl Message {
    /// Stands for a list that was not kept: no coding has this name.
    pub const UNREADABLE: &str = "unreadable";

    /// The fields that say how to read a body; the body comes later.
    pub fn of(fields: &HeaderMap) -> Self {
        Self {
            content_type: text(fields, &header::CONTENT_TYPE),
            content_encoding: list(fields, &header::CONTENT_ENCODING),
            body: None,
        }
    }

    fn held_bytes(&self) -> usize {
        self.body.as_ref().map_or(0, |b| b.bytes.capacity())
            + self.content_type.as_ref().map_or(0, String::len)
            + self.content_encoding.as_ref().map_or(0, String::len)
    }
}

fn text(fields: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    let value = fields.get(name)?.to_str().ok()?;
    (value.len() <= 256).then(|| value.to_owned())
}

/// All fields of a name as one list (RFC 9110, 5.3).
fn list(fields: &HeaderMap, name: &header::HeaderName) -> Option<String> {
    let mut list = String::new();
    for value in fields.get_all(name) {
        match value.to_str() {
            Ok(value) if list.len() + value.len() < 256 => {
                let comma = if list.is_empty() { "" } else { "," };
                list.extend([comma, value]);
            }
            _ => return Some(Message::UNREADABLE.to_owned()),
        }
    }
    fields.contains_key(name).then_some(list)
}

#[cfg(any(test, fuzzing, feature = "bench"))]
impl Exchange {
    /// A finished prediction for tests of whoever gets exchanges.
    pub(crate) fn example(path: &str, request: &str, response: &str) -> Self {
        use super::tee::End;

        let message = |body: &str| Message {
            content_type: Some("application/json".to_owned()),
            content_encoding: None,
            body: Some(Captured {
                bytes: body.as_bytes().to_vec(),
                end: End::Complete,
                passed: body.len() as u64,
                trailers: false,
            }),
        };
        Self {
            request_id: "0192f5d4-0000-7000-8000-000000000001".to_owned(),
            trace_id: None,
            method: Some(Method::POST),
            path: path.to_owned(),
            endpoint: Arc::from(path),
            route: None,
            client_ip: IpAddr::from([127, 0, 0, 1]),
            started: Duration::from_hours(498_752),
            status: 200,
            duration: Duration::from_micros(12_345),
            upstream: Some(Duration::from_millis(12)),
            forwarded_after: Some(Duration::from_micros(100)),
            fault: None,
            error: None,
            interest: Interest::Bodies,
            request: message(request),
            response: message(response),
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    /// The codings of a message with these fields.
    fn codings(values: &[&[u8]]) -> Option<String> {
        let mut fields = HeaderMap::new();
        for value in values {
            let value = HeaderValue::from_bytes(value).unwrap();
            fields.append(header::CONTENT_ENCODING, value);
        }
        Message::of(&fields).content_encoding
    }

    #[test]
    fn every_content_encoding_is_kept_in_its_order_or_none_is() {
        assert_eq!(codings(&[]), None);
        assert_eq!(codings(&[b""]).as_deref(), Some(""));
        assert_eq!(codings(&[b"gzip"]).as_deref(), Some("gzip"));
        assert_eq!(codings(&[b"gzip", b"br, x"]).as_deref(), Some("gzip,br, x"));
        let unreadable = Some(Message::UNREADABLE.to_owned());
        assert_eq!(codings(&[b"gzip\xff"]), unreadable);
        assert_eq!(codings(&[b"gzip", &[b','; 252]]), unreadable);
        assert_eq!(codings(&[b"gzip", &[b','; 251]]).unwrap().len(), 256);
    }
}

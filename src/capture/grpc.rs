//! What the head and the trailers of a call of gRPC say.
//!
//! Source: the specification "gRPC over HTTP2"; its list of status codes.

use http::{HeaderMap, HeaderValue, header};

use super::Fault;

/// The outcome of a call that went well.
pub const OK: u32 = 0;
/// That of one whose server does not say.
pub const UNKNOWN: u32 = 2;

const TYPE: &[u8] = b"application/grpc";
const STATUS: &str = "grpc-status";
const MESSAGE: &str = "grpc-message";

/// Bytes of a message that are kept, as they are on the wire: what a library says of a mistake
/// stands at the start.
const MAX_MESSAGE: usize = 1024;

/// How a call ended, as trailers or a head without a body tell it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The `grpc-status`.
    pub status: u32,
    /// The start of the `grpc-message`, still encoded, where the status is that of a failure of the
    /// server: else nobody asks.
    pub message: Option<Box<[u8]>>,
}

impl From<u32> for Outcome {
    fn from(status: u32) -> Self {
        Self {
            status,
            message: None,
        }
    }
}

/// Whether fields are those of a call of gRPC, also one with another codec than protocol buffers.
///
/// gRPC-Web is none: its trailers stand in the body.
pub fn is_call(fields: &HeaderMap) -> bool {
    let value = fields.get(header::CONTENT_TYPE);
    value.is_some_and(|value| is_type(value.as_bytes()))
}

/// The same of a `Content-Type`.
pub fn is_type(value: &[u8]) -> bool {
    // most types are told from it by one byte
    matches!(value.get(12), Some(b'g' | b'G'))
        && value.len() >= TYPE.len()
        && value[..TYPE.len()].eq_ignore_ascii_case(TYPE)
        && matches!(value.get(TYPE.len()), None | Some(b'+' | b';' | b' '))
}

/// The `grpc-status` of trailers, or of the head of an answer without a body; one that is no
/// number is [`UNKNOWN`]. `None`: there is none.
pub fn status(fields: &HeaderMap) -> Option<u32> {
    let value = fields.get(STATUS)?;
    let number = HeaderValue::to_str(value).ok().and_then(|v| v.parse().ok());
    Some(number.unwrap_or(UNKNOWN))
}

/// The same with its message. Costs an allocation only where the server failed.
pub fn outcome(fields: &HeaderMap) -> Option<Outcome> {
    let status = status(fields)?;
    let has_failed = fault(status) == Some(Fault::Upstream);
    let message = fields.get(MESSAGE).filter(|_| has_failed);
    let start = |value: &HeaderValue| {
        let bytes = value.as_bytes();
        Box::from(&bytes[..bytes.len().min(MAX_MESSAGE)])
    };
    Some(Outcome {
        status,
        message: message.map(start),
    })
}

/// A message without its percent-encoding; what is no encoding stays as it is, as the specification
/// wants it.
pub fn decoded(message: &[u8]) -> Vec<u8> {
    let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
    let mut text = Vec::with_capacity(message.len());
    let mut at = 0;
    while let Some(byte) = message.get(at) {
        let digits = (digit(message.get(at + 1)), digit(message.get(at + 2)));
        at += 1;
        match (byte, digits) {
            (b'%', (Some(high), Some(low))) => {
                text.extend(u8::try_from(high * 16 + low));
                at += 2;
            }
            _ => text.push(*byte),
        }
    }
    text
}

/// Whose fault an outcome is, as far as the code alone tells.
///
/// As with the statuses of HTTP that stand for these codes elsewhere, a call that was cancelled (1),
/// that asked for more than it may (8) and one that met another (10) are the client's; and so is
/// one of a method that the server does not have (12).
pub const fn fault(status: u32) -> Option<Fault> {
    match status {
        OK => None,
        1 | 3 | 5..=12 | 16 => Some(Fault::Client),
        _ => Some(Fault::Upstream),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status_of(value: &'static str) -> Option<u32> {
        let mut fields = HeaderMap::new();
        fields.insert(STATUS, HeaderValue::from_static(value));
        status(&fields)
    }

    #[test]
    fn an_outcome_is_a_number_or_unknown() {
        assert_eq!(status_of("0"), Some(OK));
        assert_eq!(status_of("13"), Some(13));
        assert_eq!(status_of("x"), Some(UNKNOWN));
        assert_eq!(status(&HeaderMap::new()), None);
    }

    #[test]
    fn a_message_is_kept_of_failures_only_and_no_longer_than_it_may_be() {
        let of = |status: &'static str, message: &str| {
            let mut fields = HeaderMap::new();
            fields.insert(STATUS, HeaderValue::from_static(status));
            fields.insert(MESSAGE, HeaderValue::from_str(message).unwrap());
            outcome(&fields).unwrap().message
        };
        assert_eq!(of("13", "no").as_deref(), Some(&b"no"[..]));
        assert_eq!(of("3", "no"), None);
        assert_eq!(of("0", ""), None);
        assert_eq!(of("2", &"x".repeat(5000)).unwrap().len(), MAX_MESSAGE);
        assert_eq!(outcome(&HeaderMap::new()), None);
    }

    #[test]
    fn a_message_is_decoded_where_it_is_encoded() {
        assert_eq!(decoded(b"a%20b%C3%a9"), "a b\u{e9}".as_bytes());
        assert_eq!(decoded(b"100%, %zz %4"), b"100%, %zz %4");
        assert_eq!(decoded(b"%"), b"%");
    }

    #[test]
    fn mistakes_are_the_clients_and_failures_the_upstreams() {
        for code in [1, 3, 5, 6, 7, 8, 9, 10, 11, 12, 16] {
            assert_eq!(fault(code), Some(Fault::Client), "{code}");
        }
        for code in [2, 4, 13, 14, 15, 17, 99] {
            assert_eq!(fault(code), Some(Fault::Upstream), "{code}");
        }
        assert_eq!(fault(OK), None);
    }

    #[test]
    fn a_call_is_told_by_its_type() {
        for value in [
            "application/grpc",
            "application/grpc+proto",
            "Application/gRPC; charset=utf-8",
        ] {
            assert!(is_type(value.as_bytes()), "{value}");
        }
        for value in ["application/grpc-web", "application/json", ""] {
            assert!(!is_type(value.as_bytes()), "{value}");
        }
    }
}

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

//! A method of gRPC that is called with an empty message.
//!
//! Source: the specification "gRPC over HTTP2": `application/grpc`, each message behind a flag and
//! four bytes of length, the outcome as `grpc-status` in the trailers, or in the head of an answer
//! that has no body.

use bytes::Bytes;
use http::{HeaderValue, Request, header};

use super::{AGENT, ClientError, http2::Reply};

/// Codes of outcomes that are told apart here.
pub const OK: u32 = 0;
/// The method does not take such a message.
pub const INVALID_ARGUMENT: u32 = 3;
/// What was asked for is not there.
pub const NOT_FOUND: u32 = 5;
/// There is no such method.
pub const UNIMPLEMENTED: u32 = 12;

/// A message of no bytes: not compressed, of length 0.
const EMPTY: &[u8] = &[0; 5];
const TYPE: &str = "application/grpc";
const STATUS: &str = "grpc-status";

/// What a method gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its `grpc-status`.
    pub code: u32,
    /// Its first message, empty where there is none or it is compressed, which nobody asked for.
    pub message: Bytes,
}

/// A call of `method`, such as `/grpc.health.v1.Health/Check`, at `base`.
///
/// # Errors
/// [`ClientError::Question`]: either cannot stand in a request.
pub fn call(base: &str, method: &str) -> Result<Request<Bytes>, ClientError> {
    Request::post(format!("{base}{method}"))
        .header(header::CONTENT_TYPE, TYPE)
        .header(header::TE, "trailers")
        .header(header::USER_AGENT, AGENT)
        .body(Bytes::from_static(EMPTY))
        .map_err(ClientError::Question)
}

/// What `reply` says; `None`: it is not of gRPC.
pub fn outcome(reply: &Reply) -> Option<Outcome> {
    let status = reply.trailers.get(STATUS).or(reply.fields.get(STATUS))?;
    Some(Outcome {
        code: status.to_str().ok()?.parse().ok()?,
        message: message(&reply.body),
    })
}

/// Whether `reply` comes from a server of gRPC, whatever it says.
pub fn is_grpc(reply: &Reply) -> bool {
    let kind = reply.fields.get(header::CONTENT_TYPE);
    let kind = kind.map_or(&b""[..], HeaderValue::as_bytes);
    kind.starts_with(TYPE.as_bytes()) || outcome(reply).is_some()
}

fn message(body: &Bytes) -> Bytes {
    let Some((&[0, a, b, c, d], rest)) = body.split_first_chunk() else {
        return Bytes::new();
    };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    match rest.get(..length) {
        Some(message) => body.slice_ref(message),
        None => Bytes::new(),
    }
}

/// The number in field 1 of a message of Protocol Buffers; `None`: there is none, or the message is
/// damaged. The last one counts, and other fields are stepped over.
pub fn first_field(mut message: &[u8]) -> Option<u64> {
    let mut found = None;
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        match tag & 7 {
            0 => {
                let value = varint(&mut message)?;
                if tag >> 3 == 1 {
                    found = Some(value);
                }
            }
            1 => message = message.get(8..)?,
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                message = message.get(length..)?;
            }
            5 => message = message.get(4..)?,
            _ => return None,
        }
    }
    found
}

/// Seven bits a byte, the lowest first; the last byte has no bit above them.
fn varint(from: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = from.split_first()?;
        *from = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    fn fields(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter();
        pairs
            .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn an_outcome_stands_in_the_trailers_or_in_the_head() {
        let whole = Reply {
            body: Bytes::from_static(b"\0\0\0\0\x02\x08\x01"),
            trailers: fields(&[("grpc-status", "0")]),
            ..Reply::default()
        };
        let outcome_of_whole = outcome(&whole).unwrap();
        assert_eq!(outcome_of_whole.code, OK);
        assert_eq!(outcome_of_whole.message, &b"\x08\x01"[..]);
        let short = Reply {
            fields: fields(&[("grpc-status", "12")]),
            ..Reply::default()
        };
        let expected = Outcome {
            code: UNIMPLEMENTED,
            message: Bytes::new(),
        };
        assert_eq!(outcome(&short), Some(expected));
        assert!(is_grpc(&short));
    }

    #[test]
    fn an_answer_without_an_outcome_is_none() {
        let page = Reply::default();
        assert_eq!(outcome(&page), None);
        assert!(!is_grpc(&page));
        let broken = Reply {
            fields: fields(&[("content-type", "application/grpc+proto")]),
            trailers: fields(&[("grpc-status", "fine")]),
            ..Reply::default()
        };
        assert_eq!(outcome(&broken), None);
        assert!(is_grpc(&broken));
    }

    #[test]
    fn a_message_that_is_cut_or_compressed_is_none() {
        let of = |bytes: &'static [u8]| message(&Bytes::from_static(bytes));
        assert_eq!(of(b"\0\0\0\0\x01ab"), "a");
        assert_eq!(of(b"\0\0\0\0\x02a"), "");
        assert_eq!(of(b"\x01\0\0\0\x01a"), "");
        assert_eq!(of(b"\0\0\0"), "");
        assert_eq!(of(b"\0\xff\xff\xff\xffa"), "");
    }

    #[test]
    fn the_first_field_is_found_among_others() {
        assert_eq!(first_field(b""), None);
        assert_eq!(first_field(b"\x08\x01"), Some(1));
        assert_eq!(first_field(b"\x08\x01\x08\x02"), Some(2));
        assert_eq!(first_field(b"\x08\xac\x02"), Some(300));
        let others = b"\x12\x02\x08\x01\x19\0\0\0\0\0\0\0\0\x25\0\0\0\0\x28\x05\x08\x01";
        assert_eq!(first_field(others), Some(1));
        assert_eq!(first_field(b"\x10\x01"), None);
    }

    #[test]
    fn a_damaged_message_has_no_first_field() {
        for damaged in [
            &b"\x08"[..],
            b"\x08\x80",
            b"\x08\x01\x12\x05a",
            b"\x08\x01\x0f",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        ] {
            assert_eq!(first_field(damaged), None, "{damaged:?}");
        }
    }
}

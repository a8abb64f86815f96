//! The id that ties client, upstream and log together, and the trace id that is only read.

use std::cell::RefCell;

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue};

/// The field it travels in, both ways.
pub(super) const FIELD: HeaderName = HeaderName::from_static("x-request-id");

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The longest id of a client that is kept.
const MAX_LENGTH: usize = 128;

/// Bytes that ids are cut from, before more are asked of the allocator. A piece is held as long as one
/// of its ids is, which HTTP/2 does for a while to name it by a number.
const PIECE: usize = 512;

/// Gives ids, many from one piece of memory.
pub(super) struct Ids(RefCell<BytesMut>);

impl Ids {
    pub(super) fn new() -> Self {
        Self(RefCell::new(BytesMut::with_capacity(PIECE)))
    }

    /// The client's id if it sent exactly one of at most 128 visible ASCII characters, else a UUID.
    ///
    /// A UUID, because some model servers answer 400 to anything else.
    pub(super) fn of(&self, fields: &HeaderMap) -> HeaderValue {
        let mut sent = fields.get_all(FIELD).iter();
        match (sent.next(), sent.next()) {
            (Some(id), None) if is_acceptable(id.as_bytes()) => id.clone(),
            _ => self.generate(),
        }
    }

    /// A random UUID (version 4). Unique, not secret: no system call is spent on it.
    pub(super) fn generate(&self) -> HeaderValue {
        let uuid = uuid::Builder::from_random_bytes(fastrand::u128(..).to_ne_bytes()).into_uuid();
        let mut text = uuid::Uuid::encode_buffer();
        let text = uuid.hyphenated().encode_lower(&mut text);
        let mut piece = self.0.borrow_mut();
        piece.extend_from_slice(text.as_bytes());
        HeaderValue::from_maybe_shared(piece.split().freeze())
            .expect("hexadecimal digits and hyphens are visible ASCII")
    }
}

/// The trace id of `traceparent` (W3C Trace Context): 32 lower-case hexadecimal digits, not all 0.
pub(super) fn trace_id(fields: &HeaderMap) -> Option<String> {
    let mut parts = fields.get(TRACEPARENT)?.to_str().ok()?.split('-');
    let (version, trace) = (parts.next()?, parts.next()?);
    let is_hex = |s: &str| s.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let is_valid = version.len() == 2
        && version != "ff"
        && is_hex(version)
        && trace.len() == 32
        && is_hex(trace)
        && trace.bytes().any(|b| b != b'0');
    is_valid.then(|| trace.to_owned())
}

/// The span that the only `traceparent` names, if it is valid as a whole.
#[cfg(feature = "otlp")]
pub(super) fn parent(fields: &HeaderMap) -> Option<crate::capture::trace::Parent> {
    let mut sent = fields.get_all(TRACEPARENT).iter();
    match (sent.next(), sent.next()) {
        (Some(only), None) => crate::capture::trace::Parent::of(only.to_str().ok()?),
        _ => None,
    }
}

fn is_acceptable(id: &[u8]) -> bool {
    (1..=MAX_LENGTH).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(name: &'static str, values: &[&[u8]]) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for value in values {
            fields.append(name, HeaderValue::from_bytes(value).unwrap());
        }
        fields
    }

    #[test]
    fn a_visible_id_of_the_client_is_kept() {
        for id in [&b"a"[..], b"7f3/x:~!", &[b'z'; 128]] {
            assert_eq!(Ids::new().of(&fields("x-request-id", &[id])).as_bytes(), id);
        }
    }

    #[test]
    fn anything_else_is_replaced_by_a_uuid() {
        let long = [b'z'; 129];
        for ids in [
            &[][..],
            &[&b""[..]],
            &[b"a b"],
            &[b"\xc3\xa9"],
            &[&long],
            &[b"a", b"b"],
        ] {
            let made = Ids::new().of(&fields("x-request-id", ids));
            let uuid = uuid::Uuid::parse_str(made.to_str().unwrap()).unwrap();
            assert_eq!(uuid.get_version_num(), 4, "{ids:?}");
        }
    }

    #[test]
    fn no_two_ids_are_the_same() {
        let ids = Ids::new();
        let made: std::collections::HashSet<_> = (0..1000).map(|_| ids.generate()).collect();
        assert_eq!(made.len(), 1000);
    }

    #[cfg(feature = "otlp")]
    #[test]
    fn of_several_traceparents_none_counts() {
        let one: &[u8] = b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(parent(&fields("traceparent", &[one])).is_some());
        assert_eq!(parent(&fields("traceparent", &[one, one])), None);
        assert_eq!(parent(&fields("traceparent", &[b"00-"])), None);
        assert_eq!(parent(&fields("traceparent", &[])), None);
    }

    #[test]
    fn a_trace_id_is_read_from_a_valid_traceparent_only() {
        let of = |value: &[u8]| trace_id(&fields("traceparent", &[value]));
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(
            of(format!("00-{id}-00f067aa0ba902b7-01").as_bytes()).as_deref(),
            Some(id)
        );
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-1-1",
            "00-4BF9-1-1",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        ] {
            assert_eq!(of(bad.as_bytes()), None, "{bad}");
        }
    }
}

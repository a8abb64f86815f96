//! Answers that no service made: hyper's to a head it cannot read, and the one to a late head.

use bytes::Bytes;
use http::HeaderValue;

use super::{
    super::{
        failure::{Failure, REASON_FIELD},
        record::Record,
        request_id,
    },
    Client,
};

/// What is sent in place of `bytes`, if these are an answer of hyper's own. It is counted.
pub(super) fn in_place_of(bytes: &[u8], client: &Client) -> Option<Bytes> {
    let status = own_status(bytes).filter(|_| !client.has_response())?;
    Some(counted(bytes, client, Failure::of_own_status(status)))
}

/// The answer to a head that took too long. It is counted.
pub(super) fn to_a_late_head(client: &Client) -> Bytes {
    let head = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    counted(head, client, Failure::HeadTimeout)
}

fn counted(bytes: &[u8], client: &Client, failure: Failure) -> Bytes {
    let id = client.thread.ids.generate();
    Record::unreadable(&client.thread, client.address, &id, failure);
    with_own_fields(bytes, &id, failure)
}

/// The status of an answer that hyper makes for a head it cannot read: it closes and has no body.
fn own_status(bytes: &[u8]) -> Option<u16> {
    let rest = bytes
        .strip_prefix(b"HTTP/1.1 ")
        .or_else(|| bytes.strip_prefix(b"HTTP/1.0 "))?;
    let is_own = rest.len() < 128 && rest.ends_with(b"\r\ncontent-length: 0\r\n\r\n");
    let status = std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok()?;
    (is_own && matches!(status, 400 | 414 | 431)).then_some(status)
}

fn with_own_fields(bytes: &[u8], id: &HeaderValue, failure: Failure) -> Bytes {
    let fields = format!(
        "{REASON_FIELD}: {}\r\n{}: ",
        failure.reason(),
        request_id::FIELD
    );
    let head = &bytes[..bytes.len() - 2];
    [head, fields.as_bytes(), id.as_bytes(), b"\r\n\r\n"]
        .concat()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_of_hypers_shape_is_taken_for_its_own() {
        let own = |s: &str| own_status(s.as_bytes());
        let head = "HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\n";
        assert_eq!(own(&format!("{head}content-length: 0\r\n\r\n")), Some(431));
        assert_eq!(
            own("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"),
            Some(400)
        );
        assert_eq!(
            own("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
            None
        );
        assert_eq!(
            own("HTTP/1.1 400 Bad Request\r\ncontent-length: 2\r\n\r\n"),
            None
        );
        assert_eq!(own("HTTP/1.1 4"), None);
        assert_eq!(own(""), None);
    }

    #[test]
    fn an_own_answer_gets_its_reason_and_an_id() {
        let bytes = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        let id = HeaderValue::from_static("abc");
        let text = with_own_fields(bytes, &id, Failure::BadRequest);
        assert_eq!(
            text,
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\
             x-sidelight-reason: bad_request\r\nx-request-id: abc\r\n\r\n"
        );
    }
}

//! Switching protocols: to WebSocket, and to nothing else.

use http::{HeaderMap, HeaderValue, Method, StatusCode, Version, header, request};

use super::{super::failure::Failure, Wants, members};

const WEBSOCKET: &str = "websocket";

/// A client of HTTP/1.1 may ask to switch; a proxy may ignore it (RFC 9110, section 7.8).
///
/// `h2c` and others are ignored: what follows such a switch is a stream of requests that nobody
/// here would read. A WebSocket begins with a `GET` without a body (RFC 6455, section 4.1).
pub(super) fn wanted(head: &request::Parts, has_body: bool) -> Wants {
    let asks = !has_body
        && head.method == Method::GET
        && head.version == Version::HTTP_11
        && has(&head.headers, &header::UPGRADE, WEBSOCKET)
        && has(&head.headers, &header::CONNECTION, "upgrade");
    if asks { Wants::Tunnel } else { Wants::Answer }
}

/// Asks for, or agrees to, the switch (RFC 9110, section 7.8).
pub(super) fn ask(fields: &mut HeaderMap) {
    fields.insert(header::UPGRADE, HeaderValue::from_static(WEBSOCKET));
    fields.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
}

/// Nobody may switch who was not asked to (RFC 9110, section 7.8).
pub(super) fn refuse_unasked(status: StatusCode) -> Result<(), Failure> {
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Failure::BadAnswer);
    }
    Ok(())
}

/// Nobody may switch to what was not asked for (RFC 9110, section 7.8).
pub(super) fn refuse_another(fields: &HeaderMap) -> Result<(), Failure> {
    has(fields, &header::UPGRADE, WEBSOCKET)
        .then_some(())
        .ok_or(Failure::BadAnswer)
}

fn has(fields: &HeaderMap, name: &http::HeaderName, member: &str) -> bool {
    members(fields, name).any(|m| m.eq_ignore_ascii_case(member.as_bytes()))
}

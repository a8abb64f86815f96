//! One request read whole, and what is answered to it.

use std::net::SocketAddr;

use ::metrics::Counter;
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use tokio::time::timeout;

use super::{
    Handler, Limits, Request,
    response::{Response, empty, error_json},
    seat::Seat,
};
use crate::panics::contained;

/// Longest body of a request that only asks: it means nothing there.
const READ_BODY: usize = 16 << 10;

/// Who answers, shared by all connections.
pub(super) struct Desk<H> {
    pub(super) handler: H,
    pub(super) panics: Counter,
    pub(super) limits: Limits,
}

/// Why a request never reached the handler.
enum Refusal {
    TooLong,
    TooSlow,
    Unreadable,
}

impl Refusal {
    fn response(&self) -> Response {
        let (status, reason, detail) = match self {
            Self::TooLong => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "body_too_long",
                "the body is longer than this port takes",
            ),
            Self::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "body_timeout",
                "the body did not come in time",
            ),
            Self::Unreadable => (
                StatusCode::BAD_REQUEST,
                "body_unreadable",
                "the body broke off or is not framed as its head says",
            ),
        };
        closing(error_json(status, reason, detail))
    }
}

/// What of the body was not read stands before the next request.
fn closing(mut response: Response) -> Response {
    let close = HeaderValue::from_static("close");
    response.headers_mut().insert(header::CONNECTION, close);
    response
}

/// What the handler says, or why it was not asked.
pub(super) async fn answer<H: Handler>(
    desk: &Desk<H>,
    peer: SocketAddr,
    seat: &Seat,
    request: hyper::Request<Incoming>,
) -> Response {
    let (head, body) = request.into_parts();
    let is_head = head.method == Method::HEAD;
    let request = Request {
        method: head.method,
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        headers: head.headers,
        body: Bytes::new(),
        peer,
    };
    // a handler that panics costs one answer, not the server
    let answer = contained(&desk.panics, desk.respond(request, body, seat)).await;
    let mut response = answer.unwrap_or_else(|_| panicked());
    desk.handler.dress(&mut response);
    if is_head {
        without_body(response)
    } else {
        response
    }
}

impl<H: Handler> Desk<H> {
    async fn respond(&self, mut request: Request, body: Incoming, seat: &Seat) -> Response {
        if let Some(refusal) = self.handler.refuse(&request) {
            return if body.is_end_stream() {
                refusal
            } else {
                closing(refusal)
            };
        }
        let limit = if request.is_read() {
            self.limits.body.min(READ_BODY)
        } else {
            self.limits.body
        };
        request.body = match timeout(self.limits.body_timeout, read(body, limit)).await {
            Ok(Ok(body)) => body,
            Ok(Err(refusal)) => return refusal.response(),
            Err(_) => return Refusal::TooSlow.response(),
        };
        seat.has_read();
        self.handler.answer(request).await
    }
}

async fn read(mut body: Incoming, limit: usize) -> Result<Bytes, Refusal> {
    // a body that says it is too long is not even begun
    if usize::try_from(body.size_hint().lower()).map_or(true, |length| length > limit) {
        return Err(Refusal::TooLong);
    }
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| Refusal::Unreadable)?.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > limit {
            return Err(Refusal::TooLong);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

fn panicked() -> Response {
    error_json(
        StatusCode::INTERNAL_SERVER_ERROR,
        "panic",
        "the server failed on this request; it goes on",
    )
}

/// The answer to HEAD: the length of the body that a GET would get, and no body.
fn without_body(response: Response) -> Response {
    let (mut head, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        head.headers
            .entry(header::CONTENT_LENGTH)
            .or_insert(HeaderValue::from(length));
    }
    Response::from_parts(head, empty())
}

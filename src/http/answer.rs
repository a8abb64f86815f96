//! One request read whole, and what is answered to it.

use std::{future::Future, net::SocketAddr};

use ::metrics::Counter;
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use tokio::time::timeout;

use super::{
    Limits, Request,
    response::{Response, empty, error_json},
};
use crate::panics::contained;

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
        let mut response = error_json(status, reason, detail);
        response
            .headers_mut()
            .insert(header::CONNECTION, HeaderValue::from_static("close"));
        response
    }
}

/// What the handler says, or why it was not asked.
pub(super) async fn answer<H, F>(
    desk: &Desk<H>,
    peer: SocketAddr,
    request: hyper::Request<Incoming>,
) -> Response
where
    H: Fn(Request) -> F,
    F: Future<Output = Response>,
{
    let (head, body) = request.into_parts();
    let is_head = head.method == Method::HEAD;
    let limits = &desk.limits;
    let response = match timeout(limits.body_timeout, read(body, limits.body)).await {
        Ok(Ok(body)) => {
            let request = Request {
                method: head.method,
                path: head.uri.path().to_owned(),
                query: head.uri.query().map(str::to_owned),
                headers: head.headers,
                body,
                peer,
            };
            // a handler that panics costs one answer, not the server
            contained(&desk.panics, async { (desk.handler)(request).await })
                .await
                .unwrap_or_else(|_| panicked())
        }
        Ok(Err(refusal)) => refusal.response(),
        Err(_) => Refusal::TooSlow.response(),
    };
    if is_head {
        without_body(response)
    } else {
        response
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

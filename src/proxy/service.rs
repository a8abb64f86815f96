//! One request, start to end.

use std::{convert::Infallible, rc::Rc};

use http::{HeaderValue, Method, Request, Response, header, response};
use http_body_util::Full;
use hyper::body::{Body, Incoming};

use super::{
    failure::Failure,
    forward::forward,
    io::Client,
    record::{Record, RequestEnd, ResponseEnd},
    request_id, sanitize,
    thread::Thread,
    upstream::{Payload, RequestBody},
};
use crate::{capture::tee::Tee, drain::Phase};

/// What is sent to the client.
pub(super) type Answer = Response<super::io::InHand<Tee<Payload, ResponseEnd>>>;

/// Answers one request: with what the upstream says, or with why it says nothing.
pub(super) async fn answer(
    thread: Rc<Thread>,
    client: Rc<Client>,
    request: Request<Incoming>,
) -> Result<Answer, Infallible> {
    let (mut head, body) = request.into_parts();
    let is_head = head.method == Method::HEAD;
    let id = request_id::of(&head.headers);
    let record = Record::open(&thread, client.address, &head, &id);

    let wants = sanitize::request(&mut head, !body.is_end_stream(), || authority(&thread));
    head.headers.insert(request_id::FIELD, id.clone());
    let body = Tee::new(body, record.copy_limit(), RequestEnd(Rc::clone(&record)));
    let outcome = match wants {
        Ok(_) => exchange(&thread, &record, Request::from_parts(head, body)).await,
        Err(failure) => Err(failure),
    };
    let (mut head, payload) = outcome.unwrap_or_else(|failure| own(failure, &record, is_head));
    head.headers.insert(request_id::FIELD, id);
    if thread.phase() >= Phase::Leaving {
        // a client that keeps the connection would lose the request it sends when the drain begins
        let close = HeaderValue::from_static("close");
        head.headers.insert(header::CONNECTION, close);
    }
    record.answering();
    let limit = record.copy_limit();
    let body = Tee::new(payload, limit, ResponseEnd(record));
    Ok(Response::from_parts(head, client.in_hand(body)))
}

/// What the upstream says, fit for the client.
async fn exchange(
    thread: &Rc<Thread>,
    record: &Record,
    request: Request<RequestBody>,
) -> Result<(response::Parts, Payload), Failure> {
    let (mut head, body) = forward(thread, record, request).await?.into_parts();
    sanitize::response(&mut head)?;
    record.answered(&head);
    Ok((head, body))
}

/// An answer of the agent itself, which is in the record before it is sent.
fn own(failure: Failure, record: &Record, is_head: bool) -> (response::Parts, Payload) {
    record.failed(failure);
    let (mut head, body) = failure.response().into_parts();
    if !record.request_ended() {
        // the rest of the request stands before the next one
        let close = HeaderValue::from_static("close");
        head.headers.insert(header::CONNECTION, close);
    }
    let body = if is_head {
        Full::default()
    } else {
        Full::new(body)
    };
    (head, Payload::Own(body))
}

/// `Host` for clients that send none.
fn authority(thread: &Thread) -> HeaderValue {
    thread
        .upstream
        .borrow()
        .as_ref()
        .and_then(|upstream| HeaderValue::from_str(&upstream.authority()).ok())
        .unwrap_or_else(|| HeaderValue::from_static("localhost"))
}

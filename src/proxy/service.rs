//! One request, start to end.

use std::{convert::Infallible, rc::Rc};

use http::{HeaderValue, Method, Request, Response, StatusCode, header, request, response};
use http_body_util::Full;
use hyper::body::{Body, Incoming};

use super::{
    failure::Failure,
    forward::{self, Route},
    interim::Interim,
    io::Client,
    outgoing::Outgoing,
    record::{Record, RequestEnd, ResponseEnd},
    request_id,
    sanitize::{self, Wants},
    thread::Thread,
    upstream::{Leftover, Payload},
};
use crate::{capture::tee::Tee, drain::Phase, panics::hook};

/// What is sent to the client.
pub(super) type Answer = Response<super::io::InHand<Tee<Payload, ResponseEnd>>>;

/// Answers one request: with what the upstream says, or with why it says nothing.
///
/// The socket must know how the body ends before hyper reads on, so that much is not delayed.
pub(super) fn answer(
    thread: Rc<Thread>,
    client: Rc<Client>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Answer, Infallible>> {
    let framing = client.head_read(&request);
    async move { Ok(finish(thread, client, request, framing).await) }
}

async fn finish(
    thread: Rc<Thread>,
    client: Rc<Client>,
    request: Request<Incoming>,
    framing: Result<(), Failure>,
) -> Answer {
    let (head, body) = request.into_parts();
    let is_head = head.method == Method::HEAD;
    let id = request_id::of(&head.headers);
    let record = Record::open(&thread, client.address, &head, &id);
    let body = Tee::new(body, record.copy_limit(), RequestEnd(Rc::clone(&record)));
    hook("request");

    let outcome = match framing {
        Ok(()) => exchange(&thread, &client, &record, &id, head, Outgoing::new(body)).await,
        Err(failure) => Err(failure),
    };
    client.settle();

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
    Response::from_parts(head, client.in_hand(body))
}

/// What the upstream says, fit for the client.
async fn exchange(
    thread: &Rc<Thread>,
    client: &Client,
    record: &Record,
    id: &HeaderValue,
    mut head: request::Parts,
    mut body: Outgoing,
) -> Result<(response::Parts, Payload), Failure> {
    let version = head.version;
    let has_body = !body.is_end_stream();
    let wants = sanitize::request(&mut head, has_body, || authority(thread))?;
    head.headers.insert(request_id::FIELD, id.clone());
    let is_waiting = has_body && sanitize::waits(&head.headers);

    let mut request = Request::from_parts(head, ());
    let interim = Interim::of(&mut request, version);
    if is_waiting {
        body.hold(&interim);
    }
    let request = request.map(|()| body);
    let route = Route {
        thread,
        client,
        record,
        interim: &interim,
    };
    let response = match wants {
        Wants::Answer => forward::forward(&route, request).await?,
        Wants::Tunnel => {
            let (response, far) = forward::switch(&route, request).await?;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                return agree(client, record, response, far);
            }
            response
        }
    };
    let (mut head, body) = response.into_parts();
    sanitize::response(&mut head)?;
    record.answered(&head);
    Ok((head, body))
}

/// The upstream switches to what the client asked for: that is the answer, and the end of HTTP.
fn agree(
    client: &Client,
    record: &Record,
    response: Response<Payload>,
    far: Leftover,
) -> Result<(response::Parts, Payload), Failure> {
    let (mut head, _) = response.into_parts();
    sanitize::agreement(&mut head)?;
    record.answered(&head);
    client.tunnel_to(far);
    Ok((head, Payload::Own(Full::default())))
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

//! One request, start to end.

use std::{rc::Rc, sync::Arc};

use http::{HeaderValue, Method, Request, Response, StatusCode, header, request, response};
use http_body_util::Full;
use hyper::body::{Body, Incoming};

use super::{
    failure::{Failure, NoAnswer},
    forward::{self, Route},
    interim::Interim,
    io::Client,
    near::{InHand, Near},
    outgoing::Outgoing,
    patient::Patient,
    record::{Record, ResponseEnd},
    request_id,
    sanitize::{self, Wants},
    streams::Open,
    thread::Thread,
    trailers::Trailers,
    upstream::{Leftover, Payload},
    wake::Bell,
    way::{self, Way},
};
use crate::{capture::tee::Tee, drain::Phase, panics::hook};

/// What is sent to the client.
pub(super) type Answer = Response<InHand<Tee<Payload, ResponseEnd>>>;

/// Answers one request of HTTP/1: with what the upstream says, or with why it says nothing.
///
/// The socket must know how the body ends before hyper reads on, so that much is not delayed.
pub(super) fn answer(
    thread: Rc<Thread>,
    client: Rc<Client>,
    bell: Arc<Bell>,
    request: Request<Incoming>,
) -> impl Future<Output = Result<Answer, hyper::Error>> {
    let framing = client.head_read(&request);
    let (head, body) = request.into_parts();
    let body = Patient::new(body, bell);
    async move { finish(&thread, Near::Alone(client), head, body, framing).await }
}

/// Answers one request of HTTP/2 likewise, or ends its stream as the upstream did: then with an error.
pub(super) async fn answer_stream(
    thread: Rc<Thread>,
    stream: Open,
    request: Request<Incoming>,
) -> Result<Answer, hyper::Error> {
    let (head, body) = request.into_parts();
    let limit = thread.settings.borrow().client_idle;
    let body = Patient::of_stream(body, stream.again(), limit);
    finish(&thread, Near::Stream(stream), head, body, Ok(())).await
}

async fn finish(
    thread: &Rc<Thread>,
    near: Near,
    head: request::Parts,
    body: Patient,
    framing: Result<(), Failure>,
) -> Result<Answer, hyper::Error> {
    let asked = Asked::of(&head);
    let id = thread.ids.of(&head.headers);
    let record = Record::open(thread, near.address(), &head, &id);
    let body = Outgoing::new(record.tee_request(body), Rc::clone(thread));
    hook("request");

    let outcome = match framing {
        Ok(()) => exchange(thread, &near, &record, &id, head, body).await,
        Err(failure) => Err(failure.into()),
    };
    near.settle();

    let (mut head, payload) = match outcome {
        Ok(answer) => answer,
        Err(NoAnswer { failure, reset }) => {
            record.failed(failure);
            match reset {
                Some(reset) if !near.is_alone() => return Err(reset),
                _ => own(failure, &record, &asked, &near),
            }
        }
    };
    head.headers.insert(request_id::FIELD, id);
    let trailers = if near.is_alone() {
        if thread.phase() >= Phase::Leaving {
            // a client that keeps the connection would lose the request it sends when the drain begins
            close_after(&mut head);
        }
        Trailers::declared(&head.headers, asked.takes_trailers)
    } else {
        // one stream must not say so for all
        head.headers.remove(header::CONNECTION);
        Trailers::All
    };
    record.answering();
    let body = near.in_hand(record.tee_response(payload), trailers, Rc::clone(thread));
    Ok(Response::from_parts(head, body))
}

/// What of a request decides how its answer is written.
struct Asked {
    is_head: bool,
    is_grpc: bool,
    takes_trailers: bool,
}

impl Asked {
    fn of(head: &request::Parts) -> Self {
        Self {
            is_head: head.method == Method::HEAD,
            is_grpc: way::is_grpc(&head.headers),
            takes_trailers: sanitize::takes_trailers(&head.headers),
        }
    }
}

/// What the upstream says, fit for the client.
async fn exchange(
    thread: &Rc<Thread>,
    near: &Near,
    record: &Record,
    id: &HeaderValue,
    mut head: request::Parts,
    mut body: Outgoing,
) -> Result<(response::Parts, Payload), NoAnswer> {
    let version = head.version;
    let has_body = !body.is_end_stream();
    let bounds = thread.bounds;
    let wants = sanitize::request(&mut head, has_body, bounds, || authority(thread))?;
    head.headers.insert(request_id::FIELD, id.clone());
    if let Err(failure) = enter(thread, record).await {
        forward::rarely(forward::discard(&head.headers, body)).await;
        return Err(failure.into());
    }
    let way = match wants {
        Wants::Answer => way::choose(thread, version, &head.headers).await?,
        Wants::Tunnel => Way::Http1,
    };
    let is_waiting = has_body && near.is_alone() && sanitize::waits(&head.headers);
    body.limit_trailers(Trailers::declared(&head.headers, true));

    let mut request = Request::from_parts(head, ());
    let lost = thread.counts.lost_interims.clone();
    let interim = Interim::of(&mut request, version, lost);
    if is_waiting {
        body.hold(&interim);
    }
    let request = request.map(|()| body);
    let route = Route {
        thread,
        near,
        record,
        interim: &interim,
    };
    let response = match wants {
        Wants::Answer => forward::forward(&route, way, request).await?,
        Wants::Tunnel => {
            let (response, far) = forward::rarely(forward::switch(&route, request)).await?;
            if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                return Ok(agree(near, record, response, far)?);
            }
            response
        }
    };
    let (mut head, body) = response.into_parts();
    sanitize::response(&mut head)?;
    record.answered(&head);
    Ok((head, body))
}

/// Waits for room.
async fn enter(thread: &Thread, record: &Record) -> Result<(), Failure> {
    let (most, patience) = {
        let settings = thread.settings.borrow();
        (settings.max_queued, settings.queue_timeout)
    };
    record.enter(thread.room.enter(most, patience).await?);
    Ok(())
}

/// The upstream switches to what the client asked for: that is the answer, and the end of HTTP.
fn agree(
    near: &Near,
    record: &Record,
    response: Response<Payload>,
    far: Leftover,
) -> Result<(response::Parts, Payload), Failure> {
    let (mut head, _) = response.into_parts();
    sanitize::agreement(&mut head)?;
    record.answered(&head);
    near.tunnel_to(far);
    Ok((head, Payload::Own(Full::default())))
}

/// An answer of the agent itself, which is in the record before it is sent.
fn own(
    failure: Failure,
    record: &Record,
    asked: &Asked,
    near: &Near,
) -> (response::Parts, Payload) {
    // gRPC is HTTP/2: whoever names it over HTTP/1 is refused as everyone there
    if asked.is_grpc && !near.is_alone() {
        return (failure.grpc_answer(), Payload::Own(Full::default()));
    }
    let (mut head, body) = failure.response().into_parts();
    if !record.request_ended() {
        // the rest of the request stands before the next one
        close_after(&mut head);
    }
    let body = if asked.is_head {
        Full::default()
    } else {
        Full::new(body)
    };
    (head, Payload::Own(body))
}

fn close_after(head: &mut response::Parts) {
    let close = HeaderValue::from_static("close");
    head.headers.insert(header::CONNECTION, close);
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

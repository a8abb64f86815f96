//! One request to the upstream and the head of its answer.

use std::{
    future::Future,
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, Version, header, uri::Scheme};
use http_body_util::BodyExt;
use hyper::{
    body::{Body, Incoming},
    client::conn::TrySendError,
};

use tokio::time::timeout;

use super::{
    failure::{self, Failure, NoAnswer},
    interim::Interim,
    near::Near,
    outgoing::Outgoing,
    record::Record,
    sanitize,
    thread::{Settings, Thread},
    trailers::Trailers,
    upstream::{Connection, Lease, Leftover, Payload, dial},
    way::Way,
};

/// Most bytes of a body that are read although nobody gets them.
const DISCARDED_BYTES: usize = 256 * 1024;
/// Longest wait for them.
const DISCARD_TIME: Duration = Duration::from_millis(500);

/// What one request has to do with.
pub(super) struct Route<'a> {
    pub(super) thread: &'a Rc<Thread>,
    pub(super) near: &'a Near,
    pub(super) record: &'a Record,
    pub(super) interim: &'a Interim,
}

/// Sends `request` and waits for the head of the answer.
///
/// A connection from the pool may have been closed at the other end a moment ago. A request of
/// which hyper has sent nothing then comes back, and goes out on another connection. One that was
/// sent goes out once more, on a new connection, if nothing can have come of it: no byte of an
/// answer was there, it has no body, and it may be repeated (RFC 9112, section 9.3.1; RFC 9110,
/// section 9.2.2).
pub(super) async fn forward(
    route: &Route<'_>,
    way: Way,
    request: Request<Outgoing>,
) -> Result<Response<Payload>, NoAnswer> {
    match way {
        Way::Http1 => over_http1(route, request).await,
        Way::Http2 => rarely(over_http2(route, request)).await,
    }
}

/// A future in a box of its own: what most requests never come to is not moved about with all.
pub(super) fn rarely<F: Future>(future: F) -> Pin<Box<F>> {
    Box::pin(future)
}

async fn over_http1(
    route: &Route<'_>,
    mut request: Request<Outgoing>,
) -> Result<Response<Payload>, NoAnswer> {
    let settings = Arc::clone(&route.thread.settings.borrow());
    let mut is_repeated = false;
    loop {
        let now = route.record.forwarded();
        let connected = if let Some(pooled) = pooled(route.thread, &settings, is_repeated, now) {
            Ok((pooled, true))
        } else {
            let connected = rarely(connect(route.thread, &settings, is_repeated)).await;
            route.record.forwarded();
            connected
        };
        let (mut connection, is_reused) = match connected {
            Ok(connection) => connection,
            Err(failure) => return Err(rarely(without_body(request, failure)).await),
        };
        let spare = is_reused.then(|| repeatable(&request)).flatten();
        let before = connection.received.bytes();
        let sending = pin!(connection.sender.try_send_request(request));
        match route.send(&settings, sending).await? {
            Ok(response) => return Ok(respond(route.thread, response, connection)),
            Err(mut error) => match (error.take_message(), spare) {
                (Some(unsent), _) if is_reused => request = unsent,
                (None, Some(spare)) if connection.received.bytes() == before => {
                    is_repeated = true;
                    request = *spare;
                }
                _ => return Err(route.no_answer(error.into_error())),
            },
        }
    }
}

/// A connection that is there, unless it must be made `anew`.
fn pooled(thread: &Thread, settings: &Settings, anew: bool, now: Instant) -> Option<Connection> {
    if anew {
        return None;
    }
    thread.pool.take(settings.upstream_idle, now)
}

/// A new connection within `proxy.connect_timeout`, or one that was given back meanwhile; and whether
/// it was there before. `anew`: it must not have been.
///
/// Only so many are made at once: a burst would overflow the queue of a small server, which answers
/// a second later. Who waits for its turn takes what others have given back meanwhile.
async fn connect(
    thread: &Thread,
    settings: &Settings,
    anew: bool,
) -> Result<(Connection, bool), Failure> {
    let connecting = async {
        // it is never closed
        let _turn = thread.dials.acquire().await;
        if let Some(pooled) = pooled(thread, settings, anew, Instant::now()) {
            return Ok((pooled, true));
        }
        let connection = dial::http1(thread, settings.connect_timeout).await?;
        Ok((connection, false))
    };
    timeout(settings.connect_timeout, connecting)
        .await
        .unwrap_or(Err(Failure::ConnectTimeout))
}

/// Over HTTP/2 a connection carries many requests, so that its bytes say nothing of this one: what
/// may be sent once more is what the upstream says it has not processed, and what was lost with the
/// connection before a head of an answer came (RFC 9113, section 8.7).
async fn over_http2(
    route: &Route<'_>,
    request: Request<Outgoing>,
) -> Result<Response<Payload>, NoAnswer> {
    let settings = Arc::clone(&route.thread.settings.borrow());
    let mut request = translated(route.thread, request)?;
    let mut spares = 1;
    loop {
        let slots = &route.thread.multiplexed;
        let slot = slots.slot(route.thread, settings.connect_timeout).await;
        let mut slot = match slot {
            Ok(slot) => slot,
            Err(failure) => return Err(rarely(without_body(request, failure)).await),
        };
        let spare = (spares > 0).then(|| repeatable(&request)).flatten();
        route.record.forwarded();
        let sending = pin!(slot.sender.try_send_request(request));
        let mut error = match route.send(&settings, sending).await? {
            Ok(response) => {
                let lease = Lease::Stream { _slot: slot };
                return Ok(response.map(|body| Payload::upstream(body, lease)));
            }
            Err(error) => error,
        };
        let unsent = error.take_message();
        let error = error.into_error();
        request = match (unsent, spare) {
            (Some(unsent), _) => {
                slot.give_up();
                unsent
            }
            (None, Some(spare)) if failure::is_unprocessed(&error) => {
                spares -= 1;
                *spare
            }
            _ => {
                if !failure::is_reset(&error) {
                    // whoever answers there may have changed
                    route.thread.spoken.forget();
                }
                return Err(route.no_answer(error));
            }
        };
    }
}

fn translated(thread: &Thread, request: Request<Outgoing>) -> Result<Request<Outgoing>, Failure> {
    let (mut head, mut body) = request.into_parts();
    body.limit_trailers(Trailers::All);
    let upstream = thread.upstream.borrow();
    let upstream = upstream.as_ref().ok_or(Failure::NoUpstream)?;
    let scheme = if upstream.tls {
        Scheme::HTTPS
    } else {
        Scheme::HTTP
    };
    sanitize::translate(&mut head, scheme, &upstream.authority());
    Ok(Request::from_parts(head, body))
}

/// Asks for a tunnel, on a connection of its own.
pub(super) async fn switch(
    route: &Route<'_>,
    request: Request<Outgoing>,
) -> Result<(Response<Payload>, Leftover), NoAnswer> {
    let settings = Arc::clone(&route.thread.settings.borrow());
    let (mut connection, leftover) =
        dial::http1_to_switch(route.thread, settings.connect_timeout).await?;
    route.record.forwarded();
    let sending = pin!(connection.sender.try_send_request(request));
    let answer = route.send(&settings, sending).await?;
    let response = answer.map_err(|error| route.no_answer(error.into_error()))?;
    let response = response.map(|body| Payload::upstream(body, Lease::Last));
    Ok((response, leftover))
}

type Sent = Result<Response<Incoming>, TrySendError<Request<Outgoing>>>;

impl Route<'_> {
    /// Waits for what comes of sending, and passes on what comes before the answer.
    async fn send(
        &self,
        settings: &Settings,
        sending: Pin<&mut impl Future<Output = Sent>>,
    ) -> Result<Sent, Failure> {
        let answer = pin!(self.near.pass_on(self.interim, sending));
        match settings.response_timeout {
            Some(patience) => rarely(self.within(patience, answer))
                .await
                .ok_or(Failure::ResponseTimeout),
            None => Ok(answer.await),
        }
    }

    /// What `answer` gives within `patience` of the request's last byte: while a client is slow to
    /// send, the upstream is not late. `None`: it is.
    async fn within<T>(
        &self,
        patience: Duration,
        mut answer: Pin<&mut impl Future<Output = T>>,
    ) -> Option<T> {
        loop {
            let since = self.record.handed_over();
            let due = since.unwrap_or_else(Instant::now) + patience;
            match tokio::time::timeout_at(due.into(), answer.as_mut()).await {
                Ok(answer) => return Some(answer),
                Err(_) if since.is_some() => return None,
                Err(_) => {}
            }
        }
    }

    /// Why there is no answer: hyper's error does not say whose body broke.
    fn no_answer(&self, error: hyper::Error) -> NoAnswer {
        if self.record.panicked() {
            Failure::Panic.into()
        } else if self.record.request_broke() {
            Failure::RequestBody.into()
        } else {
            NoAnswer::from(error)
        }
    }
}

fn respond(
    thread: &Rc<Thread>,
    response: Response<Incoming>,
    connection: Connection,
) -> Response<Payload> {
    // where its end is in doubt, so is what comes after it (RFC 9112, section 6.3); to who answers in
    // HTTP/1.0 hyper speaks that from then on
    let is_last =
        sanitize::is_ambiguous(response.headers()) || response.version() == Version::HTTP_10;
    let lease = if is_last {
        Lease::Last
    } else {
        Lease::Pooled(Rc::clone(thread), Some(connection))
    };
    response.map(|body| Payload::upstream(body, lease))
}

/// The same request once more, if it may be sent twice.
fn repeatable(request: &Request<Outgoing>) -> Option<Box<Request<Outgoing>>> {
    if !request.method().is_idempotent() || !request.body().is_end_stream() {
        return None;
    }
    let mut again = Request::new(Outgoing::empty());
    request.method().clone_into(again.method_mut());
    request.uri().clone_into(again.uri_mut());
    request.headers().clone_into(again.headers_mut());
    request.extensions().clone_into(again.extensions_mut());
    *again.version_mut() = request.version();
    Some(Box::new(again))
}

/// Nobody gets the body of `request`.
async fn without_body(request: Request<Outgoing>, failure: Failure) -> NoAnswer {
    let (head, body) = request.into_parts();
    discard(&head.headers, body).await;
    failure.into()
}

/// Reads a short body that nobody gets: then the client's connection can carry its next request.
pub(super) async fn discard(fields: &HeaderMap, mut body: Outgoing) {
    if fields.contains_key(header::EXPECT) {
        // it waits to be told to send its body, and is not told
        return;
    }
    let reading = async {
        let mut bytes = 0;
        while let Some(Ok(frame)) = body.frame().await {
            bytes += frame.data_ref().map_or(0, Bytes::len);
            if bytes > DISCARDED_BYTES {
                return;
            }
        }
    };
    // what did not come in time is cut off with its connection
    let _ = tokio::time::timeout(DISCARD_TIME, reading).await;
}

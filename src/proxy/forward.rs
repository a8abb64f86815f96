//! One request to the upstream and the head of its answer.

use std::{
    future::Future,
    pin::{Pin, pin},
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};

use super::{
    failure::Failure,
    interim::Interim,
    io::Client,
    outgoing::Outgoing,
    record::Record,
    sanitize,
    thread::{Settings, Thread},
    upstream::{self, Connection, Lease, Leftover, Payload},
};

/// Most bytes of a body that are read although nobody gets them.
const DISCARDED_BYTES: usize = 256 * 1024;
/// Longest wait for them.
const DISCARD_TIME: Duration = Duration::from_millis(500);

/// What one request has to do with.
pub(super) struct Route<'a> {
    pub(super) thread: &'a Rc<Thread>,
    pub(super) client: &'a Client,
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
    mut request: Request<Outgoing>,
) -> Result<Response<Payload>, Failure> {
    let settings = Arc::clone(&route.thread.settings.borrow());
    let mut is_repeated = false;
    loop {
        let pooled = (!is_repeated)
            .then(|| route.thread.pool.take(settings.upstream_idle))
            .flatten();
        let is_reused = pooled.is_some();
        let mut connection = match pooled {
            Some(connection) => connection,
            None => match upstream::connect(route.thread, settings.connect_timeout).await {
                Ok(connection) => connection,
                Err(failure) => {
                    discard(request).await;
                    return Err(failure);
                }
            },
        };
        let spare = is_reused.then(|| repeatable(&request)).flatten();
        let before = connection.received.bytes();
        let answer = route.send(&settings, &mut connection, request).await?;
        match answer {
            Ok(response) => return Ok(respond(route.thread, response, connection)),
            Err(mut error) => match (error.take_message(), spare) {
                (Some(unsent), _) if is_reused => request = unsent,
                (None, Some(spare)) if connection.received.bytes() == before => {
                    is_repeated = true;
                    request = spare;
                }
                _ => return Err(route.failure(error.error())),
            },
        }
    }
}

/// Asks for a tunnel, on a connection of its own.
pub(super) async fn switch(
    route: &Route<'_>,
    request: Request<Outgoing>,
) -> Result<(Response<Payload>, Leftover), Failure> {
    let settings = Arc::clone(&route.thread.settings.borrow());
    let (mut connection, leftover) =
        upstream::connect_to_switch(route.thread, settings.connect_timeout).await?;
    let answer = route.send(&settings, &mut connection, request).await?;
    let response = answer.map_err(|error| route.failure(error.error()))?;
    let lease = Lease::last(route.thread);
    let response = response.map(|body| Payload::upstream(body, lease));
    Ok((response, leftover))
}

type Sent = Result<Response<Incoming>, hyper::client::conn::TrySendError<Request<Outgoing>>>;

impl Route<'_> {
    /// Why there is no answer: hyper's error does not say whose body broke.
    fn failure(&self, error: &hyper::Error) -> Failure {
        if self.record.panicked() {
            Failure::Panic
        } else if self.record.request_broke() {
            Failure::RequestBody
        } else {
            Failure::from(error)
        }
    }

    /// Sends `request` on `connection`, and passes on what comes before the answer.
    async fn send(
        &self,
        settings: &Settings,
        connection: &mut Connection,
        request: Request<Outgoing>,
    ) -> Result<Sent, Failure> {
        self.record.forwarded();
        let answer = connection.sender.try_send_request(request);
        let answer = pin!(self.client.pass_on(self.interim, answer));
        match settings.response_timeout {
            Some(patience) => self
                .within(patience, answer)
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
}

fn respond(
    thread: &Rc<Thread>,
    response: Response<Incoming>,
    connection: Connection,
) -> Response<Payload> {
    // where its end is in doubt, so is what comes after it (RFC 9112, section 6.3)
    let lease = if sanitize::is_ambiguous(response.headers()) {
        Lease::last(thread)
    } else {
        Lease::new(thread, connection)
    };
    response.map(|body| Payload::upstream(body, lease))
}

/// The same request once more, if it may be sent twice.
fn repeatable(request: &Request<Outgoing>) -> Option<Request<Outgoing>> {
    if !request.method().is_idempotent() || !request.body().is_end_stream() {
        return None;
    }
    let mut again = Request::new(Outgoing::empty());
    request.method().clone_into(again.method_mut());
    request.uri().clone_into(again.uri_mut());
    request.headers().clone_into(again.headers_mut());
    request.extensions().clone_into(again.extensions_mut());
    Some(again)
}

/// Reads a short body that nobody gets: then the client's connection can carry its next request.
async fn discard(request: Request<Outgoing>) {
    if request.headers().contains_key(header::EXPECT) {
        // it waits to be told to send its body, and is not told
        return;
    }
    let mut body = request.into_body();
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

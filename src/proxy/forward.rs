//! One request to the upstream and the head of its answer.

use std::{
    future::Future,
    pin::pin,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{Request, Response, header};
use http_body_util::BodyExt;

use super::{
    failure::Failure,
    record::Record,
    thread::Thread,
    upstream::{self, Connection, Lease, Payload, RequestBody},
};

/// Most bytes of a body that are read although nobody gets them.
const DISCARDED_BYTES: usize = 256 * 1024;
/// Longest wait for them.
const DISCARD_TIME: Duration = Duration::from_millis(500);

/// Sends `request` and waits for the head of the answer.
///
/// A connection from the pool may have been closed at the other end a moment ago. A request of
/// which hyper has sent nothing then comes back, and goes out on another connection.
pub(super) async fn forward(
    thread: &Rc<Thread>,
    record: &Record,
    mut request: Request<RequestBody>,
) -> Result<Response<Payload>, Failure> {
    let settings = Arc::clone(&thread.settings.borrow());
    loop {
        let pooled = thread.pool.take(settings.upstream_idle);
        let is_reused = pooled.is_some();
        let mut connection = match pooled {
            Some(connection) => connection,
            None => match connect(thread, settings.connect_timeout).await {
                Ok(connection) => connection,
                Err(failure) => {
                    discard(request).await;
                    return Err(failure);
                }
            },
        };
        record.forwarded();
        let answer = connection.try_send_request(request);
        let answer = match settings.response_timeout {
            Some(patience) => within(patience, record, answer)
                .await
                .ok_or(Failure::ResponseTimeout)?,
            None => answer.await,
        };
        match answer {
            Ok(response) => {
                let lease = Lease::new(thread, connection);
                return Ok(response.map(|body| Payload::upstream(body, lease)));
            }
            Err(mut error) => match error.take_message() {
                Some(unsent) if is_reused => request = unsent,
                _ if record.request_broke() => return Err(Failure::RequestBody),
                _ => return Err(Failure::from(error.error())),
            },
        }
    }
}

/// What `answer` gives within `patience` of the request's last byte: while a client is slow to
/// send, the upstream is not late. `None`: it is.
async fn within<T>(
    patience: Duration,
    record: &Record,
    answer: impl Future<Output = T>,
) -> Option<T> {
    let mut answer = pin!(answer);
    loop {
        let since = record.handed_over();
        let due = since.unwrap_or_else(Instant::now) + patience;
        match tokio::time::timeout_at(due.into(), answer.as_mut()).await {
            Ok(answer) => return Some(answer),
            Err(_) if since.is_some() => return None,
            Err(_) => {}
        }
    }
}

/// Reads a short body that nobody gets: then the client's connection can carry its next request.
async fn discard(request: Request<RequestBody>) {
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

async fn connect(thread: &Thread, patience: Duration) -> Result<Connection, Failure> {
    let upstream = thread
        .upstream
        .borrow()
        .clone()
        .ok_or(Failure::NoUpstream)?;
    upstream::connect(&upstream, thread, patience).await
}

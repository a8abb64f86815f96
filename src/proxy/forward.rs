//! One request to the upstream and the head of its answer.

use std::{rc::Rc, sync::Arc};

use http::{Request, Response};

use super::{
    failure::Failure,
    record::Record,
    thread::Thread,
    upstream::{self, Connection, Lease, Payload, RequestBody},
};

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
            None => connect(thread, settings.connect_timeout).await?,
        };
        record.forwarded();
        let answer = connection.try_send_request(request);
        let answer = match settings.response_timeout {
            Some(patience) => tokio::time::timeout(patience, answer)
                .await
                .map_err(|_| Failure::ResponseTimeout)?,
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

async fn connect(thread: &Thread, patience: std::time::Duration) -> Result<Connection, Failure> {
    let upstream = thread
        .upstream
        .borrow()
        .clone()
        .ok_or(Failure::NoUpstream)?;
    upstream::connect(&upstream, thread, patience).await
}

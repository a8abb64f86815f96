//! One connection: its requests read whole, answered one after the other.

use std::{
    convert::Infallible,
    future::{Future, poll_fn},
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;
use hyper::{
    body::{Body as _, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::watch,
    time::timeout,
};

use super::{
    Limits, Request,
    response::{Response, empty, error_json},
    seat::{InHand, Seat},
    socket::Socket,
};

/// How long and how much a client that was refused may still send before it is cut off: closing
/// on unread bytes would reset the connection and could take the answer with it.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: u64 = 1 << 20;

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

/// Who answers, shared by all connections.
pub(super) struct Desk<H> {
    pub(super) handler: H,
    pub(super) limits: Limits,
}

/// Serves one client until it leaves, breaks a limit, or `stop` is true and nothing is in hand.
pub(super) async fn serve<S, H, F>(
    stream: S,
    peer: SocketAddr,
    desk: Arc<Desk<H>>,
    seat: Arc<Seat>,
    mut stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
    H: Fn(Request) -> F,
    F: Future<Output = Response>,
{
    let builder = builder(&desk.limits);
    let socket = Socket::new(stream, Arc::clone(&seat), desk.limits.write_timeout);
    let service = service_fn(|request| {
        seat.works();
        let (desk, seat) = (Arc::clone(&desk), Arc::clone(&seat));
        Box::pin(async move {
            let (head, body) = answer(&desk, peer, request).await.into_parts();
            let body = InHand::new(body, seat);
            Ok::<_, Infallible>(http::Response::from_parts(head, body))
        })
    });
    let mut connection = builder.serve_connection(TokioIo::new(socket), service);
    // what goes wrong on a connection is a client that left or broke a limit
    let ended = tokio::select! {
        _ = poll_fn(|cx| connection.poll_without_shutdown(cx)) => true,
        _ = stop.wait_for(|stop| *stop) => false,
    };
    if !ended {
        Pin::new(&mut connection).graceful_shutdown();
        let _ = poll_fn(|cx| connection.poll_without_shutdown(cx)).await;
    }
    linger(connection.into_parts().io.into_inner()).await;
}

fn builder(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_header_size(limits.head);
    builder
}

/// Says goodbye and lets what the client still sends run dry.
async fn linger(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let _ = timeout(LINGER, async {
        stream.shutdown().await?;
        let mut rest = stream.take(LINGER_BYTES);
        tokio::io::copy(&mut rest, &mut tokio::io::sink()).await
    })
    .await;
}

async fn answer<H, F>(
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
            unpanicked(async { (desk.handler)(request).await }).await
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

/// A handler that panics costs one answer, not the server.
async fn unpanicked(handling: impl Future<Output = Response>) -> Response {
    let mut handling = pin!(handling);
    poll_fn(|cx| {
        // after a panic the future is dropped and not polled again
        catch_unwind(AssertUnwindSafe(|| handling.as_mut().poll(cx))).unwrap_or_else(|_| {
            tracing::error!("handler panicked");
            Poll::Ready(error_json(
                StatusCode::INTERNAL_SERVER_ERROR,
                "panic",
                "the server failed on this request; it goes on",
            ))
        })
    })
    .await
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

//! One question to one server.

use std::{future::Future, io, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The host has no address, or nobody listens there.
    #[error("cannot connect: {0}")]
    Connect(#[source] io::Error),
    /// No complete answer in time.
    #[error("no complete answer within {} ms", .0.as_millis())]
    Timeout(Duration),
    /// `host` or `path` cannot stand in a request.
    #[error("cannot be asked: {0}")]
    Question(#[source] http::Error),
    /// The connection broke, or what came is not HTTP/1.
    #[error("not understood: {0}")]
    Protocol(#[source] hyper::Error),
    /// The body is longer than was asked for.
    #[error("the answer has more than {0} bytes")]
    TooLong(usize),
}

impl ClientError {
    /// A word for labels and logs.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Timeout(_) => "timeout",
            Self::Question(_) => "question",
            Self::Protocol(_) => "protocol",
            Self::TooLong(_) => "too_long",
        }
    }
}

/// GETs `path` (with its query, if any) from `host` (a name or an address, IPv6 without brackets)
/// on a connection of its own. Follows no redirect.
///
/// # Errors
/// When there is no whole answer of at most `body_limit` bytes within `timeout`.
pub async fn get(
    host: &str,
    port: u16,
    path: &str,
    timeout: Duration,
    body_limit: usize,
) -> Result<(StatusCode, HeaderMap, Bytes), ClientError> {
    tokio::time::timeout(timeout, ask(host, port, path, body_limit))
        .await
        .unwrap_or(Err(ClientError::Timeout(timeout)))
}

async fn ask(
    host: &str,
    port: u16,
    path: &str,
    limit: usize,
) -> Result<(StatusCode, HeaderMap, Bytes), ClientError> {
    let question = question(host, port, path).map_err(ClientError::Question)?;
    let stream = TcpStream::connect((host, port))
        .await
        .map_err(ClientError::Connect)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(ClientError::Protocol)?;
    let answer = async {
        let (head, body) = sender
            .send_request(question)
            .await
            .map_err(ClientError::Protocol)?
            .into_parts();
        Ok((head.status, head.headers, read(body, limit).await?))
    };
    beside(connection, answer).await
}

fn question(host: &str, port: u16, path: &str) -> Result<Request<Empty<Bytes>>, http::Error> {
    let authority = if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    };
    Request::get(path)
        .header(header::HOST, authority)
        .header(header::CONNECTION, "close")
        .header(header::ACCEPT, "*/*")
        .header(
            header::USER_AGENT,
            concat!("sidelight/", env!("CARGO_PKG_VERSION")),
        )
        .body(Empty::new())
}

/// What `answer` gives, while `connection`, which carries it, runs in the same task.
async fn beside<T>(connection: impl Future, answer: impl Future<Output = T>) -> T {
    let mut answer = std::pin::pin!(answer);
    tokio::select! {
        biased;
        answer = answer.as_mut() => return answer,
        _ = connection => {}
    }
    // the connection has ended; what it left behind is still to be read
    answer.await
}

async fn read(mut body: Incoming, limit: usize) -> Result<Bytes, ClientError> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(ClientError::Protocol)?.into_data() else {
            continue;
        };
        if bytes.len() + data.len() > limit {
            return Err(ClientError::TooLong(limit));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

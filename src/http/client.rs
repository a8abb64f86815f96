//! One question to one server.

mod early;
pub mod grpc;
pub mod http2;

use std::{future::Future, io, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::{BodyExt, Empty, Full};
use hyper::{body::Incoming, client::conn::http1};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout_at},
};

use super::dial::connect;

use early::Early;

const AGENT: &str = concat!("sidelight/", env!("CARGO_PKG_VERSION"));

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
    /// What came is a frame of HTTP/2: the other side was asked in HTTP/1 and does not speak it.
    #[error("it speaks HTTP/2 alone")]
    OnlyHttp2,
    /// The connection or the answer broke, or what came is not HTTP/2.
    #[error("not understood over HTTP/2: {0}")]
    Http2(#[source] h2::Error),
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
            Self::Protocol(_) | Self::Http2(_) => "protocol",
            Self::OnlyHttp2 => "only_http2",
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
    let connecting = connect(host, port);
    get_over(connecting, (host, port), path, timeout, body_limit).await
}

/// As [`get`], over the stream that `connecting` gives, which may be an encrypted one.
///
/// # Errors
/// As [`get`]; what goes wrong with `connecting` is [`ClientError::Connect`].
pub async fn get_over<S>(
    connecting: impl Future<Output = io::Result<S>>,
    (host, port): (&str, u16),
    path: &str,
    timeout: Duration,
    body_limit: usize,
) -> Result<(StatusCode, HeaderMap, Bytes), ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let question = question(host, port, path).map_err(ClientError::Question)?;
    tokio::time::timeout(timeout, ask(connecting, question, body_limit))
        .await
        .unwrap_or(Err(ClientError::Timeout(timeout)))
}

/// What is read of the body of an answer of which little matters, and how long: a server that is still
/// writing would take an early end for a failure.
const SKIMMED: usize = 16 << 10;
const SKIMMING: Duration = Duration::from_secs(1);

/// POSTs `body` with `fields` to `path` over the stream that `connecting` gives. The body of the answer is
/// read for a second at most, and empty where it did not come whole, or has more than 16 KiB. Follows no
/// redirect.
///
/// # Errors
/// When there is no head of an answer within `timeout`.
pub async fn post_over<S>(
    connecting: impl Future<Output = io::Result<S>>,
    (host, port): (&str, u16),
    path: &str,
    fields: &HeaderMap,
    body: Bytes,
    timeout: Duration,
) -> Result<(StatusCode, HeaderMap, Bytes), ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut question = Request::post(path)
        .header(header::HOST, authority(host, port))
        .header(header::CONNECTION, "close")
        .header(header::USER_AGENT, AGENT)
        .body(Full::new(body))
        .map_err(ClientError::Question)?;
    question.headers_mut().extend(fields.clone());
    let deadline = Instant::now() + timeout;
    let late = |_| ClientError::Timeout(timeout);
    let beginning = async {
        let stream = connecting.await.map_err(ClientError::Connect)?;
        http1::handshake(TokioIo::new(stream))
            .await
            .map_err(ClientError::Protocol)
    };
    let (mut sender, connection) = timeout_at(deadline, beginning).await.map_err(late)??;
    let answer = async {
        let answer = timeout_at(deadline, sender.send_request(question)).await;
        let (head, body) = answer
            .map_err(late)?
            .map_err(ClientError::Protocol)?
            .into_parts();
        let said = tokio::time::timeout(SKIMMING, read(body, SKIMMED)).await;
        let said = said.unwrap_or(Ok(Bytes::new())).unwrap_or_default();
        Ok((head.status, head.headers, said))
    };
    beside(connection, answer).await
}

async fn ask<S>(
    connecting: impl Future<Output = io::Result<S>>,
    question: Request<Empty<Bytes>>,
    limit: usize,
) -> Result<(StatusCode, HeaderMap, Bytes), ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let stream = connecting.await.map_err(ClientError::Connect)?;
    let (stream, began) = Early::new(stream);
    let misunderstood = |error| {
        if began.is_http2() {
            ClientError::OnlyHttp2
        } else {
            ClientError::Protocol(error)
        }
    };
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(ClientError::Protocol)?;
    let answer = async {
        let (head, body) = sender
            .send_request(question)
            .await
            .map_err(misunderstood)?
            .into_parts();
        Ok((head.status, head.headers, read(body, limit).await?))
    };
    beside(connection, answer).await
}

fn authority(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

fn question(host: &str, port: u16, path: &str) -> Result<Request<Empty<Bytes>>, http::Error> {
    Request::get(path)
        .header(header::HOST, authority(host, port))
        .header(header::CONNECTION, "close")
        .header(header::ACCEPT, "*/*")
        .header(header::USER_AGENT, AGENT)
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

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    /// What `get` makes of a server that says `said` and closes.
    async fn hearing(said: &'static [u8]) -> Result<(StatusCode, HeaderMap, Bytes), ClientError> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut heard = Vec::new();
            while !heard.ends_with(b"\r\n\r\n") {
                heard.push(stream.read_u8().await.unwrap());
            }
            let heard = String::from_utf8(heard).unwrap();
            assert!(heard.starts_with("GET /ready?a=1 HTTP/1.1\r\n"), "{heard}");
            assert!(
                heard.contains(&format!("host: 127.0.0.1:{port}\r\n")),
                "{heard}"
            );
            stream.write_all(said).await.unwrap();
        };
        tokio::join!(get("127.0.0.1", port, "/ready?a=1", LONG, 100), server).0
    }

    #[tokio::test]
    async fn an_answer_with_a_length_is_whole() {
        let (status, head, body) =
            hearing(b"HTTP/1.1 503 No\r\ncontent-length: 2\r\nx: y\r\n\r\nabc")
                .await
                .unwrap();
        assert_eq!((status.as_u16(), &head["x"]), (503, &"y".parse().unwrap()));
        assert_eq!(body, "ab");
    }

    #[tokio::test]
    async fn an_answer_without_a_length_ends_with_the_connection() {
        let (_, _, body) = hearing(b"HTTP/1.0 200 OK\r\n\r\nabc").await.unwrap();
        assert_eq!(body, "abc");
    }

    #[tokio::test]
    async fn an_answer_that_breaks_off_is_none() {
        let short = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc";
        assert_eq!(hearing(short).await.unwrap_err().reason(), "protocol");
        assert_eq!(
            hearing(b"SSH-2.0\r\n").await.unwrap_err().reason(),
            "protocol"
        );
        assert_eq!(hearing(b"").await.unwrap_err().reason(), "protocol");
    }

    #[tokio::test]
    async fn a_server_of_http2_alone_is_told_from_one_that_is_not_understood() {
        let settings = b"\0\0\0\x04\0\0\0\0\0";
        assert_eq!(hearing(settings).await.unwrap_err().reason(), "only_http2");
        let goaway = b"\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\x01";
        assert_eq!(hearing(goaway).await.unwrap_err().reason(), "only_http2");
        let other = b"\0\0\0\x00\0\0\0\0\0";
        assert_eq!(hearing(other).await.unwrap_err().reason(), "protocol");
    }

    #[tokio::test]
    async fn an_answer_over_the_limit_is_none() {
        let long = b"HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n\
            0123456789012345678901234567890123456789012345678901234567890123456789\
            0123456789012345678901234567890";
        assert_eq!(hearing(long).await.unwrap_err().reason(), "too_long");
    }

    #[tokio::test]
    async fn nobody_there_is_told_from_nobody_answering() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let silent = get("127.0.0.1", port, "/", Duration::from_millis(20), 0).await;
        assert_eq!(silent.unwrap_err().reason(), "timeout");
        drop(listener);
        let gone = get("127.0.0.1", port, "/", LONG, 0).await;
        assert_eq!(gone.unwrap_err().reason(), "connect");
    }

    #[tokio::test]
    async fn a_path_that_cannot_be_sent_is_refused_before_connecting() {
        let refused = get("127.0.0.1", 1, "a b\r\n", LONG, 0).await;
        assert_eq!(refused.unwrap_err().reason(), "question");
    }

    #[tokio::test]
    async fn an_answer_may_come_over_any_stream() {
        let (near, mut far) = tokio::io::duplex(1 << 10);
        let server = async {
            let mut heard = [0; 42];
            far.read_exact(&mut heard).await.unwrap();
            assert_eq!(&heard, b"GET /ready HTTP/1.1\r\nhost: model:443\r\nconn");
            let said = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nab";
            far.write_all(said).await.unwrap();
        };
        let connecting = async { Ok(near) };
        let asking = get_over(connecting, ("model", 443), "/ready", LONG, 100);
        let (answer, ()) = tokio::join!(asking, server);
        assert_eq!(answer.unwrap().2, "ab");

        let refused =
            async { Err::<tokio::io::DuplexStream, _>(io::ErrorKind::InvalidData.into()) };
        let error = get_over(refused, ("model", 443), "/", LONG, 0).await;
        assert_eq!(error.unwrap_err().reason(), "connect");
        let silent = std::future::pending::<io::Result<tokio::io::DuplexStream>>();
        let error = get_over(silent, ("model", 443), "/", Duration::ZERO, 0).await;
        assert_eq!(error.unwrap_err().reason(), "timeout");
    }

    #[test]
    fn an_ipv6_host_is_bracketed_in_the_host_field() {
        let question = question("::1", 80, "/").unwrap();
        assert_eq!(question.headers()["host"], "[::1]:80");
    }
}

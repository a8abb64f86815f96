//! One question over HTTP/2, to a server that is known to speak it.

use std::{future::Future, io, time::Duration};

use bytes::{Bytes, BytesMut};
use h2::{RecvStream, client::SendRequest};
use http::{HeaderMap, Request, StatusCode, header};
use tokio::io::{AsyncRead, AsyncWrite};

use super::{AGENT, ClientError, beside};

/// What was answered.
#[derive(Debug, Default)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its fields.
    pub fields: HeaderMap,
    /// All of its body.
    pub body: Bytes,
    /// The fields behind the body.
    pub trailers: HeaderMap,
}

/// A GET of `path` at `base`: scheme and authority, such as `http://model:8000`.
///
/// # Errors
/// [`ClientError::Question`]: either cannot stand in a request.
pub fn get(base: &str, path: &str) -> Result<Request<Bytes>, ClientError> {
    Request::get(format!("{base}{path}"))
        .header(header::ACCEPT, "*/*")
        .header(header::USER_AGENT, AGENT)
        .body(Bytes::new())
        .map_err(ClientError::Question)
}

/// Asks `question` over the stream that `connecting` gives, and nothing else after it.
///
/// # Errors
/// When there is no whole answer of at most `body_limit` bytes within `timeout`.
pub async fn ask_over<S>(
    connecting: impl Future<Output = io::Result<S>>,
    question: Request<Bytes>,
    timeout: Duration,
    body_limit: usize,
) -> Result<Reply, ClientError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let asking = async {
        let stream = connecting.await.map_err(ClientError::Connect)?;
        // of h2, not of hyper: that one leaves a task behind when this is given up
        let (sender, connection) = h2::client::handshake(stream)
            .await
            .map_err(ClientError::Http2)?;
        beside(connection, exchange(sender, question, body_limit)).await
    };
    tokio::time::timeout(timeout, asking)
        .await
        .unwrap_or(Err(ClientError::Timeout(timeout)))
}

async fn exchange(
    sender: SendRequest<Bytes>,
    question: Request<Bytes>,
    limit: usize,
) -> Result<Reply, ClientError> {
    let mut sender = sender.ready().await.map_err(ClientError::Http2)?;
    let (head, body) = question.into_parts();
    let question = Request::from_parts(head, ());
    let (answer, mut sending) = sender
        .send_request(question, body.is_empty())
        .map_err(ClientError::Http2)?;
    if !body.is_empty() {
        sending.send_data(body, true).map_err(ClientError::Http2)?;
    }
    let (head, mut body) = answer.await.map_err(ClientError::Http2)?.into_parts();
    let bytes = read(&mut body, limit).await?;
    let trailers = body.trailers().await.map_err(ClientError::Http2)?;
    Ok(Reply {
        status: head.status,
        fields: head.headers,
        body: bytes,
        trailers: trailers.unwrap_or_default(),
    })
}

async fn read(body: &mut RecvStream, limit: usize) -> Result<Bytes, ClientError> {
    let mut bytes = BytesMut::new();
    while let Some(data) = body.data().await {
        let data = data.map_err(ClientError::Http2)?;
        if bytes.len() + data.len() > limit {
            return Err(ClientError::TooLong(limit));
        }
        bytes.extend_from_slice(&data);
        body.flow_control()
            .release_capacity(data.len())
            .map_err(ClientError::Http2)?;
    }
    Ok(bytes.freeze())
}

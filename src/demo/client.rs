//! A client that asks for one prediction after the other, on one connection.

use std::{net::SocketAddr, time::Duration};

use ::http::{Request, StatusCode, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
const PATH: &str = "/predict";
const AGENT: &str = concat!("sidelight-demo/", env!("CARGO_PKG_VERSION"));

/// Why a prediction was not answered.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    #[error("no connection: {0}")]
    Connect(#[source] std::io::Error),
    #[error("{0}")]
    Broken(#[from] hyper::Error),
    #[error("{0}")]
    Question(#[from] ::http::Error),
    #[error("status {0}")]
    Refused(StatusCode),
    #[error("no answer within {} s", PATIENCE.as_secs())]
    Late,
}

/// One that keeps its connection, and opens it anew when it is gone.
#[derive(Debug)]
pub(super) struct Client {
    address: SocketAddr,
    open: Option<SendRequest<Full<Bytes>>>,
}

impl Client {
    pub(super) fn new(address: SocketAddr) -> Self {
        Self {
            address,
            open: None,
        }
    }

    /// Asks for the prediction of `body`, and takes the answer whole.
    pub(super) async fn ask(&mut self, body: Vec<u8>) -> Result<(), Unanswered> {
        // the connection is only taken back behind a whole answer
        let answer = timeout(PATIENCE, self.exchange(body)).await;
        answer.unwrap_or(Err(Unanswered::Late))
    }

    async fn exchange(&mut self, body: Vec<u8>) -> Result<(), Unanswered> {
        let mut sender = match self.open.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.connect().await?,
        };
        let question = Request::post(PATH)
            .header(header::HOST, self.address.to_string())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, AGENT)
            .body(Full::new(body.into()))?;
        sender.ready().await?;
        let answer = sender.send_request(question).await?;
        let status = answer.status();
        answer.into_body().collect().await?;
        self.open = Some(sender);
        if status == StatusCode::OK {
            Ok(())
        } else {
            Err(Unanswered::Refused(status))
        }
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, Unanswered> {
        let stream = TcpStream::connect(self.address)
            .await
            .map_err(Unanswered::Connect)?;
        stream.set_nodelay(true).map_err(Unanswered::Connect)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // it ends with its sender
        tokio::spawn(connection);
        Ok(sender)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };

    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    const GOOD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
    const BAD: &[u8] = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 2\r\n\r\n{}";

    /// A server that answers what it hears by `answers`, in turn, and counts its connections; empty: it closes.
    async fn server(answers: &'static [&'static [u8]]) -> (SocketAddr, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            let mut answers = answers.iter();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::Relaxed);
                let mut heard = Vec::new();
                while let Ok(byte) = stream.read_u8().await {
                    heard.push(byte);
                    if !heard.ends_with(b"{\"a\":1}") {
                        continue;
                    }
                    heard.clear();
                    match answers.next() {
                        Some(answer) if !answer.is_empty() => {
                            stream.write_all(answer).await.unwrap();
                        }
                        _ => break,
                    }
                }
            }
        });
        (address, connections)
    }

    #[tokio::test]
    async fn all_requests_share_a_connection_until_it_is_gone() {
        let (address, connections) = server(&[GOOD, GOOD, BAD, b"", GOOD]).await;
        let mut client = Client::new(address);
        let mut outcomes = Vec::new();
        for _ in 0..5 {
            let outcome = client.ask(b"{\"a\":1}".to_vec()).await;
            outcomes.push(outcome.map_err(|error| error.to_string()));
        }
        assert_eq!(outcomes[0], Ok(()));
        assert_eq!(outcomes[1], Ok(()));
        assert_eq!(outcomes[2], Err("status 502 Bad Gateway".to_owned()));
        assert!(outcomes[3].is_err());
        assert_eq!(outcomes[4], Ok(()));
        assert_eq!(connections.load(Ordering::Relaxed), 2);
    }
}

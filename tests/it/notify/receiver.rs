//! A receiver of notices on a socket, that answers as it is told.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What a receiver does with a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said {
    Status(u16),
    RetryAfter(u16, &'static str),
    /// To where nobody has sent it.
    Moved,
    /// It answers nothing and keeps the connection.
    Silence,
    /// It closes the connection.
    Nothing,
    /// 200 and a body that goes on.
    Endless,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) line: String,
    fields: Vec<(String, String)>,
    pub(super) body: Value,
    pub(super) at: Instant,
}

impl Asked {
    /// The value of a field, in lower case; empty: it is not there.
    pub(super) fn field(&self, name: &str) -> &str {
        let found = self.fields.iter().find(|(field, _)| field == name);
        found.map_or("", |(_, value)| value)
    }
}

/// Ends with the runtime of its test.
pub(super) struct Receiver {
    pub(super) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Receiver {
    /// Says each of `said` once, then 200.
    pub(super) async fn start(said: &[Said]) -> Self {
        Self::at("127.0.0.1:0".parse().unwrap(), said).await
    }

    pub(super) async fn at(address: SocketAddr, said: &[Said]) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let said: VecDeque<Said> = said.iter().copied().collect();
        let said = Arc::new(Mutex::new(said));
        let kept = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&kept), Arc::clone(&said)));
            }
        });
        Self { address, asked }
    }

    /// An address where nobody listens.
    pub(super) async fn nobody() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(super) async fn until_asked(&self, count: usize) {
        let begun = Instant::now();
        while self.asked().len() < count {
            assert!(begun.elapsed() < super::PATIENCE);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn answer(
    mut stream: TcpStream,
    asked: Arc<Mutex<Vec<Asked>>>,
    said: Arc<Mutex<VecDeque<Said>>>,
) {
    let request = read(&mut stream).await;
    asked.lock().unwrap().push(request);
    let says = said.lock().unwrap().pop_front();
    let head = |status: u16, fields: &str| {
        format!("HTTP/1.1 {status} So\r\ncontent-length: 2\r\n{fields}\r\nok")
    };
    let text = match says.unwrap_or(Said::Status(200)) {
        Said::Status(status) => head(status, ""),
        Said::RetryAfter(status, after) => head(status, &format!("retry-after: {after}\r\n")),
        Said::Moved => head(
            307,
            &format!("location: http://{}/\r\n", stream.local_addr().unwrap()),
        ),
        Said::Silence => {
            // until the other side has had enough
            let _ = stream.read_u8().await;
            return;
        }
        Said::Nothing => return,
        Said::Endless => "HTTP/1.1 200 OK\r\n\r\n".to_owned(),
    };
    let _ = stream.write_all(text.as_bytes()).await;
    while matches!(says, Some(Said::Endless)) && stream.write_all(&[b'x'; 1000]).await.is_ok() {}
}

async fn read(stream: &mut TcpStream) -> Asked {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let line = lines.next().unwrap().to_owned();
    let fields = lines.filter_map(|line| line.split_once(": "));
    let fields: Vec<_> = fields
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = fields.iter().find(|(name, _)| name == "content-length");
    let mut body = vec![0; length.unwrap().1.parse().unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    Asked {
        line,
        fields,
        body: serde_json::from_slice(&body).unwrap(),
        at: Instant::now(),
    }
}

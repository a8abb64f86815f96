//! A collector on a socket that keeps what it gets, unpacked, and answers as it is told.

use std::{
    collections::VecDeque,
    io::Read as _,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use flate2::read::GzDecoder;
use prost::Message;
use sidelight::otlp::proto::{Answer, PartialSuccess};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What a collector does with a request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Said {
    Status(u16),
    RetryAfter(u16, &'static str),
    /// So many records are not taken.
    Rejected(i64),
    /// It answers nothing and keeps the connection.
    Silence,
    /// It takes it after half a second.
    Slow,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) line: String,
    fields: Vec<(String, String)>,
    /// Unpacked.
    pub(super) body: Vec<u8>,
    pub(super) at: Instant,
}

impl Asked {
    /// The value of a field, named in lower case; empty: it is not there.
    pub(super) fn field(&self, name: &str) -> &str {
        let found = self.fields.iter().find(|(field, _)| field == name);
        found.map_or("", |(_, value)| value)
    }
}

/// Ends with the runtime of its test.
pub(super) struct Collector {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Collector {
    /// Says each of `said` once, then 200.
    pub(super) async fn start(said: &[Said]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
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
    let Some(request) = read(&mut stream).await else {
        return;
    };
    asked.lock().unwrap().push(request);
    let says = said.lock().unwrap().pop_front();
    let (status, fields, body) = match says.unwrap_or(Said::Status(200)) {
        Said::Status(status) => (status, String::new(), Vec::new()),
        Said::RetryAfter(status, after) => {
            (status, format!("retry-after: {after}\r\n"), Vec::new())
        }
        Said::Rejected(rejected) => (200, String::new(), partly(rejected)),
        Said::Slow => {
            tokio::time::sleep(Duration::from_millis(500)).await;
            (200, String::new(), Vec::new())
        }
        Said::Silence => {
            // until the other side has had enough
            let _ = stream.read_u8().await;
            return;
        }
    };
    let length = body.len();
    let head = format!("HTTP/1.1 {status} So\r\ncontent-length: {length}\r\n{fields}\r\n");
    let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
}

fn partly(rejected: i64) -> Vec<u8> {
    let partial_success = Some(PartialSuccess {
        rejected,
        error_message: "too old".to_owned(),
    });
    Answer { partial_success }.encode_to_vec()
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
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
    stream.read_exact(&mut body).await.ok()?;
    if fields.contains(&("content-encoding".to_owned(), "gzip".to_owned())) {
        let mut unpacked = Vec::new();
        let mut decoder = GzDecoder::new(body.as_slice());
        decoder.read_to_end(&mut unpacked).unwrap();
        body = unpacked;
    }
    Some(Asked {
        line,
        fields,
        body,
        at: Instant::now(),
    })
}

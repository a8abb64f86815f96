//! An upstream that forgives nothing and forgets nothing.
//!
//! It numbers the requests it gets. Each answer says which number, method and id it belongs to,
//! so that an answer that reaches another client, or another request, gives itself away.

use std::{cell::RefCell, net::SocketAddr, rc::Rc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::{JoinHandle, JoinSet, spawn_local, yield_now},
    time::timeout,
};

use super::{
    answer,
    reader::{End, Reading, read},
    request::Request,
};

/// What is sent in place of an answer to a request.
pub(crate) type Script = Rc<dyn Fn(&Request) -> Option<Vec<u8>>>;

/// How long a connection stays open behind such bytes, if they are a whole answer and nobody
/// uses it: a proxy may wait for more of them.
const SCRIPT_PATIENCE: Duration = Duration::from_secs(1);

/// One request, or what there was of it when its connection ended.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// Its place in the order of arrival.
    pub(crate) number: usize,
    pub(crate) request: Request,
}

/// Everything that came.
#[derive(Debug, Default)]
pub(crate) struct Records {
    /// By number.
    pub(crate) requests: Vec<Record>,
    /// Bytes that a strict reader refuses, with the reason.
    pub(crate) refused: Vec<(Vec<u8>, &'static str)>,
}

pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    records: Rc<RefCell<Records>>,
    stop: Rc<Notify>,
    accepting: JoinHandle<()>,
}

impl Upstream {
    pub(crate) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let records = Rc::new(RefCell::default());
        let stop = Rc::new(Notify::new());
        let accepting = spawn_local(accept(
            listener,
            script,
            Rc::clone(&records),
            Rc::clone(&stop),
        ));
        Self {
            address,
            records,
            stop,
            accepting,
        }
    }

    /// Reads every connection to its end, which whoever opened them has closed by now.
    pub(crate) async fn finish(self) -> Records {
        // what waits to be accepted is accepted
        for _ in 0..8 {
            yield_now().await;
        }
        self.stop.notify_one();
        self.accepting.await.unwrap();
        self.records.take()
    }
}

async fn accept(
    listener: TcpListener,
    script: Script,
    records: Rc<RefCell<Records>>,
    stop: Rc<Notify>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            accepted = listener.accept() => {
                let (stream, _) = accepted.unwrap();
                connections.spawn_local(serve(stream, Rc::clone(&script), Rc::clone(&records)));
            }
            // so that those which ended take no room
            Some(ended) = connections.join_next() => ended.unwrap(),
            () = stop.notified() => break,
        }
    }
    while let Some(ended) = connections.join_next().await {
        ended.unwrap();
    }
}

async fn serve(mut stream: TcpStream, script: Script, records: Rc<RefCell<Records>>) {
    stream.set_nodelay(true).unwrap();
    let mut bytes = Vec::new();
    let mut is_asked_for = false;
    let mut patience = Duration::MAX;
    loop {
        let came = read(&bytes, Reading::Canonical);
        match (came.end, came.request) {
            (End::Complete(length), Some(request)) => {
                bytes.drain(..length);
                is_asked_for = false;
                let number = records.borrow_mut().note(request.clone());
                let Some(bytes) = script(&request) else {
                    patience = Duration::MAX;
                    let _ = stream.write_all(&own_answer(number, &request)).await;
                    continue;
                };
                let _ = stream.write_all(&bytes).await;
                if answer::take(&mut bytes.clone(), false).is_err() {
                    return;
                }
                patience = SCRIPT_PATIENCE;
            }
            (End::Incomplete, request) => {
                let waits = request.as_ref().is_some_and(|r| r.has("expect"));
                if waits && !is_asked_for {
                    is_asked_for = true;
                    let _ = stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await;
                }
                let came = timeout(patience, stream.read_buf(&mut bytes)).await;
                if let Ok(Ok(1..)) = came {
                    continue;
                }
                if let Some(broken_off) = request {
                    records.borrow_mut().note(broken_off);
                }
                return;
            }
            (End::Malformed(why), _) => {
                records.borrow_mut().refused.push((bytes, why));
                let bad =
                    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                let _ = stream.write_all(bad).await;
                return;
            }
            (End::Complete(_), None) => unreachable!("what is complete has a head"),
        }
    }
}

impl Records {
    /// Numbers a request.
    fn note(&mut self, request: Request) -> usize {
        let number = self.requests.len();
        self.requests.push(Record { number, request });
        number
    }
}

/// Chunked or with its length, in turn.
fn own_answer(number: usize, request: &Request) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 200 OK\r\nX-Seen-Number: {number}\r\n").into_bytes();
    for (name, value) in [
        ("X-Seen-Method", Some(request.method.as_slice())),
        ("X-Seen-Id", request.values("x-request-id").next()),
    ] {
        answer.extend(format!("{name}: ").bytes());
        answer.extend_from_slice(value.unwrap_or_default());
        answer.extend(b"\r\n");
    }
    let body = body(number);
    let (field, body) = if number.is_multiple_of(2) {
        (format!("Content-Length: {}", body.len()), body)
    } else {
        let (a, b) = body.split_at(3);
        let chunks = format!("{:x}\r\n{a}\r\n{:x}\r\n{b}\r\n0\r\n\r\n", a.len(), b.len());
        ("Transfer-Encoding: chunked".to_owned(), chunks)
    };
    answer.extend(format!("{field}\r\n\r\n").bytes());
    if request.method != b"HEAD" {
        answer.extend(body.bytes());
    }
    answer
}

/// What the answer to this request says.
pub(crate) fn body(number: usize) -> String {
    format!("the answer to request {number}\n")
}

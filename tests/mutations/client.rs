//! A client that sends what it is given and reads until the proxy has done with it.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::yield_now,
    time::timeout,
};

use super::{
    answer::{self, Answer, NoAnswer},
    parses::{Parse, ParseEnd},
};

/// A proxy that has not closed a connection by then never will: ten times what it may wait.
const STUCK: Duration = Duration::from_mins(1);

/// What came back on one connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heard {
    pub(crate) answers: Vec<Answer>,
    /// What follows them, and why it is no answer.
    pub(crate) rest: Option<(Vec<u8>, NoAnswer)>,
    /// Whether the client left first.
    pub(crate) left: bool,
    /// Whether the proxy never closed it.
    pub(crate) is_stuck: bool,
}

/// How many answers there can be, and whether the proxy closes after them.
///
/// A proxy that waits for the rest of a body is told that there is none, but not before it can
/// have answered what came before it: a client that closes its sending end has left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Due {
    answers: usize,
    closes: bool,
}

impl Due {
    pub(crate) fn of(parses: &[Parse]) -> Self {
        let complete = |parse: &Parse| parse.requests.iter().filter(|r| r.is_complete).count();
        let longest = parses.iter().max_by_key(|parse| complete(parse));
        Self {
            answers: longest.map_or(0, complete),
            closes: longest.is_some_and(|parse| parse.end != ParseEnd::Waiting),
        }
    }
}

/// Sends `bytes` in pieces that end at `cuts`, and listens to the end.
pub(crate) async fn send(address: SocketAddr, bytes: &[u8], cuts: &[usize], due: Due) -> Heard {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut start = 0;
    for end in cuts.iter().copied().chain([bytes.len()]) {
        // a proxy that has closed says so when it is read from
        let _ = stream.write_all(&bytes[start..end]).await;
        start = end;
        yield_now().await;
    }
    let mut heard = Heard::default();
    heard.is_stuck = timeout(STUCK, listen(&mut stream, due, &mut heard))
        .await
        .is_err();
    heard
}

async fn listen(stream: &mut TcpStream, due: Due, heard: &mut Heard) {
    let mut bytes = Vec::new();
    let mut is_open = true;
    let why = loop {
        match answer::take(&mut bytes, !is_open) {
            Ok(answer) => heard.answers.push(answer),
            Err(NoAnswer::Incomplete) if is_open => {
                if !heard.left && !due.closes && heard.answers.len() >= due.answers {
                    heard.left = true;
                    let _ = stream.shutdown().await;
                }
                is_open = matches!(stream.read_buf(&mut bytes).await, Ok(1..));
            }
            Err(why) => break why,
        }
    };
    if !bytes.is_empty() {
        heard.rest = Some((bytes, why));
    }
}

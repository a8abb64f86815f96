//! A client that knows what became of each of its requests.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    iter::Sum,
    net::{SocketAddr, TcpStream},
};

use super::PATIENCE;

const ROW: &str = r#"{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}"#;

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fate {
    /// The model's answer, to its last byte.
    Whole,
    /// The agent's own 500.
    Refused,
    /// The connection closed before the end of an answer.
    Lost,
}

/// How many met each.
#[derive(Debug, Default)]
pub(crate) struct Fates(HashMap<Fate, u32>);

impl Fates {
    pub(crate) fn count(&self, fate: Fate) -> f64 {
        self.0.get(&fate).copied().unwrap_or_default().into()
    }
}

impl Sum for Fates {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        let mut sum = Self::default();
        for (fate, count) in all.flat_map(|fates| fates.0) {
            *sum.0.entry(fate).or_default() += count;
        }
        sum
    }
}

/// Asks for as many predictions, one after the other, on one connection while that lasts.
pub(crate) fn predict(address: SocketAddr, requests: u32) -> Fates {
    let mut fates = Fates::default();
    let mut kept = None;
    for _ in 0..requests {
        let mut stream = kept.take().unwrap_or_else(|| connect(address));
        let fate = match post(&mut stream) {
            Some(answer) if answer.status == 200 => {
                assert!(
                    answer.body.starts_with("{\"prediction\":\"setosa\""),
                    "{}",
                    answer.body
                );
                kept = Some(stream);
                Fate::Whole
            }
            Some(answer) => {
                assert_eq!((answer.status, answer.reason.as_str()), (500, "panic"));
                Fate::Refused
            }
            None => Fate::Lost,
        };
        *fates.0.entry(fate).or_default() += 1;
    }
    fates
}

/// An answer that came whole.
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// `x-sidelight-reason`
    reason: String,
    pub(crate) body: String,
}

pub(crate) fn connect(address: SocketAddr) -> BufReader<TcpStream> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    BufReader::new(stream)
}

fn post(stream: &mut BufReader<TcpStream>) -> Option<Answer> {
    let length = ROW.len();
    let head = format!("POST /predict HTTP/1.1\r\nHost: m\r\nContent-Length: {length}\r\n\r\n");
    ask(stream, &format!("{head}{ROW}"))
}

/// The answer to a request; `None`: the connection closed, or was reset, before its end.
pub(crate) fn ask(stream: &mut BufReader<TcpStream>, request: &str) -> Option<Answer> {
    stream.get_mut().write_all(request.as_bytes()).ok()?;
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).ok()? == 0 {
            return None;
        }
    }
    let head = head.to_ascii_lowercase();
    let field = |name: &str| {
        let mut lines = head.lines();
        lines.find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
    };
    let mut body = vec![0; field("content-length:")?.parse().unwrap()];
    stream.read_exact(&mut body).ok()?;
    Some(Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        reason: field("x-sidelight-reason:").unwrap_or_default(),
        body: String::from_utf8(body).unwrap(),
    })
}

//! Compressed bodies: they pass as they are, and their copies are read.

#![expect(clippy::float_cmp, reason = "counts are exact")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use flate2::read::{GzEncoder, ZlibEncoder};

use super::path::{Client, Path, config};

const ANSWER: &[u8] = include_bytes!("../wire/coding/answer.json");
const ANSWER_BR: &[u8] = include_bytes!("../wire/coding/answer.br");
const ANSWER_ZSTD: &[u8] = include_bytes!("../wire/coding/answer.zst");

/// A model server that answers each request with its own body and coding; ends with the process.
pub(super) fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            thread::spawn(move || answer(BufReader::new(stream.unwrap())));
        }
    });
    address
}

/// Answers until the other end has left.
fn answer(mut stream: BufReader<TcpStream>) -> Option<()> {
    loop {
        let (mut length, mut codings) = (0, String::new());
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
            let line = line.trim_end().to_ascii_lowercase();
            match line.split_once(": ") {
                Some(("content-length", value)) => length = value.parse().ok()?,
                Some(("content-encoding", value)) => codings += &field(value),
                _ if line.is_empty() => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).ok()?;
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n{codings}\r\n");
        stream.get_mut().write_all(head.as_bytes()).ok()?;
        stream.get_mut().write_all(&body).ok()?;
    }
}

fn field(value: &str) -> String {
    format!("Content-Encoding: {value}\r\n")
}

/// One prediction whose answer is `body` under `codings`, each a field of its own.
fn post(client: &mut Client, codings: &[&str], body: &[u8]) {
    let fields: String = codings.iter().map(|coding| field(coding)).collect();
    let length = body.len();
    let head = format!("POST /predict HTTP/1.1\r\nHost: m\r\n{fields}Content-Length: {length}");
    let (head, answer) = client.send([head.as_bytes(), b"\r\n\r\n", body].concat());
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(answer, body, "unchanged");
    let told = head.to_ascii_lowercase();
    let told = told.lines().filter(|l| l.starts_with("content-encoding: "));
    assert_eq!(told.count(), codings.len(), "{head}");
}

fn all(mut encoder: impl Read) -> Vec<u8> {
    let mut stream = Vec::new();
    encoder.read_to_end(&mut stream).unwrap();
    stream
}

#[test]
fn a_compressed_answer_passes_unchanged_and_its_predictions_are_counted() {
    let config = config(1000);
    let path = Path::start(&config, echo());
    let mut client = Client::connect(path.proxy.address);
    let gzip = all(GzEncoder::new(ANSWER, flate2::Compression::fast()));
    let both = all(ZlibEncoder::new(&gzip[..], flate2::Compression::fast()));
    post(&mut client, &["gzip"], &gzip);
    post(&mut client, &["gzip", "deflate"], &both);
    post(&mut client, &["BR"], ANSWER_BR);
    post(&mut client, &["identity, zstd"], ANSWER_ZSTD);
    post(&mut client, &["gzip"], &gzip[..gzip.len() - 1]);
    post(&mut client, &["deflate", "gzip"], &both);
    post(&mut client, &["compress"], &gzip);
    drop(client);
    let counted = path.finish(&config);
    assert_eq!(counted.sum("ml_model_predictions_total{"), 4.0 * 60.0);
    let failed = |reason: &str| {
        let labels = format!(r#"{{format="unknown",reason="{reason}"}}"#);
        counted.sum(&format!("sidelight_decode_failures_total{labels}"))
    };
    assert_eq!(failed("inflate_broken"), 2.0);
    assert_eq!(failed("content_encoding"), 1.0);
    assert_eq!(failed("inflate_limit"), 0.0);
    counted.assert_books_balance();
}

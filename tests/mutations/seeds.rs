//! What is mutated: the raw requests of the conformance runner, and inputs that once failed.

use std::{fs, path::PathBuf};

use fastrand::Rng;
use serde_json::Value;

/// Larger ones are about limits, and slow.
const MAX_BYTES: usize = 4096;
/// The host of nearly all of them; a tag of the same length takes its place.
pub(crate) const HOST: &[u8; 6] = b"a.test";

/// Inputs of earlier runs that failed, shrunk; the runner can read them as well.
pub(crate) fn kept_file() -> PathBuf {
    folder().join("found_cases.jsonl")
}

/// Requests that pass, and others.
pub(crate) struct Seeds {
    sound: Vec<Vec<u8>>,
    others: Vec<Vec<u8>>,
    /// What upstreams say.
    answers: Vec<Vec<u8>>,
}

/// Bodies that look like requests, chunks, trailers and several requests on one connection.
const OWN: [&[u8]; 4] = [
    b"POST /a HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\nTrailer: X-End\r\n\r\n\
      5\r\nhello\r\n6;x=\"y\"\r\n world\r\n0\r\nX-End: 1\r\n\r\nGET /b HTTP/1.1\r\nHost: a.test\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a.test\r\nContent-Length: 38\r\nX-Other: 1\r\n\r\n\
      GET /within HTTP/1.1\r\nHost: a.test\r\n\r\n\
      HEAD /b?c=d HTTP/1.1\r\nHost: a.test\r\nAccept: */*\r\n\r\n",
    b"PUT /a HTTP/1.1\r\nHost: a.test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello\
      GET /b HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n\
      26\r\nGET /within HTTP/1.1\r\nHost: a.test\r\n\r\n\r\n0\r\n\r\n",
    b"GET /a HTTP/1.1\r\nHost: a.test\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nX-End: 2\r\n\r\n\
      OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n\
      DELETE http://a.test/b HTTP/1.1\r\nHost: b.test\r\nContent-Length: 1\r\n\r\nx",
];

impl Seeds {
    pub(crate) fn load() -> Self {
        let kept = fs::read_to_string(kept_file()).unwrap_or_default();
        let raw = fs::read_to_string(folder().join("raw_cases.jsonl")).unwrap();
        let mut seeds = Self {
            sound: OWN.map(<[u8]>::to_vec).into(),
            others: Vec::new(),
            answers: Vec::new(),
        };
        for line in kept.lines().chain(raw.lines()) {
            let case: Value = serde_json::from_str(line).unwrap();
            let (into, bytes) = match (answer(&case), case["expect"].as_str()) {
                (Some(answer), _) => (&mut seeds.answers, Some(answer)),
                (None, Some("accept")) => (&mut seeds.sound, request(&case)),
                (None, _) => (&mut seeds.others, request(&case)),
            };
            into.extend(bytes.filter(|bytes| bytes.len() <= MAX_BYTES));
        }
        seeds
    }

    /// Each answer.
    pub(crate) fn answers(&self) -> impl Iterator<Item = &[u8]> {
        self.answers.iter().map(Vec::as_slice)
    }

    /// An answer.
    pub(crate) fn answer(&self, rng: &mut Rng) -> &[u8] {
        &self.answers[rng.usize(..self.answers.len())]
    }

    /// Each request.
    pub(crate) fn all(&self) -> impl Iterator<Item = &[u8]> {
        self.others.iter().chain(&self.sound).map(Vec::as_slice)
    }

    /// Mostly one that passes: what is refused to begin with seldom passes when it is changed.
    pub(crate) fn any(&self, rng: &mut Rng) -> &[u8] {
        let from = if rng.u8(..5) == 0 {
            &self.others
        } else {
            &self.sound
        };
        &from[rng.usize(..from.len())]
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/http")
}

fn answer(case: &Value) -> Option<Vec<u8>> {
    Some(from_base64(case.get("response_b64")?.as_str()?))
}

/// The bytes that a client sends, unless the case is about an answer.
fn request(case: &Value) -> Option<Vec<u8>> {
    if case.get("kind").is_some_and(|kind| kind == "response") {
        return None;
    }
    let parts: Vec<&Value> = match case.get("steps") {
        Some(steps) => steps
            .as_array()?
            .iter()
            .filter_map(|s| s.get("send_b64"))
            .collect(),
        None => vec![case.get("raw_b64")?],
    };
    Some(
        parts
            .iter()
            .flat_map(|part| from_base64(part.as_str().unwrap()))
            .collect(),
    )
}

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn from_base64(text: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for digit in text.bytes().filter(|b| *b != b'=') {
        let value = ALPHABET.iter().position(|b| *b == digit).unwrap();
        bits = (bits << 6) | u32::try_from(value).unwrap();
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push(u8::try_from(bits >> count & 0xff).unwrap());
        }
    }
    bytes
}

pub(crate) fn to_base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let bits = (0..3).fold(0, |bits, i| {
            bits << 8 | usize::from(*three.get(i).unwrap_or(&0))
        });
        for i in 0..4 {
            let digit = char::from(ALPHABET[bits >> (18 - 6 * i) & 63]);
            text.push(if i <= three.len() { digit } else { '=' });
        }
    }
    text
}

#[test]
fn base64_comes_back_as_it_was() {
    for length in 0..9 {
        let bytes: Vec<u8> = (0..length).map(|i| i * 31).collect();
        assert_eq!(from_base64(&to_base64(&bytes)), bytes);
    }
    assert_eq!(to_base64(b"GET /"), "R0VUIC8=");
}

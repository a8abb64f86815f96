//! What bodies that inflate without end cost, in a process of its own: its memory is measured.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "../src/decode/content/samples.rs"]
#[expect(dead_code, reason = "the unit tests use all of them")]
mod samples;

use procfs::process::Process;
use sidelight::{
    capture::{
        Exchange,
        exchange::Message,
        policy::Interest,
        tee::{Captured, End},
    },
    config::{Capture, defaults},
    decode::{DecodeError, decode},
};

/// Growth that is taken for none: the text of 1 MiB, its buffer while it doubles, a window that
/// does, and what the allocator keeps.
const ALLOWED_BYTES: u64 = 12 << 20;

fn message(coding: &str, bytes: Vec<u8>) -> Message {
    let mut message = Message::default();
    message.content_encoding = Some(coding.to_owned());
    message.body = Some(Captured {
        passed: bytes.len() as u64,
        bytes,
        end: End::Complete,
        trailers: false,
        outcome: None,
    });
    message
}

fn exchange(coding: &str, bytes: &[u8]) -> Exchange {
    Exchange {
        endpoint: "/".into(),
        status: 200,
        interest: Interest::Bodies,
        request: message(coding, bytes.to_vec()),
        response: message(coding, bytes.to_vec()),
        ..Exchange::default()
    }
}

/// Memory that this process has, and the most that it ever had, in bytes.
fn memory() -> (u64, u64) {
    let status = Process::myself().unwrap().status().unwrap();
    (status.vmrss.unwrap() * 1024, status.vmhwm.unwrap() * 1024)
}

#[test]
fn a_gibibyte_of_zeros_in_any_coding_costs_a_few_times_the_limit() {
    let bounds = Capture {
        inflate_ratio: 10_000,
        ..defaults().capture
    };
    let bombs = [
        ("gzip", samples::zeros_gzip()),
        ("deflate", samples::zeros_gzip()[10..].to_vec()),
        ("br", samples::ZEROS_BR.to_vec()),
        ("zstd", samples::zeros_zstd(17)),
        ("zstd", samples::zeros_zstd(23)),
    ];
    let exchanges = bombs.map(|(coding, bytes)| exchange(coding, &bytes));
    let (before, _) = memory();
    for exchange in &exchanges {
        assert_eq!(decode(exchange, &bounds), Err(DecodeError::InflateLimit));
    }
    let growth = memory().1 - before;
    println!("{growth} bytes more at most");
    assert!(growth <= ALLOWED_BYTES, "{growth} bytes");
}

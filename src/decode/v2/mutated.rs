//! Tensors as broken as chance makes them, in each of their forms.

use std::fs;

use super::super::{decoded, failures, fuzzing::check};
use crate::capture::{Exchange, recorded};

/// Every exchange of the specifications, as captured.
fn exchanges() -> Vec<Exchange> {
    let routes = crate::capture::route::Routes::new(&[]);
    let capture = recorded::Capture {
        routes: &routes,
        body_limit: 1 << 20,
    };
    let wire = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wire");
    let files = [
        "v2/specified",
        "v2/streams",
        "v2_binary/specified",
        "v2_grpc/specified",
        "v2_grpc/streams",
        "sagemaker/recordio",
        "seldon/tftensor",
    ];
    let lines = files.map(|file| fs::read_to_string(format!("{wire}/{file}.jsonl")).unwrap());
    let lines = lines.iter().flat_map(|text| text.lines());
    let exchange = |line: &str| {
        let recorded = recorded::Recorded::read(line.as_bytes()).unwrap();
        recorded.exchange(&capture).unwrap()
    };
    lines.map(exchange).collect()
}

fn mutate(random: &mut fastrand::Rng, body: &mut Vec<u8>) {
    for _ in 0..random.usize(0..4) {
        let at = random.usize(0..=body.len());
        let end = (at + random.usize(0..12)).min(body.len());
        match random.u8(0..6) {
            0 => drop(body.drain(at..end)),
            1 => body.truncate(at),
            2 => body.insert(at, random.u8(..)),
            3 => {
                let piece = body[at..end].repeat(random.usize(0..20));
                body.splice(at..at, piece);
            }
            4 => body[at..end].fill(0xff),
            _ => body[at..end]
                .iter_mut()
                .for_each(|byte| *byte ^= 1 << random.u8(0..8)),
        }
    }
}

#[test]
fn no_tensors_make_it_panic_or_grow() {
    let mut random = fastrand::Rng::with_seed(5);
    let exchanges = exchanges();
    let (mut read, mut refused) = (0, 0);
    for _ in 0..15_000 {
        let mut exchange = random.choice(&exchanges).unwrap().clone();
        let mut bytes = 0;
        for message in [&mut exchange.request, &mut exchange.response] {
            let body = &mut message.body.as_mut().unwrap().bytes;
            mutate(&mut random, body);
            bytes += body.len();
            if message.json_bytes.is_some() && random.u8(0..4) == 0 {
                message.json_bytes = Some(random.usize(0..=body.len()));
            }
        }
        match decoded(&exchange) {
            Ok(inference) => {
                // an inflated message is larger than what came
                let is_coded = exchange.request.message_encoding.is_some();
                check(&inference, if is_coded { bytes * 100 } else { bytes });
                read += 1;
            }
            Err(error) => {
                assert!(failures().any(|known| known.reason() == error.reason()));
                refused += 1;
            }
        }
    }
    assert!(
        read > 3000 && refused > 1000,
        "{read} read, {refused} refused"
    );
}

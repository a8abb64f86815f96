//! What decoding of bodies that are made to cost takes of memory: at its peak, with what is returned.
//!
//! Counted is what the thread of the test takes, so all that grows is of the decoder.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "hostile/cases.rs"]
mod cases;
#[path = "hostile/heap.rs"]
mod heap;
#[path = "hostile/places.rs"]
mod places;
#[path = "hostile/tensors.rs"]
mod tensors;
#[path = "hostile/values.rs"]
mod values;

use sidelight::{config::defaults, decode::decode};

#[global_allocator]
static HEAP: heap::Heap = heap::Heap;

/// Of a body; some cases have two.
const BODY_BYTES: usize = 64 << 10;
/// 1 MiB for a body of 64 KiB, where a list that grows is there twice.
const BYTES_A_BYTE: usize = 16;

/// Of all cases, one of so many is taken; every place comes with several values. All 6,413 keep to the
/// bound, the dearest with 15 bytes a byte, and take half a minute.
const EVERY: usize = 7;

/// Places of which all are taken: lists that grow with nothing said of their length, beside others.
const DEAR: [&str; 6] = [
    "v1, classes:",
    "mapped, items:",
    "mapped, both:",
    "sagemaker, answer:",
    "sagemaker, both:",
    "sagemaker, csv answer:",
];

#[test]
fn no_body_takes_more_memory_than_it_may() {
    let is_dear = |name: &str| DEAR.iter().any(|place| name.starts_with(place));
    let all = cases::cases(BODY_BYTES).enumerate();
    let taken = all.filter(|(at, case)| at % EVERY == 0 || is_dear(&case.name));
    judge(taken.map(|(_, case)| case));
}

fn judge(cases: impl Iterator<Item = cases::Case>) {
    let bounds = defaults().capture;
    let mut costs = Vec::new();
    for case in cases {
        let growth = heap::growth(|| drop(decode(&case.exchange, &bounds))).most;
        // a few bytes around a body are of it
        let bytes = case.bytes().max(BODY_BYTES);
        costs.push((growth.div_ceil(bytes), case.name));
    }
    costs.sort_unstable_by(|one, other| other.cmp(one));
    println!(
        "bytes a byte, of {} cases: {:#?}",
        costs.len(),
        &costs[..20]
    );
    costs.retain(|(each, _)| *each > BYTES_A_BYTE);
    assert!(costs.is_empty(), "{} cases: {costs:#?}", costs.len());
}

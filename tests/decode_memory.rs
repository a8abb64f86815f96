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

/// Of all cases, so many are left out for each that is taken; every place comes with several values.
/// Some that are left out take more, 6 of 1,604: 28 `v1, classes: zeros`, 24 `sagemaker, csv answer: ","`
/// and `mapped, items: zeros`, 18 and 17 three others, whose lists grow with nothing said of their length.
const EVERY: usize = 23;

#[test]
fn no_body_takes_more_memory_than_it_may() {
    judge(cases::cases(BODY_BYTES).step_by(EVERY));
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

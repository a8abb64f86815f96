//! What decoding of hostile bodies costs in instructions, for `tests/e2e/decoding.py` to count.
//!
//! `hostile BYTES [PART]`: prints the name and the bytes of each case whose name has `PART` in it,
//! after `decoded` has read it once. Without arguments it reads each of a few bytes.

#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

#[path = "../tests/hostile/cases.rs"]
mod cases;
#[path = "../tests/hostile/places.rs"]
mod places;
#[path = "../tests/hostile/tensors.rs"]
mod tensors;
#[path = "../tests/hostile/values.rs"]
mod values;

use std::hint::black_box;

use sidelight::{
    capture::Exchange,
    config::{Capture, defaults},
    decode::decode,
};

/// That of the program, whose steps are counted with the rest.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// What callgrind counts: its name is known there.
#[inline(never)]
fn decoded(exchange: &Exchange, bounds: &Capture) {
    let _ = black_box(decode(black_box(exchange), bounds));
}

fn main() {
    let mut words = std::env::args()
        .skip(1)
        .filter(|word| !word.starts_with("--"));
    let bytes = words.next().map_or(64, |word| word.parse().unwrap());
    let part = words.next().unwrap_or_default();
    let bounds = defaults().capture;
    for case in cases::cases(bytes).filter(|case| case.name.contains(&part)) {
        decoded(&case.exchange, &bounds);
        println!("{}\t{}", case.bytes(), case.name);
    }
}

//! Exchanges as lines, through what explains them.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sidelight::explain::fuzzing::explain(input));

//! Bodies under their content codings.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sidelight::decode::fuzzing::content(input));

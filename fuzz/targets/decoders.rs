//! Exchanges through every wire format.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sidelight::decode::fuzzing::decoders(input));

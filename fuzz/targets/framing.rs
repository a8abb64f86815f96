//! A client's connection, read by hyper and by what follows it.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sidelight::proxy::fuzzing::framing(input));

//! Files and environments.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sidelight::config::fuzzing::configuration(input));

//! Heads of requests and answers, as hyper reads them, through the rules of the proxy.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| sidelight::proxy::fuzzing::sanitize(input));

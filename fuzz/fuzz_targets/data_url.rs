#![no_main]

#[path = "../../tests/properties/fuzzed.rs"]
mod fuzzed;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzed::data_url(data));

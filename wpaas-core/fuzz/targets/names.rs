#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| wpaas_fuzz::names::keeps(text));

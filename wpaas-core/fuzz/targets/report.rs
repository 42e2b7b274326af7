#![no_main]

libfuzzer_sys::fuzz_target!(|said: &str| wpaas_fuzz::report::keeps(said));

#![no_main]

libfuzzer_sys::fuzz_target!(|archive: &[u8]| wpaas_fuzz::archive::keeps(archive));

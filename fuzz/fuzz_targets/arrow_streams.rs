#![no_main]

thread_local!(static TARGET: airlock_fuzz_targets::Target = airlock_fuzz_targets::arrow_streams());

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    TARGET.with(|target| target(input));
});

#![no_main]

thread_local!(static TARGET: airlock_fuzz_targets::Target = airlock_fuzz_targets::journals());

// What is made once takes long for some, and is not to count as the time of an input.
libfuzzer_sys::fuzz_target!(init: TARGET.with(|_| ()), |input: &[u8]| {
    TARGET.with(|target| target(input));
});

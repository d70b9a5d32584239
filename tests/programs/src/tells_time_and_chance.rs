//! Stores what it is told of time and of chance in each of the ways in which a guest can ask, one a line; before that it waits for
//! time to pass, once by sleeping and once by looking at each clock again and again.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use airlock_sdk::{Error, OutputContext, Source};
use wasip2::clocks::{monotonic_clock, wall_clock};
use wasip2::random::{insecure, insecure_seed, random};

pub struct Program;

impl crate::Program for Program {
    fn store(context: &OutputContext, _value: &mut Source) -> Result<(), Error> {
        let pause = Duration::from_millis(5);
        sleep(pause);
        let (started, on_the_wall) = (Instant::now(), SystemTime::now());
        while started.elapsed() < pause || on_the_wall.elapsed().unwrap_or_default() < pause {}

        let now = wall_clock::now();
        let told = [
            format!("wall: {}.{:09}", now.seconds, now.nanoseconds),
            format!("monotonic: {}", monotonic_clock::now()),
            format!("random: {:?} {}", random::get_random_bytes(8), random::get_random_u64()),
            format!("insecure: {:?} {}", insecure::get_insecure_random_bytes(8), insecure::get_insecure_random_u64()),
            format!("seed: {:?}", insecure_seed::insecure_seed()),
            format!("hash: {}", RandomState::new().build_hasher().finish()),
        ];
        fs::create_dir_all(context.file(None, "d")?)?;
        fs::write(context.file(None, "d")?.join("told"), told.join("\n"))?;
        Ok(())
    }
}

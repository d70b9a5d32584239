//! Inputs that nobody meant: what there is, changed at random places, some thousand times over.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use fastrand::Rng;

/// Bytes of an input, at most: what is put into itself again and again would grow.
const MOST: usize = 1 << 20;

/// What a target is given.
pub struct Inputs<'a> {
    /// The target as it is called where it is told of, and where its saved inputs lie.
    name: &'a str,
    /// What is changed; each is given as it is first.
    seeds: Vec<Vec<u8>>,
    /// What is put in here and there, since chance would not make it.
    words: &'a [&'a str],
}

/// The folder of the saved inputs, in a folder for each target.
pub fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/corpus")
}

impl<'a> Inputs<'a> {
    /// The saved inputs of the target `name`.
    pub fn saved(name: &'a str, words: &'a [&'a str]) -> Self {
        let folder = corpus().join(name);
        let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
        // So that a seed makes the same inputs on every machine.
        files.sort();
        Self { name, seeds: files.iter().map(|file| std::fs::read(file).unwrap()).collect(), words }
    }

    /// With these too.
    pub fn with(mut self, seeds: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.seeds.extend(seeds);
        self
    }

    /// Gives `target` each seed, and then as many inputs as are asked for; `target` tells whether it took one.
    pub fn give(&self, target: impl Fn(&[u8]) -> bool) {
        let count = number("AIRLOCK_FUZZ_INPUTS").unwrap_or(300);
        let seed = number("AIRLOCK_FUZZ_SEED").unwrap_or_else(|| fastrand::u64(..));
        let mut random = Rng::with_seed(seed);
        let sound: Vec<&[u8]> =
            self.seeds.iter().map(Vec::as_slice).filter(|input| self.one(input, seed, &target)).collect();
        let mut taken = sound.len() as u64;
        assert!(taken > 0, "{}: not even what was not changed is taken", self.name);
        for _ in 0..count {
            taken += u64::from(self.one(&self.changed(&sound, &mut random), seed, &target));
        }
        let all = count + self.seeds.len() as u64;
        println!("| {} | {all} | {taken} | {} | {seed} |", self.name, all - taken);
    }

    /// Gives one input; one over which the target panics is kept.
    fn one(&self, input: &[u8], seed: u64, target: &impl Fn(&[u8]) -> bool) -> bool {
        catch_unwind(AssertUnwindSafe(|| target(input))).unwrap_or_else(|_| {
            let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{}-{seed}", self.name));
            std::fs::write(&path, input).unwrap();
            panic!("{}: it panicked over {} (AIRLOCK_FUZZ_SEED={seed})", self.name, path.display());
        })
    }

    /// One of the seeds, changed; half of the time one of those that are taken, which are few.
    fn changed(&self, sound: &[&[u8]], random: &mut Rng) -> Vec<u8> {
        let mut input = if random.bool() {
            sound[random.usize(..sound.len())].to_vec()
        } else {
            self.seeds[random.usize(..self.seeds.len())].clone()
        };
        // Mostly one: what is changed a lot is refused for the first of it.
        for _ in 0..=random.u8(..).trailing_ones() {
            self.change(&mut input, random);
            input.truncate(MOST);
        }
        input
    }

    fn change(&self, input: &mut Vec<u8>, random: &mut Rng) {
        let at = random.usize(..=input.len());
        let longest = (input.len() - at).min(1 << random.usize(..12));
        let length = random.usize(..=longest);
        match random.usize(..8) {
            0 => input.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << random.u8(..8)),
            1 => input.iter_mut().skip(at).take(1).for_each(|byte| *byte = random.u8(..)),
            2 => input.iter_mut().skip(at).take(8).for_each(|byte| *byte = [0, 0x7f, 0x80, 0xff][random.usize(..4)]),
            3 => drop(input.drain(at..at + length)),
            4 => input.truncate(at),
            5 => {
                let again = input[at..at + length].to_vec();
                input.splice(at..at, again);
            }
            6 => {
                let other = &self.seeds[random.usize(..self.seeds.len())];
                let from = random.usize(..=other.len());
                let some = other[from..].iter().take(1 << random.usize(..12)).copied().collect::<Vec<_>>();
                input.splice(at..at, some);
            }
            _ => {
                let word = self.words.get(random.usize(..self.words.len().max(1))).copied().unwrap_or("\u{0}");
                input.splice(at..at, word.bytes());
            }
        }
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

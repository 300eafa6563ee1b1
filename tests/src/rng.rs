//! Random numbers that a seed replays, and how long a test of stress takes.

use std::env;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The variable that holds the seed.
pub(crate) const SEED: &str = "SYLVAN_SEED";

/// A small generator (SplitMix64): each seed is a sequence of its own.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The sequence of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The sequence of this run's seed, and of `stream`: give each thread its own.
    ///
    /// # Panics
    ///
    /// Without `SYLVAN_SEED`, which a child of [`process`](crate::process) has.
    pub fn of_this_run(stream: usize) -> Self {
        let mut rng = Self(seed_from_env().expect("SYLVAN_SEED"));
        rng.0 ^= Self(stream as u64).next().rotate_left(17);
        rng
    }

    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "it is no iterator: it has no end")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `n`, which is not zero.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    /// A time below this many microseconds.
    pub fn micros_below(&mut self, micros: usize) -> Duration {
        Duration::from_nanos(self.below(micros * 1000) as u64)
    }
}

pub(crate) fn seed_from_env() -> Option<u64> {
    env::var(SEED).ok().map(|seed| seed.parse().expect("SYLVAN_SEED is a number"))
}

pub(crate) fn new_seed() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    Rng(now as u64).next() % 1_000_000_000
}

/// How long a test of stress goes on: `SYLVAN_STRESS_SECONDS`, or a second and a half.
///
/// # Panics
///
/// If the variable holds no number.
pub fn stress_time() -> Duration {
    match env::var("SYLVAN_STRESS_SECONDS") {
        Ok(seconds) => {
            Duration::from_secs_f64(seconds.parse().expect("SYLVAN_STRESS_SECONDS is a number"))
        }
        Err(_) => Duration::from_millis(1500),
    }
}

//! Latency beside work: what the scenes `beside` and `fork-join` compute, and how they tell of it.

use std::time::{Duration, Instant};

use super::Args;

/// Clients of the scene `beside`.
pub const CLIENTS: usize = 8;

/// How long each of them sleeps between two echoes; if they are `drifting`, on average.
const PAUSE: Duration = Duration::from_millis(2);

/// How long a client sleeps between two echoes.
///
/// By the same time each, clients that began together stay in step: all of them ask at once, and each waits for those
/// before it. At random, from half of it to three halves, they ask as clients do that know nothing of each other.
#[derive(Clone, Debug)]
pub struct Pauses {
    drifting: bool,
    state: u32,
}

impl Pauses {
    /// Those of one client.
    #[must_use]
    pub fn new(args: &Args, client: usize) -> Self {
        Self { drifting: args.number("drifting", 0) != 0, state: client as u32 }
    }

    /// The next one.
    pub fn next_pause(&mut self) -> Duration {
        if !self.drifting {
            return PAUSE;
        }
        self.state = self.state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        PAUSE / 2 + PAUSE * (self.state >> 16) / (1 << 16)
    }
}

/// How long who computes sleeps between two bursts.
pub const BREATH: Duration = Duration::from_millis(1);

/// Computes for that long, by the clock on the wall.
pub fn compute(burst: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < burst {
        std::hint::spin_loop();
    }
}

/// How long a burst is: `burst` milliseconds.
#[must_use]
pub fn burst(args: &Args) -> Duration {
    Duration::from_millis(args.number("burst", 5) as u64)
}

/// How long the scene lasts: at least a second, after as much to warm up as [`warm`] says.
#[must_use]
pub fn span(args: &Args) -> Duration {
    Duration::from_millis(args.number("target", 1_000).max(1_000) as u64)
}

/// What comes before does not count.
#[must_use]
pub fn warm(args: &Args) -> Duration {
    span(args) / 4
}

/// Prints how long the echoes took.
pub fn tell(mut round_trips: Vec<Duration>) {
    round_trips.sort_unstable();
    let nanos = |index: usize| round_trips[index.min(round_trips.len() - 1)].as_nanos();
    let at = |thousandths| nanos(round_trips.len() * thousandths / 1_000);
    println!(
        "result ops={} p50={} p90={} p99={} max={}",
        round_trips.len(),
        at(500),
        at(900),
        at(990),
        nanos(usize::MAX)
    );
}

//! What every peer shares, so that they differ in nothing but their threads.
//!
//! A peer is one program. The suite starts it as `peer-… <scene> key=value …` and reads one line
//! from its standard output:
//!
//! | the peer says | meaning |
//! |---|---|
//! | `ready <address>` | the server of this scene listens there, and serves until it is killed |
//! | `ready -` | the scene has no address (sleepers): what was asked for now stands |
//! | `result key=value …` | the scene was a measurement inside the peer; it ends by itself |
//!
//! A scene that a peer does not have is exit code [`UNSUPPORTED`].
//! Nothing in here parks or blocks a thread.

pub mod beside;
pub mod http;

use std::collections::HashMap;
use std::fmt::Display;
use std::process::exit;
use std::time::{Duration, Instant};

/// For how long a server of the scene `timeouts` waits for a client at most, which is never so long.
pub const TIMEOUT: Duration = Duration::from_secs(30);

/// The exit code that says: this peer has no such scene.
pub const UNSUPPORTED: i32 = 3;

/// The size of one chat message.
pub const CHAT_MESSAGE: usize = 64;

/// A small file that is there: the manifest of this package.
pub const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");

/// The command line: a scene and `key=value` settings.
#[derive(Debug)]
pub struct Args {
    scene: String,
    values: HashMap<String, String>,
}

impl Args {
    /// Reads the command line of this process.
    #[must_use]
    pub fn from_env() -> Args {
        let mut words = std::env::args().skip(1);
        let scene = words.next().unwrap_or_else(|| {
            eprintln!("usage: peer SCENE [KEY=VALUE]…");
            exit(2)
        });
        let values = words
            .filter_map(|word| word.split_once('=').map(|(key, value)| (key.into(), value.into())))
            .collect();
        Args { scene, values }
    }

    /// The scene to play.
    #[must_use]
    pub fn scene(&self) -> &str {
        &self.scene
    }

    /// The number set for `key`, or `default`.
    #[must_use]
    pub fn number(&self, key: &str, default: usize) -> usize {
        self.text(key).map_or(default, |text| {
            text.parse().unwrap_or_else(|_| {
                eprintln!("`{key}` expected a number, got `{text}`");
                exit(2)
            })
        })
    }

    /// The text set for `key`.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }

    /// How many workers (OS threads that run the peer's tasks) to use.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.number("workers", 1)
    }

    /// The size of the buffer a connection reads into.
    #[must_use]
    pub fn buffer(&self) -> usize {
        self.number("buffer", 4096)
    }

    /// The path of the Unix socket to listen at.
    #[must_use]
    pub fn path(&self) -> &str {
        self.text("path").expect("the suite says where a Unix socket goes")
    }
}

/// Says that the server listens at `address`, or `-` where there is none.
pub fn ready(address: impl Display) {
    println!("ready {address}");
}

/// Leaves: this peer has no such scene.
pub fn unsupported() -> ! {
    exit(UNSUPPORTED)
}

/// The processor time this process has used, in user space and in the kernel.
#[must_use]
pub fn cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a live timespec; the clock exists in every process.
    let code = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(code, 0, "the process has a clock of its own");
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Times `run`, which does the operation as often as it is told, and prints the result.
///
/// The count grows until a run lasts `target` milliseconds (100 unless set) and another one with
/// the same count does so, too: that one counts. A single long run may have been interrupted, and
/// what came before the last one has warmed caches, pools and branch predictors.
pub fn measure(args: &Args, mut run: impl FnMut(u64)) {
    let target = Duration::from_millis(args.number("target", 100) as u64);
    let mut count = args.number("start", 64) as u64;
    let mut long_enough = false;
    loop {
        let (wall, cpu) = timed(|| run(count));
        if wall >= target {
            if long_enough {
                println!("result ops={count} ns={} cpu_ns={}", wall.as_nanos(), cpu.as_nanos());
                return;
            }
            long_enough = true;
            continue;
        }
        long_enough = false;
        let wanted = target.as_secs_f64() / wall.as_secs_f64().max(1e-9) * 1.1;
        count = (count as f64 * wanted.clamp(1.5, 20.0)) as u64;
    }
}

/// Times `run` once cold and once again, for scenes whose size is the point, and prints the result.
pub fn measure_twice(count: usize, mut run: impl FnMut(usize)) {
    let (first, cpu) = timed(|| run(count));
    let (again, _) = timed(|| run(count));
    println!(
        "result ops={count} ns={} cpu_ns={} again_ns={}",
        first.as_nanos(),
        cpu.as_nanos(),
        again.as_nanos()
    );
}

fn timed(run: impl FnOnce()) -> (Duration, Duration) {
    let (start, cpu_start) = (Instant::now(), cpu_time());
    run();
    (start.elapsed(), cpu_time() - cpu_start)
}

/// The shares of the CPU scene: how many, and the rounds of each.
#[must_use]
pub fn cpu_shares(args: &Args) -> (u64, u64) {
    (args.number("shares", 15) as u64, args.number("rounds", 10_000_000) as u64)
}

/// One share of the CPU scene: a sum of remainders that the compiler cannot shorten.
#[must_use]
pub fn cpu_share(share: u64, rounds: u64) -> u64 {
    let divisor = std::hint::black_box(share + 2);
    (0..rounds).map(|i| i % divisor).sum()
}

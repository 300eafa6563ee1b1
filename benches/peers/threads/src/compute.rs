//! Scenes about many threads at once: all cores at work, and everyone asleep.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kit::Args;

/// The shares of the CPU scene run as threads of their own; the slowest one ends the run.
pub(crate) fn cpu(args: &Args) {
    let (shares, rounds) = kit::cpu_shares(args);
    kit::measure_twice(shares as usize, |_| {
        let threads: Vec<_> =
            (0..shares).map(|share| thread::spawn(move || kit::cpu_share(share, rounds))).collect();
        for thread in threads {
            thread.join().expect("a sum does not panic");
        }
    });
}

/// Sleepers stand until the suite has measured the memory they take and kills the process.
pub(crate) fn sleepers(args: &Args) {
    let count = args.number("count", 10_000);
    let asleep = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    for _ in 0..count {
        let mine = Arc::clone(&asleep);
        thread::spawn(move || {
            mine.fetch_add(1, Ordering::Relaxed);
            thread::sleep(Duration::from_secs(3600));
        });
    }
    while asleep.load(Ordering::Relaxed) < count {
        thread::sleep(Duration::from_millis(1));
    }
    kit::ready(start.elapsed().as_nanos());
    thread::sleep(Duration::from_secs(3600));
}

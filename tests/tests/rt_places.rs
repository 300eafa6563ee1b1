//! Where a thread starts that a green thread spawns.
//!
//! In the shared mode it stays with the worker that starts it, so that this decides for good who runs
//! beside whom.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use std_shim::thread::{self, JoinHandle};

use tests::process::{Process, Way};

tests::in_each_mode!(
    two_that_wait_for_each_other_share_a_worker,
    many_are_spread_over_the_workers,
    one_whose_spawner_computes_starts_all_the_same,
);

std::thread_local! {
    /// Stands at an address that in the shared mode is the worker's.
    static WORKER: u8 = const { 0 };
}

fn worker() -> usize {
    WORKER.with(|here| std::ptr::from_ref(here).addr())
}

fn compute(time: Duration) {
    let begin = Instant::now();
    while begin.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// Whether the fact is one of this mode.
fn holds(process: &Process) -> bool {
    if process.way() == Way::Own {
        println!("does not hold in the own mode: a thread goes on where there is room for it");
    }
    process.way() == Way::Shared
}

/// Goal: two that take turns do so on one worker, where that takes a switch and not a wake-up.
/// Method: a thread that is alone spawns one, goes on for a moment, and waits for it. One that goes on for
/// longer than the monitor takes to see that has the other one run beside it.
fn two_that_wait_for_each_other_share_a_worker(process: &Process) {
    if holds(process) {
        process.env("SYLVAN_WORKERS", "2").passes(|| {
            let share = || {
                let other = thread::spawn(worker);
                compute(Duration::from_micros(30));
                other.join().unwrap() == worker()
            };
            let n_shared = (0..100).filter(|_| thread::spawn(share).join().unwrap()).count();
            println!("{n_shared} of 100 pairs share a worker");
            assert!(n_shared > 50);
        });
    }
}

/// In one of a few attempts: on a crowded machine only one worker may be awake.
fn many_are_spread_over_the_workers(process: &Process) {
    if holds(process) {
        process.env("SYLVAN_WORKERS", "2").passes(|| {
            let compute = || {
                compute(Duration::from_millis(20));
                worker()
            };
            let spawn = move || (0..8).map(|_| thread::spawn(compute)).collect::<Vec<_>>();
            let are_spread = |_| {
                let threads: Vec<JoinHandle<_>> = thread::spawn(spawn).join().unwrap();
                let workers: HashSet<_> = threads.into_iter().map(|t| t.join().unwrap()).collect();
                workers.len() == 2
            };
            assert!((0..10).any(are_spread), "all on one worker, each time");
        });
    }
}

fn one_whose_spawner_computes_starts_all_the_same(process: &Process) {
    process.env("SYLVAN_WORKERS", "2").passes(|| {
        let spawner = || {
            let started = Arc::new(AtomicBool::new(false));
            let theirs = Arc::clone(&started);
            let other = thread::spawn(move || theirs.store(true, SeqCst));
            while !started.load(SeqCst) {
                std::hint::spin_loop();
            }
            other.join().unwrap();
        };
        for _ in 0..10 {
            thread::spawn(spawner).join().unwrap();
        }
    });
}

//! What is runnable runs, while there is a core to run it: also next to threads that compute.
#![allow(clippy::disallowed_methods, reason = "the tests block OS threads on purpose")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(5);

/// Held by the test that runs: two cores are not enough for the threads that compute of both.
static CORES: Mutex<()> = Mutex::new(());

fn compute_until(flag: &AtomicBool) -> bool {
    let start = Instant::now();
    while !flag.load(Ordering::Acquire) {
        if start.elapsed() > LIMIT {
            return false;
        }
        std::hint::spin_loop();
    }
    true
}

#[test]
fn a_thread_that_was_stolen_with_another_runs_while_the_other_computes() {
    let _cores = CORES.lock().unwrap_or_else(PoisonError::into_inner);
    let parent = sylvan::spawn(|| {
        for _ in 0..5 {
            let flag = Arc::new(AtomicBool::new(false));
            let (setter, reader) = (Arc::clone(&flag), Arc::clone(&flag));
            let first = sylvan::spawn(move || setter.store(true, Ordering::Release));
            let second = sylvan::spawn(move || compute_until(&reader));
            assert!(compute_until(&flag), "the first thread has not run");
            assert!(second.join().unwrap());
            first.join().unwrap();
        }
    });
    parent.join().unwrap();
}

#[test]
fn the_second_of_a_burst_from_outside_runs_while_the_first_computes() {
    let _cores = CORES.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..5 {
        // Let the cores fall asleep, so that the burst meets one that is about to search.
        sleep(Duration::from_millis(20));
        let flag = Arc::new(AtomicBool::new(false));
        let setter = Arc::clone(&flag);
        let first = sylvan::spawn(move || compute_until(&flag));
        let second = sylvan::spawn(move || setter.store(true, Ordering::Release));
        assert!(first.join().unwrap(), "the second thread has not run");
        second.join().unwrap();
    }
}

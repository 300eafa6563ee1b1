//! An idle process makes no system call: nobody ticks, polls, or wakes up to look around.
//!
//! The program runs under `strace` from its start. Once it has settled, two seconds of its trace
//! must be empty, though it has 1,000 parked threads. The control has one thread that sleeps for
//! a tenth of a second at a time, and shows that such calls would be seen.
#![cfg(target_os = "linux")]

mod proof_support;

use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime};

use proof_support::start;
use sylvan_cli::prove::Call;
use tests::within_bounds;

const TO_SETTLE: Duration = Duration::from_secs(1);
const WATCHED: Duration = Duration::from_secs(2);

/// The calls of a while of idleness, or `None` where there is no tracer.
fn calls_of(args: &[&str]) -> Option<Vec<Call>> {
    let (traced, line) = start(Path::new(env!("CARGO_BIN_EXE_parked")), args)?;
    assert_eq!(line, "parked");
    thread::sleep(TO_SETTLE);
    let from = SystemTime::now();
    thread::sleep(WATCHED);
    let to = SystemTime::now();
    let trace = traced.stop().expect("a trace");
    Some(trace.active_between(from, to).cloned().collect())
}

#[test]
fn an_idle_process_with_1000_parked_threads_makes_no_system_call() {
    within_bounds("idle", || {
        let Some(calls) = calls_of(&["1000"]) else { return };
        assert!(calls.is_empty(), "{} calls: {calls:#?}", calls.len());
    });
}

#[test]
fn a_thread_that_wakes_up_now_and_then_is_seen() {
    within_bounds("not idle", || {
        let Some(calls) = calls_of(&["10", "0.1"]) else { return };
        assert!(calls.len() >= 10, "only {calls:#?}");
    });
}

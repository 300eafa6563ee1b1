//! The monitor looks no more often than there is reason to: each look takes a processor from somebody.
#![cfg(target_os = "linux")]

use std::process;
use std::time::{Duration, Instant};

use std_shim::thread;

use tests::counts::{eventually, os_threads_of};
use tests::process::Process;

tests::in_each_mode!(
    a_program_that_starts_is_left_alone,
    a_file_now_and_then_costs_a_few_looks,
    a_timer_now_and_then_costs_a_few_looks,
    calls_that_always_block_need_few_looks,
);

/// How often the monitor has waited for its next look; 0 if it has not begun.
fn looks() -> u64 {
    let threads = os_threads_of(process::id()).expect("the threads of this process");
    let monitor = threads.iter().find(|thread| thread.name == "sylvan-monitor");
    let Some(monitor) = monitor else { return 0 };
    let status = monitor.read("status");
    let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
    count.and_then(|count| count.trim().parse().ok()).expect("a number of switches")
}

fn a_program_that_starts_is_left_alone(process: &Process) {
    process.passes(|| {
        let begin = Instant::now();
        let busy = thread::spawn(move || {
            while begin.elapsed() < Duration::from_millis(20) {
                thread::yield_now();
            }
        });
        busy.join().unwrap();
        eventually("the monitor begins", || looks() > 0);
        let (looks, took) = (looks(), begin.elapsed());
        println!("{looks} looks in {took:?}");
        // Every 10 ms for runs that last.
        assert!(looks <= 20 + took.as_millis() as u64 / 10);
    });
}

fn a_file_now_and_then_costs_a_few_looks(process: &Process) {
    const FILES: u64 = 200;
    process.passes(|| {
        let reader = thread::spawn(|| {
            let before = looks();
            for _ in 0..FILES {
                thread::sleep(Duration::from_millis(1));
                std_shim::fs::metadata("/proc/self/status").unwrap();
            }
            looks() - before
        });
        let looks = reader.join().unwrap();
        println!("{looks} looks for {FILES} files");
        assert!(looks < 10 * FILES);
    });
}

fn a_timer_now_and_then_costs_a_few_looks(process: &Process) {
    const TIMERS: u32 = 10;
    const PAUSE: Duration = Duration::from_millis(70);
    process.passes(|| {
        let looks_meanwhile = || {
            // Its stack is free, for the monitor to trim.
            thread::spawn(|| ()).join().unwrap();
            thread::sleep(PAUSE);
            let before = looks();
            (0..TIMERS).for_each(|_| thread::sleep(PAUSE));
            let looks = looks() - before;
            println!("{looks} looks for {TIMERS} timers");
            looks
        };
        // A run that takes long, since others have the processor, is looked at: so not each try counts.
        let few = move || (0..8).any(|_| looks_meanwhile() <= u64::from(TIMERS) / 4);
        assert!(thread::spawn(few).join().unwrap(), "each time");
    });
}

fn calls_that_always_block_need_few_looks(process: &Process) {
    const THREADS: u64 = 4;
    const CALLS: u64 = 100;
    const CALL: Duration = Duration::from_millis(2);
    process.env("SYLVAN_WORKERS", "1").passes(|| {
        let calls = || (0..CALLS).for_each(|_| sylvan::blocking(|| std::thread::sleep(CALL)));
        let begin = Instant::now();
        let threads: Vec<_> = (0..THREADS).map(|_| thread::spawn(calls)).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
        let (looks, took) = (looks(), begin.elapsed());
        println!("{looks} looks for {} calls in {took:?}", THREADS * CALLS);
        // For runs that last, for the first few calls, and for one now and then that finds no other OS
        // thread: some eight each.
        assert!(looks < 2 * THREADS * CALLS + took.as_millis() as u64 / 5);
    });
}

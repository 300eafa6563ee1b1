//! For how long a thread has been in its state, as a process says of its own threads.

#![cfg(target_os = "linux")]

use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use std_shim::thread::{self, Builder, JoinHandle};
use tests::path;
use tests::process::{Process, Way, play};

/// How long each thread waits, at least.
const WAIT: Duration = Duration::from_millis(600);
/// By how much a wait may seem longer than it is: 134 ms, and as long as nobody has looked at the clock, which is
/// 10 ms unless the machine is busy. Less than a wait.
const COARSE: Duration = Duration::from_millis(500);
/// Parked threads' times are rounded to tenths of a second.
const ROUNDING: Duration = Duration::from_millis(50);

tests::in_each_mode!(of_each_parked_thread_it_is_told_for_how_long);

/// What a dump says of a thread: its state, and what it waits for.
#[derive(Debug)]
struct Line {
    state: String,
    waits_for: String,
}

impl Line {
    fn of(name: &str) -> Self {
        let mut text = Vec::new();
        sylvan::dump(&mut text).expect("a dump");
        let text = String::from_utf8(text).expect("text");
        let is_its = |line: &&str| line.split_whitespace().nth(1) == Some(name);
        let line = text.lines().find(is_its).unwrap_or_else(|| panic!("no {name} in\n{text}"));
        let column = text.lines().find_map(|line| line.find("WAITS FOR")).expect("a column");
        let words = |from: usize| line.get(from..).unwrap_or_default().to_owned();
        let state = words(column - 20).split_whitespace().next().expect("a state").to_owned();
        Self { state, waits_for: words(column) }
    }

    /// It is in this state before long.
    #[track_caller]
    fn wait_until(name: &str, state: &str) {
        let begin = Instant::now();
        while Self::of(name).state != state {
            assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", Self::of(name));
        }
    }

    /// It has been for so long, by what is told.
    #[track_caller]
    fn assert_lasts(&self, at_least: Duration, at_most: Duration) {
        let time = self.waits_for.split_once("for ").and_then(|(_, time)| time.strip_suffix(" s"));
        let time = time.and_then(|time| time.parse().ok()).unwrap_or_else(|| panic!("{self:?}"));
        let time = Duration::from_secs_f64(time);
        assert!(time + ROUNDING >= at_least, "{self:?} for {at_least:?} at least");
        assert!(time <= at_most + COARSE + ROUNDING, "{self:?} for {at_most:?} at most");
    }
}

fn named(name: &str, body: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    Builder::new().name(name.to_owned()).spawn(body).unwrap()
}

/// A thread that computes until it is told to end, and runs when this returns.
fn computes(is_over: &Arc<AtomicBool>) -> JoinHandle<()> {
    let (runs, is_over) = (Arc::new(AtomicBool::new(false)), Arc::clone(is_over));
    let has_begun = Arc::clone(&runs);
    let thread = named("computes", move || {
        has_begun.store(true, Relaxed);
        while !is_over.load(Relaxed) {
            hint::spin_loop();
        }
    });
    while !runs.load(Relaxed) {
        std::thread::yield_now();
    }
    thread
}

fn of_each_parked_thread_it_is_told_for_how_long(process: &Process) {
    process.passes(|| {
        let mut parked = Vec::new();
        for name in ["first", "second"] {
            let before = Instant::now();
            let thread = named(name, thread::park);
            Line::wait_until(name, "parked");
            parked.push((name, thread, before, Instant::now()));
            std::thread::sleep(WAIT);
        }
        for (name, thread, before, since) in parked {
            let at_least = since.elapsed();
            let line = Line::of(name);
            assert!(line.waits_for.starts_with("park, for "), "{line:?}");
            line.assert_lasts(at_least, before.elapsed());
            thread.thread().unpark();
            thread.join().unwrap();
        }
    });
}

// Where thread-locals are shared a thread stays with its core.
#[test]
fn of_a_thread_that_waits_for_a_busy_core_it_is_told_for_how_long() {
    let way = path!(of_a_thread_that_waits_for_a_busy_core_it_is_told_for_how_long);
    play(Way::Shared, way, |process| {
        process.env("SYLVAN_WORKERS", "1").passes(|| {
            let woken = named("woken", thread::park);
            Line::wait_until("woken", "parked");
            // So that it is not the time since it was parked that is told.
            std::thread::sleep(WAIT + COARSE);
            let is_over = Arc::new(AtomicBool::new(false));
            let computes = computes(&is_over);
            let before = Instant::now();
            woken.thread().unpark();
            let since = Instant::now();
            std::thread::sleep(WAIT);
            let at_least = since.elapsed();
            let line = Line::of("woken");
            assert_eq!(line.state, "runnable", "{line:?}");
            assert!(line.waits_for.starts_with("a worker, for "), "{line:?}");
            line.assert_lasts(at_least, before.elapsed());
            is_over.store(true, Relaxed);
            computes.join().unwrap();
            woken.join().unwrap();
        });
    });
}

#[test]
fn of_a_thread_that_has_yielded_no_time_is_told() {
    play(Way::Shared, path!(of_a_thread_that_has_yielded_no_time_is_told), |process| {
        process.env("SYLVAN_WORKERS", "1").passes(|| {
            let is_over = Arc::new(AtomicBool::new(false));
            let ends = Arc::clone(&is_over);
            let yields = named("yields", move || {
                while !ends.load(Relaxed) {
                    thread::yield_now();
                }
            });
            let computes = computes(&is_over);
            let line = Line::of("yields");
            assert_eq!((&*line.state, &*line.waits_for), ("runnable", ""));
            is_over.store(true, Relaxed);
            computes.join().unwrap();
            yields.join().unwrap();
        });
    });
}

//! Support for the tests of the examples: builds both packages, starts programs, talks to them.
//!
//! A scene is played once with the build on the mirror and once with the build on OS threads, and
//! has to come out the same. Every wait is bounded; every program is ended, by its own process id,
//! when its [`Program`] is dropped, also by a test that fails.
#![allow(dead_code, reason = "each file of tests uses its part")]

mod client;
mod program;
mod web;

use std::fmt::Debug;
use std::time::Duration;

#[allow(unused_imports, reason = "each file of tests uses its part")]
pub(crate) use {client::Client, program::Program, program::path, web::Web};

/// How long anything may take before it counts as stuck.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Which of the two packages a program is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    Shim,
    OsThreads,
}

/// Plays `scene` with either build, and returns what came out, which has to be the same.
pub(crate) fn on_both<T: Debug + PartialEq>(scene: impl Fn(Build) -> T) -> T {
    let on_shim = scene(Build::Shim);
    let on_os_threads = scene(Build::OsThreads);
    assert_eq!(on_shim, on_os_threads, "the mirror (left) differs from std (right)");
    on_shim
}

/// How many OS threads a runtime may have: one a processor, and four helpers.
pub(crate) fn n_os_threads_max() -> usize {
    n_processors() + 4
}

/// How many OS threads a program on the mirror has whose threads just wait: the workers, `main` and
/// the monitor.
pub(crate) fn n_os_threads_min() -> usize {
    n_processors() + 2
}

/// As `n_os_threads_min`, and as many more as look up names, or start children, at a time; and two
/// on their way from the one to the next.
pub(crate) fn n_helped_max() -> usize {
    n_os_threads_min() + n_processors().max(2) + 2
}

/// Plays `scene` until it has taken no more OS threads than `most`, some times: where thread-locals
/// are a thread's own, a machine that keeps a worker waiting makes the runtime take on another.
pub(crate) fn assert_os_threads(most: usize, scene: impl Fn() -> Option<usize>) {
    let counts: Vec<usize> = (0..10).map_while(|_| scene().filter(|n| *n > most)).collect();
    assert!(counts.len() < 10, "{counts:?} OS threads, expected at most {most}");
}

fn n_processors() -> usize {
    std::thread::available_parallelism().expect("the number of processors").get()
}

/// Takes the count from what a program printed as "OS threads: N"; `None` where it does not know.
pub(crate) fn n_os_threads_of(printed: &str) -> Option<usize> {
    let (_, count) = printed.split_once("OS threads: ").expect("a count of OS threads");
    count.parse().ok()
}

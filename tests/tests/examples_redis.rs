//! The examples that talk to a real Redis server, over a Unix socket and over TCP by name.

mod examples_support;

use examples_support::{Build, Program, n_helped_max, n_os_threads_min, n_os_threads_of};
use tests::redis::Redis;

/// Tries before a count is taken for what it takes: a machine that keeps a worker waiting makes the
/// runtime take on another.
const ATTEMPTS: usize = 3;

/// Runs an example to its end, which has to be a success, and returns the lines it printed.
fn output(build: Build, name: &str, arguments: &[&str]) -> Vec<String> {
    let (output, status) = Program::start(build, name, arguments).wait();
    println!("{build:?}: {output:?}");
    assert!(status.success(), "{name}: {status}");
    output
}

/// Plays `scene` on OS threads once, and some times on the mirror: the fewest OS threads that took.
fn fewest_os_threads(scene: impl Fn(Build) -> Option<usize>) -> Option<usize> {
    scene(Build::OsThreads);
    (0..ATTEMPTS).map(|_| scene(Build::Shim)).min().unwrap()
}

#[test]
fn a_ring_of_threads_waits_for_redis_on_the_workers_alone() {
    let Some(redis) = Redis::start() else { return };
    let path = redis.path();
    let arguments = [path.to_str().unwrap(), "100", "10"];
    let fewest = fewest_os_threads(|build| {
        let printed = output(build, "redis_unix", &arguments);
        assert_eq!(printed[0], "1000 steps of 100 threads");
        n_os_threads_of(&printed[1])
    });
    assert!(fewest.is_none_or(|n| n == n_os_threads_min()), "{fewest:?} OS threads");
}

#[test]
fn a_thousand_look_ups_of_redis_share_a_few_helpers() {
    let Some(redis) = Redis::start() else { return };
    let server = format!("localhost:{}", redis.port());
    let fewest = fewest_os_threads(|build| {
        let printed = output(build, "redis_tcp", &[&server, "200", "5"]);
        let (visits, rounds) = printed.split_last().unwrap();
        assert_eq!((visits.as_str(), rounds.len()), ("1000 visits", 5));
        rounds.iter().map(|round| n_os_threads_of(round)).max().unwrap()
    });
    assert!(fewest.is_none_or(|n| n <= n_helped_max()), "{fewest:?} OS threads");
}

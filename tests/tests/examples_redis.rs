//! The examples that talk to a real Redis server, over a Unix socket and over TCP by name.

mod examples_support;

use examples_support::{
    Build, Program, assert_os_threads, n_helped_max, n_os_threads_min, n_os_threads_of,
};
use tests::redis::Redis;

/// Runs an example to its end, which has to be a success, and returns the lines it printed.
fn output(build: Build, name: &str, arguments: &[&str]) -> Vec<String> {
    let (output, status) = Program::start(build, name, arguments).wait();
    println!("{build:?}: {output:?}");
    assert!(status.success(), "{name}: {status}");
    output
}

#[test]
fn a_ring_of_threads_waits_for_redis_on_the_workers_alone() {
    let Some(redis) = Redis::start() else { return };
    let path = redis.path();
    let arguments = [path.to_str().unwrap(), "100", "10"];
    let ring = |build| {
        let printed = output(build, "redis_unix", &arguments);
        assert_eq!(printed[0], "1000 steps of 100 threads");
        n_os_threads_of(&printed[1])
    };
    ring(Build::OsThreads);
    // Each waits, and none blocks an OS thread. With thread-locals of its own one may be taken for
    // stuck; with shared ones nothing but blocking sections takes more OS threads.
    let shared = sylvan::tls_mode().is_ok_and(|mode| mode == sylvan::TlsMode::Shared);
    let most = n_os_threads_min() + if shared { 0 } else { 2 };
    assert_os_threads(most, || ring(Build::Shim));
}

#[test]
fn a_thousand_look_ups_of_redis_share_a_few_helpers() {
    let Some(redis) = Redis::start() else { return };
    let server = format!("localhost:{}", redis.port());
    let visits = |build| {
        let printed = output(build, "redis_tcp", &[&server, "200", "5"]);
        let (visits, rounds) = printed.split_last().unwrap();
        assert_eq!((visits.as_str(), rounds.len()), ("1000 visits", 5));
        rounds.iter().map(|round| n_os_threads_of(round)).max().unwrap()
    };
    visits(Build::OsThreads);
    assert_os_threads(n_helped_max(), || visits(Build::Shim));
}

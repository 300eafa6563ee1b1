//! At the limit of OS threads things wait for each other, and still progress.
#![allow(clippy::disallowed_methods, reason = "the tests block OS threads on purpose")]

use std::time::{Duration, Instant};

#[test]
fn a_blocking_call_ends_with_the_least_of_os_threads_in_the_shared_mode() {
    let config = sylvan::Config::new().workers(1).max_threads(1).tls(sylvan::TlsMode::Shared);
    config.start().unwrap();
    let thread = sylvan::spawn(|| sylvan::blocking(|| 5));
    let start = Instant::now();
    while !thread.is_finished() {
        assert!(start.elapsed() < Duration::from_secs(10), "nobody makes the call");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(thread.join().unwrap(), 5);
}

//! Two hundred children, each started and awaited by a green thread of its own, take no OS thread
//! each. In a file of its own, since it counts the threads of its process.

use std::time::{Duration, Instant};

use std_shim::process::Command;
use std_shim::thread;
use tests::counts::os_threads;

/// Main, the test's, the monitor, and some that take over while others fork and execute; of those
/// there are no more at a time than workers.
const OS_THREADS_BESIDE: usize = 10;

#[test]
fn two_hundred_children_are_started_and_awaited_without_an_os_thread_each() {
    tests::within_bounds("two_hundred_children", || {
        let start = Instant::now();
        let threads: Vec<_> = (0..200)
            .map(|_| thread::spawn(|| Command::new("sleep").arg("0.5").spawn()?.wait()))
            .collect();
        let mut n_os_threads = os_threads();
        while !threads.iter().all(thread::JoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(1));
            n_os_threads = n_os_threads.max(os_threads());
        }
        let took = start.elapsed();
        for thread in threads {
            assert!(thread.join().unwrap().unwrap().success());
        }
        println!("{took:?}, {n_os_threads} OS threads");
        let most = 2 * sylvan::workers().unwrap() + OS_THREADS_BESIDE;
        assert!(n_os_threads <= most, "{n_os_threads} OS threads");
        // Half a second, and what it takes to start them; one after another it would be 100 s.
        assert!(took < Duration::from_secs(20), "{took:?}");
    });
}

//! A hundred children, each awaited by a green thread of its own, take no OS thread each. In a file
//! of its own, since it counts the threads of its process.

use std::fs;
use std::time::{Duration, Instant};

use std_shim::process::Command;
use std_shim::thread;

/// Main, the test's, the monitor, and those that fork and execute.
const OS_THREADS_BESIDE_WORKERS: usize = 10;

fn os_threads() -> usize {
    fs::read_dir("/proc/self/task").expect("the threads of this process").count()
}

#[test]
fn a_hundred_children_are_awaited_without_an_os_thread_each() {
    tests::green("a_hundred_children", || {
        let start = Instant::now();
        let awaiting: Vec<_> = (0..100)
            .map(|_| Command::new("sleep").arg("0.5").spawn().unwrap())
            .map(|mut child| thread::spawn(move || child.wait()))
            .collect();
        thread::sleep(Duration::from_millis(450).saturating_sub(start.elapsed()));
        let while_they_sleep = os_threads();
        for child in awaiting {
            assert!(child.join().unwrap().unwrap().success());
        }
        let took = start.elapsed();
        println!("{took:?}, {while_they_sleep} OS threads");
        let most = sylvan::workers().unwrap() + OS_THREADS_BESIDE_WORKERS;
        assert!(while_they_sleep <= most, "{while_they_sleep} OS threads");
        // Half a second, and what it takes to start them; one after another it would be 50 s.
        assert!(took < Duration::from_secs(10), "{took:?}");
    });
}

//! Two hundred children, each started and awaited by a green thread of its own, take no OS thread
//! each. In a file of its own, since it looks at the threads of its process.
#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

use std_shim::process::Command;
use std_shim::thread;
use tests::counts::{OsThread, os_threads_of};

const CHILDREN: usize = 200;

/// A child may be on its way out when it is waited for, and a few are at a time.
const WAITS_MOST: usize = CHILDREN / 10;

/// Whether it is in the kernel's wait for a child. (Beside these there are some that fork and execute: few,
/// but for what lasts, as it does on a busy machine.)
fn waits_for_a_child(thread: &OsThread) -> bool {
    let call = thread.read("syscall");
    [libc::SYS_wait4, libc::SYS_waitid].iter().any(|number| call.starts_with(&format!("{number} ")))
}

#[test]
fn two_hundred_children_are_started_and_awaited_without_an_os_thread_each() {
    tests::within_bounds("two_hundred_children", || {
        let start = Instant::now();
        let threads: Vec<_> = (0..CHILDREN)
            .map(|_| thread::spawn(|| Command::new("sleep").arg("0.5").spawn()?.wait()))
            .collect();
        let (mut n_waits, mut n_os_threads) = (0, 0);
        while !threads.iter().all(thread::JoinHandle::is_finished) {
            std::thread::sleep(Duration::from_millis(1));
            let all = os_threads_of(std::process::id()).expect("a list");
            n_waits = n_waits.max(all.iter().filter(|thread| waits_for_a_child(thread)).count());
            n_os_threads = n_os_threads.max(all.len());
        }
        let took = start.elapsed();
        for thread in threads {
            assert!(thread.join().unwrap().unwrap().success());
        }
        println!("{took:?}, {n_os_threads} OS threads, {n_waits} of them in a wait for a child");
        assert!(n_waits <= WAITS_MOST, "{n_waits} OS threads wait for children");
        assert!(n_os_threads < CHILDREN, "{n_os_threads} OS threads");
        // Half a second, and what it takes to start them; one after another it would be 100 s.
        assert!(took < Duration::from_secs(20), "{took:?}");
    });
}

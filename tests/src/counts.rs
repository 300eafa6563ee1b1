//! What a process has of the kernel's, to be the same after a scene as before it.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// How long something that is on its way may take to come.
const SOON: Duration = Duration::from_secs(20);

/// The open descriptors of this process, by number.
///
/// # Panics
///
/// Where the kernel does not list them.
pub fn descriptors() -> Vec<i32> {
    let mut numbers = numbers_in("/proc/self/fd");
    // One was that of the list itself.
    numbers.retain(|number| fs::read_link(format!("/proc/self/fd/{number}")).is_ok());
    numbers
}

/// How many OS threads this process has.
///
/// # Panics
///
/// Where the kernel does not list them.
pub fn os_threads() -> usize {
    numbers_in("/proc/self/task").len()
}

/// The address space of this process, in bytes: all that was ever mapped for stacks is in it.
///
/// # Panics
///
/// Where the kernel does not tell.
pub fn address_space() -> u64 {
    let statm = fs::read_to_string("/proc/self/statm").expect("what the kernel counts");
    let pages = statm.split(' ').next().and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("a number of pages") * rustix::param::page_size() as u64
}

/// Waits until `holds`.
///
/// # Panics
///
/// If it takes too long.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < SOON, "never: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

fn numbers_in(folder: &str) -> Vec<i32> {
    let listed = fs::read_dir(folder).expect("a folder of the kernel's");
    let names = listed.map(|entry| entry.expect("an entry of the folder").file_name());
    let mut numbers: Vec<i32> =
        names.filter_map(|name| name.to_str().and_then(|name| name.parse().ok())).collect();
    numbers.sort_unstable();
    numbers
}

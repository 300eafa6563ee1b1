//! Starts a thousand threads that sleep, and prints how many bytes of memory each of them takes.

use std::fs;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

const THREADS: usize = 1_000;

static STARTED: AtomicUsize = AtomicUsize::new(0);

fn main() {
    let long = Duration::from_secs(3_600);
    let before = resident();
    for _ in 0..THREADS {
        thread::spawn(move || {
            STARTED.fetch_add(1, Ordering::Relaxed);
            loop {
                thread::sleep(long);
            }
        });
    }
    while STARTED.load(Ordering::Relaxed) < THREADS {
        thread::sleep(Duration::from_millis(1));
    }
    println!("{}", (resident() - before) / THREADS);
    process::exit(0);
}

fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("what the kernel counts");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("resident memory");
    let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok());
    kib.expect("a number of KiB") << 10
}

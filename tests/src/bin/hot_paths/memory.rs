//! The memory of threads that wait, as the kernel counts it.

use std::env;
use std::fs;
use std::io;
use std::process::Command;

use std_shim::sync::{Arc, Barrier};
use std_shim::thread;

/// So many that what the process has besides does not count.
const THREADS: usize = 20_000;

/// The bytes of a thread that `hot_paths --wait` starts when `SYLVAN_TLS` is as given.
///
/// # Errors
///
/// When the child cannot be started, or does something else.
pub(crate) fn of_a_thread(tls: &str) -> io::Result<f64> {
    let mut command = Command::new(env::current_exe()?);
    command.arg("--wait").env("SYLVAN_TLS", tls).env("SYLVAN_WORKERS", "1");
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    said.trim().parse().map_err(|_| io::Error::other(format!("a child said {said:?}")))
}

/// In the child: starts threads that wait, and says what each of them takes.
pub(crate) fn wait() {
    let all_wait = Arc::new(Barrier::new(THREADS + 1));
    let before = resident_bytes();
    for _ in 0..THREADS {
        let all_wait = Arc::clone(&all_wait);
        thread::spawn(move || {
            all_wait.wait();
            loop {
                thread::park();
            }
        });
    }
    all_wait.wait();
    println!("{}", (resident_bytes() - before) / THREADS);
}

fn resident_bytes() -> usize {
    let pages = fs::read_to_string("/proc/self/statm").expect("what the kernel counts");
    let resident = pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    resident.expect("the second number") * rustix::param::page_size()
}

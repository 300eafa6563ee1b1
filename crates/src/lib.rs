//! Support for the tests: crates from crates.io, unchanged, each with a real peer.
//!
//! Everything here is plain std, as a user would write it, and so are the crates. The tests are run
//! by `cargo sylvan test`, which puts the mirror in the place of std:
//!
//! ```
//! assert!(std::any::type_name::<std::net::TcpStream>().starts_with("std_shim::"));
//! ```
//!
//! A test that needs a server starts it, in a folder of its own on a free port of the loopback, and
//! stops it. Where the server is not installed it says so, and is over.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::Once;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::Duration;

pub mod certificate;
pub mod clients;
pub mod server;

/// How long the tests of one file may take before the kernel ends them as stuck.
const STUCK_AFTER_SECONDS: u32 = 240;

/// Runs a test on a green thread. If all of a file take too long together, SIGALRM ends them, which
/// needs no thread to be well.
///
/// # Panics
///
/// With what `body` panics with.
pub fn green(body: impl FnOnce() + Send + 'static) {
    static ALARM: Once = Once::new();
    ALARM.call_once(|| {
        // SAFETY: a system call that takes a number.
        unsafe { libc::alarm(STUCK_AFTER_SECONDS) };
    });
    if let Err(panic) = thread::spawn(body).join() {
        std::panic::resume_unwind(panic);
    }
}

/// Runs `body` on `n` threads at once; what each of them returned.
///
/// # Panics
///
/// If one of them did.
pub fn crowd<T: Send + 'static>(
    n: usize,
    body: impl Fn(usize) -> T + Send + Sync + 'static,
) -> Vec<T> {
    let body = Arc::new(body);
    let threads: Vec<_> = (0..n)
        .map(|i| {
            let body = Arc::clone(&body);
            thread::spawn(move || body(i))
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().expect("a thread of the crowd")).collect()
}

/// Counts OS threads while something goes on.
#[derive(Debug)]
pub struct Watch {
    is_over: Arc<AtomicBool>,
    most: Arc<AtomicUsize>,
    watcher: thread::JoinHandle<()>,
}

impl Watch {
    /// Begins to count, every few milliseconds.
    pub fn begin() -> Self {
        let (is_over, most) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (over, highest) = (Arc::clone(&is_over), Arc::clone(&most));
        let watcher = thread::spawn(move || {
            while !over.load(Relaxed) {
                highest.fetch_max(os_threads().expect("the kernel's list of threads"), Relaxed);
                thread::sleep(Duration::from_millis(5));
            }
        });
        Self { is_over, most, watcher }
    }

    /// Ends the count, and says on standard output that `what` took so many.
    ///
    /// # Panics
    ///
    /// If there were more than `limit`, or there is no way to tell.
    pub fn at_most(self, limit: usize, what: &str) {
        self.is_over.store(true, Relaxed);
        self.watcher.join().expect("a count");
        let most = self.most.load(Relaxed);
        println!("{what}: at most {most} OS threads at once");
        assert!(most <= limit, "{what}: {most} OS threads, more than {limit}");
    }
}

/// How many OS threads this process has.
///
/// # Errors
///
/// Where the kernel does not list them.
pub fn os_threads() -> io::Result<usize> {
    Ok(fs::read_dir("/proc/self/task")?.count())
}

/// Whether green threads share their worker's thread-locals, which `skipped` then cannot do with.
pub fn are_thread_locals_shared(skipped: &str) -> bool {
    #[cfg(sylvan)]
    let shared = sylvan::tls_mode().expect("the runtime") == sylvan::TlsMode::Shared;
    #[cfg(not(sylvan))]
    let shared = false;
    if shared {
        println!("skipped: {skipped}, and green threads share their worker's here");
    }
    shared
}

//! Memory that the allocator does not have. What the kernel refuses is in `faults.rs`; what Rust's own
//! allocations get is up to the program's allocator, and a refusal ends the process with Rust's words, as on OS
//! threads. So the runtime asks for little: for a thread when it is spawned, for a descriptor's entry with a
//! thousand others, and for a deadline never.

use std::alloc::{GlobalAlloc, Layout, System};
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::time::Duration;

use rustix::io::fcntl_dupfd_cloexec;
use std_shim::os::unix::net::UnixStream;
use std_shim::thread;

use tests::process::Process;

tests::in_each_mode!(
    a_table_of_descriptors_without_memory_ends_the_process_in_words,
    a_deadline_takes_no_memory,
);

/// Counts, and refuses what is large while it is told to.
struct Allocator;

static N_ALLOCATED: AtomicUsize = AtomicUsize::new(0);
static REFUSES: AtomicBool = AtomicBool::new(false);
const LARGE: usize = 64 << 10;

// SAFETY: the system's allocator, or null, as an allocator may say.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        N_ALLOCATED.fetch_add(1, Relaxed);
        if layout.size() >= LARGE && REFUSES.load(Relaxed) {
            return ptr::null_mut();
        }
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

fn a_table_of_descriptors_without_memory_ends_the_process_in_words(process: &Process) {
    let ended = process.env("SYLVAN_WORKERS", "2").run(|| {
        thread::spawn(|| {
            let (near, _far) = UnixStream::pair().expect("two sockets");
            let high = fcntl_dupfd_cloexec(near.as_fd(), 5000).expect("a high number");
            println!("number: {}", high.as_raw_fd());
            REFUSES.store(true, Relaxed);
            drop(UnixStream::from(high));
            println!("survived");
        })
        .join()
        .expect("no panic");
    });
    assert_eq!(ended.said("number:"), "5000");
    assert!(!ended.stdout.contains("survived"));
    assert_eq!(ended.signal(), Some(libc::SIGABRT));
    assert!(ended.stderr.contains("memory allocation of 131072 bytes failed"), "{}", ended.stderr);
}

fn a_deadline_takes_no_memory(process: &Process) {
    process.env("SYLVAN_WORKERS", "2").passes(|| {
        thread::spawn(|| {
            let waits = |n| {
                for micros in 0..n {
                    thread::sleep(Duration::from_micros(micros));
                    thread::park_timeout(Duration::from_micros(micros));
                }
            };
            // What is there for good is there then.
            waits(10);
            let before = N_ALLOCATED.load(Relaxed);
            waits(200);
            let n = N_ALLOCATED.load(Relaxed) - before;
            // The monitor may look at something meanwhile.
            assert!(n < 20, "400 deadlines, {n} allocations");
        })
        .join()
        .expect("no panic");
    });
}

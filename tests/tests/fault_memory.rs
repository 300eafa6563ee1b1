//! Memory that the allocator does not have. What the kernel refuses is in `faults.rs`. The runtime asks an
//! allocator for little: for a thread when it is spawned, where a refusal ends the process in Rust's words, as
//! it does on OS threads; for a descriptor's entry with a thousand others, where it is an error of who
//! would wait; and for a deadline never.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::time::Duration;

use rustix::io::fcntl_dupfd_cloexec;
use std_shim::io;
use std_shim::os::unix::net::UnixStream;
use std_shim::thread;

use tests::process::Process;

tests::in_each_mode!(
    a_table_of_descriptors_without_memory_is_an_error_of_who_would_wait,
    a_duplicate_without_an_entry_blocks_as_it_should,
    a_first_run_takes_no_memory,
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

/// A descriptor whose number the table has no entry for yet.
fn high(of: impl AsFd, number: i32) -> OwnedFd {
    let high = fcntl_dupfd_cloexec(of, number).expect("a high number");
    assert_eq!(high.as_raw_fd(), number);
    high
}

fn a_table_of_descriptors_without_memory_is_an_error_of_who_would_wait(process: &Process) {
    process.env("SYLVAN_WORKERS", "2").passes(|| {
        thread::spawn(|| {
            let (near, far) = UnixStream::pair().expect("two sockets");
            let high = high(&near, 5000);
            REFUSES.store(true, Relaxed);
            let mut high = UnixStream::from(high);
            let refused = high.read(&mut [0; 4]).expect_err("no memory");
            assert_eq!(refused.kind(), ErrorKind::OutOfMemory);
            // What has an entry goes on, and so does what needs none.
            (&near).write_all(b"here").expect("room");
            high.set_read_timeout(Some(Duration::from_secs(60))).expect("an option");
            let mut word = [0; 4];
            (&far).read_exact(&mut word).expect("a word");
            assert_eq!(&word, b"here");
            REFUSES.store(false, Relaxed);
            let reader = thread::spawn(move || {
                let mut word = [0; 5];
                high.read_exact(&mut word).expect("a word");
                word
            });
            thread::sleep(Duration::from_millis(5));
            (&far).write_all(b"there").expect("room");
            assert_eq!(&reader.join().expect("no panic"), b"there");
        })
        .join()
        .expect("no panic");
    });
}

fn a_duplicate_without_an_entry_blocks_as_it_should(process: &Process) {
    process.env("SYLVAN_WORKERS", "2").passes(|| {
        thread::spawn(|| {
            let (mut reader, mut writer) = io::pipe().expect("a pipe");
            // All numbers are taken that have an entry already.
            let taken: Vec<_> =
                (0..1024).map(|_| fcntl_dupfd_cloexec(&writer, 0).expect("a number")).collect();
            REFUSES.store(true, Relaxed);
            let duplicate = reader.try_clone().expect("a number");
            REFUSES.store(false, Relaxed);
            assert!(duplicate.as_raw_fd() >= 1024);
            drop(taken);
            // Else the runtime would have its reads not block, and with them those of the duplicate.
            let green = thread::spawn(move || reader.read(&mut [0]).map(|n| (n, reader)));
            thread::sleep(Duration::from_millis(5));
            let outside = ::std::thread::spawn(move || rustix::io::read(&duplicate, &mut [0; 1]));
            thread::sleep(Duration::from_millis(5));
            writer.write_all(b"ab").expect("room");
            assert_eq!(outside.join().expect("no panic"), Ok(1));
            assert_eq!(green.join().expect("no panic").expect("a byte").0, 1);
        })
        .join()
        .expect("no panic");
    });
}

fn a_first_run_takes_no_memory(process: &Process) {
    process.env("SYLVAN_WORKERS", "1").passes(|| {
        thread::spawn(|| {
            let runs = |n: usize| {
                let threads: Vec<_> = (0..n).map(|_| thread::spawn(thread::yield_now)).collect();
                let spawned = N_ALLOCATED.load(Relaxed);
                threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
                N_ALLOCATED.load(Relaxed) - spawned
            };
            // What is there for good is there then.
            runs(500);
            let n = runs(500);
            assert!(n < 20, "500 first runs, {n} allocations");
        })
        .join()
        .expect("no panic");
    });
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

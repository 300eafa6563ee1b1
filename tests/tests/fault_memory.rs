//! Memory that the allocator does not have. What the kernel refuses is in `faults.rs`. The runtime asks an
//! allocator for little: for a thread when it is spawned, where a refusal ends the process in Rust's words, as
//! it does on OS threads; for a descriptor's entry with a thousand others, where it is an error of who
//! has to wait; and for a deadline never.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::time::{Duration, Instant};

use rustix::io::fcntl_dupfd_cloexec;
use rustix::pipe::{PipeFlags, pipe_with};
use std_shim::io;
use std_shim::net::Shutdown;
use std_shim::os::unix::net::UnixStream;
use std_shim::thread;
use sylvan::contract::io::{Attempt, attempt_unflagged};
use sylvan::{Interest, ready};

use tests::process::Process;

tests::in_each_mode!(
    a_table_of_descriptors_without_memory_is_an_error_of_who_would_wait,
    what_need_not_wait_needs_no_memory,
    a_duplicate_without_an_entry_blocks_as_it_should,
    a_duplicate_without_an_entry_hears_of_its_file,
    what_is_set_by_a_duplicate_without_an_entry_holds_for_its_file,
    what_a_child_closes_without_memory_is_no_more_what_it_was,
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

fn what_need_not_wait_needs_no_memory(process: &Process) {
    process.env("SYLVAN_WORKERS", "2").passes(|| {
        thread::spawn(|| {
            let (near, far) = UnixStream::pair().expect("two sockets");
            let (reader, mut writer) = io::pipe().expect("a pipe");
            let (high, high_pipe) = (high(&near, 5000), high(&reader, 7000));
            REFUSES.store(true, Relaxed);
            let (mut high, mut high_pipe) =
                (UnixStream::from(high), io::PipeReader::from(high_pipe));
            high.write_all(b"out").expect("room");
            (&far).read_exact(&mut [0; 3]).expect("what was written");
            (&far).write_all(b"in").expect("room");
            assert!(ready(high.as_fd(), Interest::Read, None).expect("a look"));
            assert_eq!(high.read(&mut [0; 4]).expect("it is there"), 2);
            let now = Some(Instant::now());
            assert!(!ready(high.as_fd(), Interest::Read, now).expect("a look"));
            writer.write_all(b"in").expect("room");
            assert_eq!(high_pipe.read(&mut [0; 4]).expect("it is there"), 2);
            let refused = high_pipe.read(&mut [0; 4]).expect_err("no memory");
            assert_eq!(refused.kind(), ErrorKind::OutOfMemory);
            high.set_nonblocking(true).expect("a flag");
            let nothing = high.read(&mut [0; 4]).expect_err("nothing is there");
            assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
            REFUSES.store(false, Relaxed);
        })
        .join()
        .expect("no panic");
    });
}

/// Takes all numbers that have an entry already.
fn take_all(of: impl AsFd) -> Vec<OwnedFd> {
    (0..1024).map(|_| fcntl_dupfd_cloexec(&of, 0).expect("a number")).collect()
}

fn a_duplicate_without_an_entry_hears_of_its_file(process: &Process) {
    process.env("SYLVAN_WORKERS", "2").passes(|| {
        thread::spawn(|| {
            let (near, _far) = UnixStream::pair().expect("two sockets");
            let taken = take_all(&near);
            REFUSES.store(true, Relaxed);
            let mut duplicate = near.try_clone().expect("a number");
            REFUSES.store(false, Relaxed);
            assert!(duplicate.as_raw_fd() >= 1024);
            drop(taken);
            let writer = thread::spawn(move || duplicate.write_all(&vec![0; 16 << 20]));
            thread::sleep(Duration::from_millis(20));
            // Of a full socket the kernel has no event for this.
            near.shutdown(Shutdown::Write).expect("it is open");
            let ended = writer.join().expect("no panic").expect_err("writing is over");
            assert_eq!(ended.kind(), ErrorKind::BrokenPipe);
        })
        .join()
        .expect("no panic");
    });
}

fn what_is_set_by_a_duplicate_without_an_entry_holds_for_its_file(process: &Process) {
    process.env("SYLVAN_WORKERS", "2").passes(|| {
        thread::spawn(|| {
            let (mut near, mut far) = UnixStream::pair().expect("two sockets");
            let taken = take_all(&near);
            REFUSES.store(true, Relaxed);
            let duplicate = near.try_clone().expect("a number");
            assert!(duplicate.as_raw_fd() >= 1024);
            drop(taken);
            // Once it has waited, it knows what is set.
            let writer = thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                far.write_all(b"1").map(|()| far)
            });
            assert_eq!(near.read(&mut [0; 8]).expect("a byte"), 1);
            let _far = writer.join().expect("no panic").expect("room");
            duplicate.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
            let ended = near.read(&mut [0; 8]).expect_err("its time is up");
            assert_eq!(ended.kind(), ErrorKind::WouldBlock);
            near.set_read_timeout(None).expect("no timeout");
            duplicate.set_nonblocking(true).expect("the flag");
            let ended = near.read(&mut [0; 8]).expect_err("it does not wait");
            assert_eq!(ended.kind(), ErrorKind::WouldBlock);
            REFUSES.store(false, Relaxed);
        })
        .join()
        .expect("no panic");
    });
}

fn a_duplicate_without_an_entry_blocks_as_it_should(process: &Process) {
    process.env("SYLVAN_WORKERS", "2").passes(|| {
        thread::spawn(|| {
            let (mut reader, mut writer) = io::pipe().expect("a pipe");
            let taken = take_all(&writer);
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

fn what_a_child_closes_without_memory_is_no_more_what_it_was(process: &Process) {
    process.passes(|| {
        // That of the reader.
        let number = rustix::io::dup(std::io::stderr()).expect("a number").as_raw_fd();
        let (mut reader, mut writer) = io::pipe().expect("a pipe");
        writer.write_all(b"x").expect("room");
        // The runtime has the pipe not block, which is none of the program's doing.
        let reads = move || reader.read_exact(&mut [0]).map(|()| reader);
        let reader = thread::spawn(reads).join().expect("no panic").expect("a byte");
        // SAFETY: the child has one thread, and its runtime starts anew.
        let child = unsafe { libc::fork() };
        if child == 0 {
            REFUSES.store(true, Relaxed);
            drop(reader);
            REFUSES.store(false, Relaxed);
            let (at, _writer) = pipe_with(PipeFlags::NONBLOCK).expect("a pipe");
            let is_the_same = at.as_raw_fd() == number;
            let read = |fd: BorrowedFd<'_>| Ok(Attempt::Done(rustix::io::read(fd, &mut [0; 1])?));
            let reads = move || attempt_unflagged(at.as_fd(), Interest::Read, read);
            let nothing = thread::spawn(reads).join();
            let is_none =
                |end: io::Result<_>| end.is_err_and(|it| it.kind() == ErrorKind::WouldBlock);
            // SAFETY: ends the child.
            unsafe { libc::_exit(i32::from(!(is_the_same && nothing.is_ok_and(is_none)))) };
        }
        let mut status = 0;
        // SAFETY: a child of this process, once.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0);
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

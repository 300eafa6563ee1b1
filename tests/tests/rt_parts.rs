//! Calls that are made in parts: each part is a try of its own, for the file that the call began with.

use std::io::{ErrorKind, Read, Result};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};

use rustix::net::{SendFlags, send};
use std_shim::os::unix::net;
use std_shim::thread;
use sylvan::contract::io::{Attempt, Interest, Mode, attempt_unflagged};
use sylvan_posix::calls::transfer::transmit;
use sylvan_posix::calls::{Kind, Plainly, Waits};

use tests::process::Process;

tests::in_each_mode!(
    the_rest_of_a_write_does_not_go_to_another_file_of_the_number,
    a_write_that_need_not_wait_lets_others_run,
    each_part_of_a_write_to_a_pipe_is_a_try_of_its_own,
);

fn the_rest_of_a_write_does_not_go_to_another_file_of_the_number(process: &Process) {
    process.passes(|| {
        thread::spawn(|| {
            let (near, mut far) = net::UnixStream::pair().expect("two sockets");
            let (other, other_far) = UnixStream::pair().expect("two sockets");
            let (number, other) = (near.as_raw_fd(), other.as_raw_fd());
            let part = |fd: BorrowedFd<'_>, _, _| {
                let n = send(fd, b"part", SendFlags::DONTWAIT)?;
                // SAFETY: the program's own; the scene is about this.
                assert_eq!(unsafe { libc::dup2(other, number) }, number);
                Ok(n)
            };
            let sent = transmit(Plainly, near.as_fd(), || Kind::Unix, 8, part);
            assert_eq!(sent.expect("a part"), 4);
            far.read_exact(&mut [0; 4]).expect("the part");
            assert_eq!(far.read(&mut [0]).expect("an end"), 0, "nobody has the file any more");
            other_far.set_nonblocking(true).expect("a flag");
            let found = (&other_far).read(&mut [0]).expect_err("nothing is written there");
            assert_eq!(found.kind(), ErrorKind::WouldBlock);
        })
        .join()
        .expect("no panic");
    });
}

fn a_write_that_need_not_wait_lets_others_run(process: &Process) {
    process.env("SYLVAN_WORKERS", "1").passes(|| {
        thread::spawn(|| {
            let (near, far) = UnixStream::pair().expect("two sockets");
            let is_heard = Arc::new(AtomicBool::new(false));
            let hears = Arc::clone(&is_heard);
            let mut far = net::UnixStream::from(far);
            let reader = thread::spawn(move || {
                far.read_exact(&mut [0]).expect("a byte");
                hears.store(true, Relaxed);
            });
            // It waits for the byte.
            thread::yield_now();
            let part = |fd: BorrowedFd<'_>, _, done| {
                if done == 0 {
                    send(fd, b"x", SendFlags::DONTWAIT)?;
                }
                // Some more, as if to a reader that takes it at once; or the end.
                Ok(usize::from(!is_heard.load(Relaxed)))
            };
            transmit(Plainly, near.as_fd(), || Kind::Unix, usize::MAX, part).expect("all of it");
            reader.join().expect("no panic");
        })
        .join()
        .expect("no panic");
    });
}

/// As the mirror waits for a pipe; counts the tries.
#[derive(Clone, Copy)]
struct Unflagged<'a>(&'a AtomicUsize);

impl Waits for Unflagged<'_> {
    fn attempt<T: Send>(
        self,
        fd: BorrowedFd<'_>,
        interest: Interest,
        mut op: impl FnMut(BorrowedFd<'_>, Mode) -> Result<Attempt<T>> + Send,
    ) -> Result<T> {
        attempt_unflagged(fd, interest, |fd| {
            self.0.fetch_add(1, Relaxed);
            op(fd, Mode::NonBlocking)
        })
    }
}

/// So the runtime sees before each whether the pipe was lent, and does not block.
fn each_part_of_a_write_to_a_pipe_is_a_try_of_its_own(process: &Process) {
    process.passes(|| {
        thread::spawn(|| {
            let (_reader, writer) = std::io::pipe().expect("a pipe");
            let (n_tries, n_parts) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let part = |fd: BorrowedFd<'_>, _, _| {
                assert_eq!(n_tries.load(Relaxed), n_parts.fetch_add(1, Relaxed) + 1);
                Ok(rustix::io::write(fd, b"part")?)
            };
            let by = Unflagged(&n_tries);
            let written = transmit(by, writer.as_fd(), || Kind::Pipe, 12, part);
            assert_eq!((written.expect("room"), n_parts.load(Relaxed)), (12, 3));
        })
        .join()
        .expect("no panic");
    });
}

//! Descriptors: who is told that one is ready, and what it is told when it is not.
#![allow(clippy::disallowed_methods, reason = "the tests block OS threads on purpose")]

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use sylvan::contract::io::{Attempt, Interest, attempt, ready, set_timeout};

#[test]
fn all_who_ask_whether_a_descriptor_is_ready_are_told() {
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    let ours = Arc::new(ours);
    let wait = || {
        let ours = Arc::clone(&ours);
        let deadline = Instant::now() + Duration::from_secs(5);
        sylvan::spawn(move || ready(ours.as_fd(), Interest::Read, Some(deadline)).unwrap())
    };
    let waiters: Vec<_> = (0..3).map(|_| wait()).collect();
    sleep(Duration::from_millis(50));
    theirs.write_all(b"x").unwrap();
    for waiter in waiters {
        assert!(waiter.join().unwrap(), "one was left waiting");
    }
}

#[test]
fn a_timeout_is_the_error_that_the_kernel_gives() {
    let (ours, _theirs) = UnixStream::pair().unwrap();
    set_timeout(ours.as_fd(), Interest::Read, Some(Duration::from_millis(20))).unwrap();
    let of_kernel = (&ours).read(&mut [0]).unwrap_err();
    let thread = sylvan::spawn(move || {
        attempt(ours.as_fd(), Interest::Read, |_, _| {
            Err::<Attempt<()>, _>(ErrorKind::WouldBlock.into())
        })
    });
    let of_runtime = thread.join().unwrap().unwrap_err();
    assert_eq!(of_runtime.raw_os_error(), of_kernel.raw_os_error());
    assert_eq!(of_runtime.to_string(), of_kernel.to_string());
}

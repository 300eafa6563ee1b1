//! A third party ends waits of whatever kind, and those that are not interruptible go on.

#![allow(clippy::disallowed_methods, reason = "the tests block OS threads on purpose")]

use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::net::{RecvFlags, SendFlags, recv, send};
use sylvan::contract::io::{Attempt, Interest};
use sylvan::contract::{Interrupt, Turn};
use sylvan::{Wait, WaitReason};

/// Raises the interrupt of a thread that waits by now, most likely, and then lets it go on by itself.
fn interrupted<T: Send + 'static>(f: impl FnOnce(&Interrupt) -> T + Send + 'static) -> T {
    let interrupt = Arc::new(Interrupt::new());
    let theirs = Arc::clone(&interrupt);
    let thread = sylvan::spawn(move || f(&theirs));
    std::thread::sleep(Duration::from_millis(20));
    interrupt.raise();
    thread.join().unwrap()
}

fn receive(socket: &UnixStream, interrupt: &Interrupt) -> std::io::Result<u8> {
    sylvan::contract::io::attempt_interruptible(
        socket.as_fd(),
        Interest::Read,
        interrupt,
        |fd, _| {
            let mut byte = [0];
            recv(fd, &mut byte, RecvFlags::DONTWAIT)?;
            Ok(Attempt::Done(byte[0]))
        },
    )
}

fn give(socket: &UnixStream, byte: u8) -> std::io::Result<()> {
    sylvan::contract::io::attempt(socket.as_fd(), Interest::Write, |fd, _| {
        send(fd, &[byte], SendFlags::DONTWAIT)?;
        Ok(Attempt::Done(()))
    })
}

#[test]
fn each_kind_of_wait_is_ended() {
    let far = || Some(Instant::now() + Duration::from_secs(3600));
    let word = || AtomicU32::new(0);
    for deadline in [None, far()] {
        let end = interrupted(move |i| {
            sylvan::contract::wait_interruptible(&word(), 0, deadline, WaitReason::Futex, i)
        });
        assert_eq!(end, Wait::Interrupted);
        let end = interrupted(move |i| {
            let (ours, _theirs) = UnixStream::pair().unwrap();
            sylvan::contract::io::ready_interruptible(ours.as_fd(), Interest::Read, deadline, i)
        });
        assert_eq!(end.unwrap_err().kind(), ErrorKind::Interrupted);
    }
    let end = interrupted(move |i| {
        sylvan::contract::wait_turn_interruptible(
            (&word()).into(),
            0,
            Instant::now(),
            None,
            WaitReason::Mutex,
            Some(i),
        )
    });
    assert_eq!(end, Turn::Interrupted);
    assert!(interrupted(move |i| sylvan::contract::sleep_interruptible(far().unwrap(), i)));
    let end = interrupted(|i| {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        receive(&ours, i)
    });
    assert_eq!(end.unwrap_err().kind(), ErrorKind::Interrupted);
}

#[test]
fn one_that_is_raised_ends_the_next_wait_until_it_is_taken() {
    sylvan::spawn(|| {
        let interrupt = Interrupt::new();
        assert!(!interrupt.take());
        interrupt.raise();
        interrupt.raise();
        let far = Instant::now() + Duration::from_secs(3600);
        assert!(sylvan::contract::sleep_interruptible(far, &interrupt));
        assert!(sylvan::contract::sleep_interruptible(far, &interrupt));
        assert!(interrupt.take());
        assert!(!interrupt.take());
        let soon = Instant::now() + Duration::from_millis(5);
        assert!(!sylvan::contract::sleep_interruptible(soon, &interrupt));
        assert!(Instant::now() >= soon);
    })
    .join()
    .unwrap();
}

/// Storms: a waiter counts what it is given, whatever interrupts it in between.
#[test]
fn no_wake_up_is_lost_among_interrupts() {
    const ROUNDS: u32 = 20_000;
    let word = Arc::new(AtomicU32::new(0));
    let interrupt = Arc::new(Interrupt::new());
    let over = Arc::new(AtomicBool::new(false));
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (w, i) = (Arc::clone(&word), Arc::clone(&interrupt));
    let waiter = sylvan::spawn(move || {
        for n in 0..ROUNDS {
            while w.load(Ordering::Acquire) == n {
                let deadline = (n % 2 == 0).then(|| Instant::now() + Duration::from_micros(100));
                sylvan::contract::wait_interruptible(&w, n, deadline, WaitReason::Futex, &i);
                i.take();
            }
            let byte = loop {
                match receive(&ours, &i) {
                    Ok(byte) => break byte,
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Interrupted),
                }
                i.take();
            };
            assert_eq!(byte, n as u8);
        }
    });
    let (w, o) = (Arc::clone(&word), Arc::clone(&over));
    let giver = sylvan::spawn(move || {
        for n in 0..ROUNDS {
            w.store(n + 1, Ordering::Release);
            sylvan::wake(&*w, 1);
            // A full socket is waited for in the event loop: a waiter that shares the worker's thread-locals
            // stays with its worker, so who blocked that would keep it from reading.
            give(&theirs, n as u8).unwrap();
            sylvan::yield_now();
        }
        o.store(true, Ordering::Relaxed);
        theirs
    });
    while !over.load(Ordering::Relaxed) {
        interrupt.raise();
        std::thread::yield_now();
    }
    giver.join().unwrap();
    waiter.join().unwrap();
}

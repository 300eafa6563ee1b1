//! `reactor::entry` and `io::attempt`: readers of a descriptor, and the kernel's edges.
//!
//! A reader that waits while there is something to take, and nobody awake to take it, is a deadlock.
//!
//! So is one that waits on when the descriptor was announced once more. And nobody takes what has come for
//! whoever has the number next.
//!
//! Fails if a waiter does not compare the tick, or not under the lock; if an edge does not count; if
//! a reader that succeeds does not pass on; if `wake` claims before it marks; if a wait that has
//! timed out is not told under the lock; if a bell that was heard is not set again by who waits next, or is set
//! without waking a core that sleeps for longer.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::machine::reactor::{arrive, close, entry, fd, replace, report_edges, take};
use super::machine::{CORE, attendant, spawn_green};
use super::{DEADLINE_NS, explore, ring, ring_at};
use crate::io::{Attempt, Interest, Origin, attach, attempt};
use crate::primitive::{AtomicU32, Ordering};
use crate::reactor::Call;
use crate::scheduler::idle::Idle;
use crate::timer;

/// Takes one, and leaves the rest: a connection of a listener's.
fn accept() -> io::Result<u32> {
    attempt(fd(), Interest::Read, |_, _| take(1).map(Attempt::Done))
}

/// Takes all there is: a short read of a stream.
fn read() -> io::Result<u32> {
    attempt(fd(), Interest::Read, |_, _| take(u32::MAX).map(Attempt::Drained))
}

/// As `accept`, from an OS thread. Time does not pass: nobody runs out of patience.
fn accept_outside() {
    let entry = entry(fd()).expect("the one entry");
    loop {
        let seen = entry.look(Interest::Read);
        if take(1).is_ok() {
            return entry.pass_on(Interest::Read);
        }
        let patience = Duration::from_nanos(DEADLINE_NS);
        let mut call = Call::new();
        let heard = entry.wait_outside(fd(), Interest::Read, seen, &mut call, attendant, patience);
        assert_eq!(heard, Some(true));
    }
}

/// Runs `n_readers` of `reader`, and two arrivals.
fn two_arrive(preemptions: usize, n_readers: u32, reader: fn()) {
    explore(preemptions, move || {
        attach(fd(), Origin::Fresh);
        let readers: Vec<_> = (0..n_readers).map(|_| spawn_green(reader)).collect();
        let events = loom::thread::spawn(report_edges);
        arrive();
        arrive();
        for reader in readers {
            reader.join().unwrap();
        }
        close();
        events.join().unwrap();
    });
}

#[test]
fn a_reader_takes_what_comes_one_by_one() {
    two_arrive(5, 1, || {
        accept().unwrap();
        accept().unwrap();
    });
}

#[test]
fn a_reader_that_takes_all_does_not_miss_what_comes_meanwhile() {
    two_arrive(5, 1, || {
        let mut n = 0;
        while n < 2 {
            n += read().unwrap();
        }
    });
}

#[test]
fn two_readers_share_one_edge() {
    two_arrive(4, 2, || {
        accept().unwrap();
    });
}

#[test]
fn an_os_thread_and_a_green_one_share_one_edge() {
    explore(4, || {
        attach(fd(), Origin::Fresh);
        let green = spawn_green(|| {
            accept().unwrap();
        });
        let outside = loom::thread::spawn(accept_outside);
        let events = loom::thread::spawn(report_edges);
        arrive();
        arrive();
        green.join().unwrap();
        outside.join().unwrap();
        close();
        events.join().unwrap();
    });
}

#[test]
fn an_os_thread_that_waits_for_an_event_hears_it() {
    explore(5, || {
        attach(fd(), Origin::Fresh);
        let outside = loom::thread::spawn(accept_outside);
        let events = loom::thread::spawn(report_edges);
        arrive();
        outside.join().unwrap();
        close();
        events.join().unwrap();
    });
}

#[test]
fn a_timeout_that_races_an_edge_loses_nothing() {
    explore(5, || {
        timer::begin(1);
        attach(fd(), Origin::Fresh);
        let reader = spawn_green(|| {
            let entry = entry(fd()).expect("the one entry");
            entry.set_timeout(fd(), Interest::Read, Some(Duration::from_nanos(DEADLINE_NS)));
            if accept().is_err() {
                entry.set_timeout(fd(), Interest::Read, None);
                accept().unwrap();
            }
        });
        let events = loom::thread::spawn(|| {
            arrive();
            report_edges();
        });
        ring();
        reader.join().unwrap();
        close();
        events.join().unwrap();
    });
}

/// On a core that sleeps until the next bell.
#[test]
fn a_bell_that_nobody_waits_for_is_set_again_by_who_does() {
    explore(4, || {
        timer::begin(1);
        attach(fd(), Origin::Fresh);
        let timeout = Some(Duration::from_nanos(DEADLINE_NS));
        entry(fd()).expect("the one entry").set_timeout(fd(), Interest::Read, timeout);
        let is_done = Arc::new(AtomicU32::new(0));
        let theirs = Arc::clone(&is_done);
        let reader = spawn_green(move || {
            for _ in 0..2 {
                assert_eq!(accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
            }
            theirs.store(1, Ordering::SeqCst);
            CORE.wake();
        });
        let idle = Idle::new(1);
        let is_done = || is_done.load(Ordering::SeqCst) != 0;
        while !is_done() {
            let mut now_ns = 0;
            let wait = || match timer::shard(0).sleep() {
                Some(until) => now_ns = until.ns,
                None => CORE.poll(),
            };
            let _ = idle.sleep(0, &CORE.asleep, false, |_| is_done(), wait);
            if now_ns != 0 {
                ring_at(now_ns);
            }
        }
        reader.join().unwrap();
    });
}

#[test]
fn a_second_owner_of_the_number_takes_nothing_from_who_waits() {
    explore(3, || {
        attach(fd(), Origin::Fresh);
        let reader = spawn_green(|| {
            assert_eq!(accept().unwrap(), 1);
        });
        let events = loom::thread::spawn(report_edges);
        let second = loom::thread::spawn(|| attach(fd(), Origin::Adopted));
        arrive();
        reader.join().unwrap();
        second.join().unwrap();
        close();
        events.join().unwrap();
    });
}

#[test]
fn who_waits_when_the_number_goes_to_another_file_is_told() {
    explore(3, || {
        attach(fd(), Origin::Fresh);
        let reader = spawn_green(|| {
            // Or it has come so late that it means the other file.
            if let Err(error) = accept() {
                assert_eq!(error.raw_os_error(), Some(libc::EBADF));
            }
        });
        let events = loom::thread::spawn(report_edges);
        replace();
        reader.join().unwrap();
        close();
        events.join().unwrap();
    });
}

//! The channels of the mirror under loom: all interleavings of a few threads.
//!
//! The sources of `mpsc` are compiled here a second time, with loom's atomics and `Arc` behind
//! `primitive`. Messages are loom's `Arc`s: their count tells if one is lost or dropped twice, and
//! loom tells if one is read before it has been written. A wait that nobody ends is a deadlock,
//! which loom reports.
//!
//! Time is not modelled: a wait with a deadline ends at once, so that a model with a deadline
//! tries the time out at each point where it can meet something else.

use std::sync::mpsc::{RecvTimeoutError, SendError, TryRecvError, TrySendError};
use std::time::Duration;

use loom::sync::Arc;
use loom::thread;

/// `std-shim`'s module of this name, made of loom.
mod primitive {
    /// Nobody looks.
    pub(crate) const SEEN: Option<(u64, u64)> = None;

    use std::time::Instant;

    pub(crate) use loom::sync::Arc;
    use loom::sync::atomic::Ordering::{Acquire, Relaxed, Release};
    pub(crate) use loom::sync::atomic::{AtomicIsize, AtomicPtr, AtomicU32, AtomicUsize};
    use loom::sync::{Condvar, Mutex};

    loom::lazy_static! {
        /// The addresses that are waited for, each with the number of its wait; and the last
        /// number given out.
        static ref WAITERS: Mutex<(Vec<(usize, usize)>, usize)> = Mutex::new((Vec::new(), 0));
        static ref WOKEN: Condvar = Condvar::new();
    }

    #[derive(PartialEq)]
    pub(crate) enum Wait {
        Changed,
        Woken,
        TimedOut,
    }

    pub(crate) enum WaitReason {
        Send,
        Channel,
    }

    pub(crate) fn wait(
        address: &AtomicU32,
        expected: u32,
        deadline: Option<Instant>,
        _: WaitReason,
    ) -> Wait {
        let mut waiters = WAITERS.lock().unwrap();
        if address.load(Relaxed) != expected {
            return Wait::Changed;
        }
        if deadline.is_some() {
            return Wait::TimedOut;
        }
        waiters.1 += 1;
        let number = waiters.1;
        waiters.0.push((std::ptr::from_ref(address).addr(), number));
        while waiters.0.iter().any(|waiter| waiter.1 == number) {
            waiters = WOKEN.wait(waiters).unwrap();
        }
        Wait::Woken
    }

    pub(crate) struct Sleeper(AtomicU32);

    impl Sleeper {
        pub(crate) fn new() -> Self {
            Self(AtomicU32::new(0))
        }

        pub(crate) fn as_ptr(&self) -> *const Self {
            self
        }

        pub(crate) fn sleep(&self, _: WaitReason) {
            // A wake-up may be meant for an earlier sleeper at this address.
            while self.0.load(Acquire) == 0 {
                wait(&self.0, 0, None, WaitReason::Channel);
            }
        }

        /// # Safety
        ///
        /// As of the runtime's.
        pub(crate) unsafe fn wake(this: *const Self) {
            // SAFETY: by contract; after the store the address alone is used.
            let word = unsafe { &raw const (*this).0 };
            // SAFETY: as above.
            unsafe { (*word).store(1, Release) };
            wake(word, 1);
        }
    }

    pub(crate) fn wake(address: *const AtomicU32, n: usize) {
        let mut waiters = WAITERS.lock().unwrap();
        for _ in 0..n {
            match waiters.0.iter().position(|waiter| waiter.0 == address.addr()) {
                Some(position) => drop(waiters.0.remove(position)),
                None => break,
            }
        }
        WOKEN.notify_all();
    }
}

#[path = "../../std-shim/src/sync/mpsc/mod.rs"]
#[allow(dead_code, unused_imports, unreachable_pub, reason = "it is compiled for what is modelled")]
mod mpsc;

/// Runs `model` in all interleavings in which threads are interrupted twice at most.
fn check(model: impl Fn() + Send + Sync + 'static) {
    check_interrupted(2, model);
}

/// Runs `model` in all interleavings in which threads are interrupted `n_max` times at most,
/// besides those at which they have to wait.
fn check_interrupted(n_max: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(n_max);
    builder.check(model);
}

/// A message whose copies can be counted.
fn message(n: usize) -> (Arc<usize>, Arc<usize>) {
    let message = Arc::new(n);
    (message.clone(), message)
}

/// Whether all copies of a message but this one are gone.
fn is_last(message: &Arc<usize>) -> bool {
    Arc::strong_count(message) == 1
}

#[test]
fn messages_of_two_senders_arrive_and_the_end_is_told() {
    check_interrupted(1, || {
        let (sender, receiver) = mpsc::channel();
        let threads = [1, 2].map(|n| {
            let sender = sender.clone();
            thread::spawn(move || sender.send(Arc::new(n)).unwrap())
        });
        drop(sender);
        assert_eq!(receiver.iter().map(|n| *n).sum::<usize>(), 3);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn messages_of_one_sender_arrive_in_order() {
    check(|| {
        let (sender, receiver) = mpsc::channel();
        let thread = thread::spawn(move || [1, 2, 3].map(|n| sender.send(n).unwrap()));
        assert!(receiver.iter().eq(1..=3));
        thread.join().unwrap();
    });
}

#[test]
fn the_last_sender_ends_the_wait() {
    check(|| {
        let (sender, receiver) = mpsc::channel::<()>();
        let other = sender.clone();
        let threads = [thread::spawn(|| drop(sender)), thread::spawn(|| drop(other))];
        assert!(receiver.recv().is_err());
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_message_is_dropped_or_given_back_when_the_receiver_goes() {
    check(|| {
        let (sender, receiver) = mpsc::channel();
        let (copy, sent) = message(1);
        let thread = thread::spawn(move || {
            drop(sender.send(sent));
            // The sender is still there, and so is the channel.
            sender
        });
        drop(receiver);
        let sender = thread.join().unwrap();
        assert!(is_last(&copy));
        drop(sender);
    });
}

#[test]
fn a_time_out_loses_no_message() {
    check(|| {
        let (sender, receiver) = mpsc::channel();
        let thread = thread::spawn(move || [1, 2].map(|n| sender.send(n).unwrap()));
        let mut next = 1;
        for _ in 0..2 {
            match receiver.recv_timeout(Duration::ZERO) {
                Ok(n) => {
                    assert_eq!(n, next);
                    next += 1;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => assert_eq!(next, 3),
            }
        }
        assert!(receiver.iter().eq(next..=2));
        thread.join().unwrap();
    });
}

#[test]
fn a_late_ring_does_not_end_the_wait_for_the_next_one() {
    check(|| {
        let (sender, receiver) = mpsc::channel();
        let other = sender.clone();
        // Two reasons to ring, the second of which may be the end.
        let threads =
            [thread::spawn(move || sender.send(1).unwrap()), thread::spawn(move || drop(other))];
        let early = receiver.recv_timeout(Duration::ZERO).unwrap_or(0);
        assert_eq!(early + receiver.recv().unwrap_or(0), 1);
        assert!(receiver.recv().is_err());
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn try_recv_finds_what_has_been_sent() {
    check(|| {
        let (sender, receiver) = mpsc::channel();
        let other = sender.clone();
        let thread = thread::spawn(move || other.send(1).unwrap());
        sender.send(2).unwrap();
        let first = receiver.try_recv().unwrap();
        thread.join().unwrap();
        assert_eq!(first + receiver.try_recv().unwrap(), 3);
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    });
}

#[test]
fn room_for_one_lets_two_senders_in_one_after_the_other() {
    check_interrupted(1, || {
        let (sender, receiver) = mpsc::sync_channel(1);
        let threads = [1, 2].map(|n| {
            let sender = sender.clone();
            thread::spawn(move || sender.send(Arc::new(n)).unwrap())
        });
        drop(sender);
        assert_eq!(*receiver.recv().unwrap() + *receiver.recv().unwrap(), 3);
        assert!(receiver.recv().is_err());
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

#[test]
fn a_stream_through_room_for_one_arrives_in_order() {
    check(|| {
        let (sender, receiver) = mpsc::sync_channel(1);
        let thread = thread::spawn(move || [1, 2, 3].map(|n| sender.send(n).unwrap()));
        assert!(receiver.iter().eq(1..=3));
        thread.join().unwrap();
    });
}

#[test]
fn senders_that_wait_for_room_are_sent_away() {
    check(|| {
        let (sender, receiver) = mpsc::sync_channel(1);
        let (copy, sent) = message(1);
        sender.send(sent).unwrap();
        let threads = [2, 3].map(|n| {
            let sender = sender.clone();
            thread::spawn(move || {
                let SendError(message) = sender.send(Arc::new(n)).unwrap_err();
                assert_eq!(*message, n);
            })
        });
        drop(receiver);
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(is_last(&copy));
    });
}

#[test]
fn try_send_gets_in_or_says_why_not() {
    check(|| {
        let (sender, receiver) = mpsc::sync_channel(1);
        sender.send(1).unwrap();
        let thread = thread::spawn(move || receiver.recv());
        match sender.try_send(2) {
            Ok(()) => {}
            Err(TrySendError::Full(2)) => {}
            Err(TrySendError::Disconnected(2)) => {
                assert_eq!(sender.try_send(2), Err(TrySendError::Disconnected(2)));
            }
            Err(_) => unreachable!(),
        }
        assert_eq!(thread.join().unwrap(), Ok(1));
        assert_eq!(sender.try_send(3), Err(TrySendError::Disconnected(3)));
    });
}

#[test]
fn a_rendezvous_ends_for_both() {
    check(|| {
        let (sender, receiver) = mpsc::sync_channel(0);
        let (copy, sent) = message(1);
        let thread = thread::spawn(move || sender.send(sent).unwrap());
        let received = receiver.recv().unwrap();
        thread.join().unwrap();
        assert!(!is_last(&copy));
        drop(received);
        assert!(is_last(&copy));
    });
}

#[test]
fn two_rendezvous_end_one_after_the_other() {
    check_interrupted(1, || {
        let (sender, receiver) = mpsc::sync_channel(0);
        let threads = [1, 2].map(|n| {
            let sender = sender.clone();
            thread::spawn(move || sender.send(Arc::new(n)).unwrap())
        });
        assert_eq!(*receiver.recv().unwrap() + *receiver.recv().unwrap(), 3);
        for thread in threads {
            thread.join().unwrap();
        }
        drop(sender);
        assert!(receiver.recv().is_err());
    });
}

#[test]
fn a_rendezvous_without_receiver_gives_the_message_back() {
    check(|| {
        let (sender, receiver) = mpsc::sync_channel(0);
        let (copy, sent) = message(1);
        let thread = thread::spawn(move || {
            let SendError(message) = sender.send(sent).unwrap_err();
            assert_eq!(*message, 1);
        });
        drop(receiver);
        thread.join().unwrap();
        assert!(is_last(&copy));
    });
}

#[test]
fn try_send_meets_a_receiver_that_waits_or_nobody() {
    check(|| {
        let (sender, receiver) = mpsc::sync_channel(0);
        let thread = thread::spawn(move || {
            let met = sender.try_send(1).is_ok();
            sender.send(2).unwrap();
            met
        });
        let first = receiver.recv().unwrap();
        let second = if first == 1 { receiver.recv().ok() } else { None };
        assert_eq!(thread.join().unwrap(), first == 1);
        assert!(first == 2 || second == Some(2));
    });
}

#[test]
fn try_send_that_met_a_receiver_is_received_even_at_a_time_out() {
    check(|| {
        let (sender, receiver) = mpsc::sync_channel(0);
        let thread = thread::spawn(move || sender.try_send(1).is_ok());
        let received = receiver.recv_timeout(Duration::ZERO).is_ok();
        assert_eq!(thread.join().unwrap(), received);
    });
}

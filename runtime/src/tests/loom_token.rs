//! `thread::token`: `park` takes what `unpark` gives.
//!
//! Fails if `give` does not wake, or is relaxed; if `take` does not acquire, or parks while the token
//! is there; if `take_queued` leaves QUEUED behind.

use std::ptr::NonNull;
use std::sync::Arc;

use loom::thread::JoinHandle;

use super::explore;
use super::machine::{Sent, clock, spawn_green};
use crate::current;
use crate::primitive::{AtomicU32, Ordering, UnsafeCell};
use crate::task::Header;
use crate::thread::token;
use crate::timer;

/// What two others have written for a green thread.
struct Shared {
    notes: [UnsafeCell<u32>; 2],
    flag: AtomicU32,
}

fn shared() -> Arc<Sent<Shared>> {
    let notes = [UnsafeCell::new(0), UnsafeCell::new(0)];
    Arc::new(Sent(Shared { notes, flag: AtomicU32::new(0) }))
}

impl Shared {
    fn give(&self, to: Sent<NonNull<Header>>, i: usize) {
        // SAFETY: the token hands it over.
        unsafe { *self.notes[i].get() = 1 };
        // SAFETY: the thread lasts until its givers have ended.
        token::give(unsafe { to.0.as_ref() });
    }

    fn saw(&self, i: usize) {
        // SAFETY: as above.
        assert_eq!(unsafe { *self.notes[i].get() }, 1);
    }
}

fn this() -> &'static Header {
    // SAFETY: whoever asks is the thread itself, and says it to givers that it waits for.
    unsafe { &*std::ptr::from_ref(current::green().expect("a green thread")) }
}

fn giver(shared: &Arc<Sent<Shared>>, i: usize) -> JoinHandle<()> {
    let (theirs, to) = (Arc::clone(shared), Sent(NonNull::from(this())));
    loom::thread::spawn(move || {
        theirs.0.flag.fetch_add(1, Ordering::Relaxed);
        theirs.0.give(to, i);
    })
}

#[test]
fn park_returns_with_what_unpark_gave() {
    explore(5, || {
        let thread = spawn_green(|| {
            let shared = shared();
            let giver = giver(&shared, 0);
            token::take(this());
            shared.0.saw(0);
            giver.join().unwrap();
        });
        thread.join().unwrap();
    });
}

#[test]
fn of_two_tokens_one_may_be_lost_and_nobody_is_left_parked() {
    explore(4, || {
        let thread = spawn_green(|| {
            let shared = shared();
            let givers = [0, 1].map(|i| giver(&shared, i));
            token::take(this());
            while shared.0.flag.load(Ordering::Relaxed) < 2 {
                token::take(this());
            }
            for giver in givers {
                giver.join().unwrap();
            }
        });
        thread.join().unwrap();
    });
}

#[test]
fn a_timed_park_leaves_the_word_ready_for_the_next() {
    explore(4, || {
        timer::begin(1);
        let thread = spawn_green(|| {
            let shared = shared();
            let first = giver(&shared, 0);
            token::take_queued(&this().token, Some(clock::at(super::DEADLINE_NS)));
            let second = giver(&shared, 1);
            // The first token may be here only now.
            while shared.0.flag.load(Ordering::Relaxed) < 2 {
                token::take(this());
            }
            first.join().unwrap();
            second.join().unwrap();
        });
        super::ring();
        thread.join().unwrap();
    });
}

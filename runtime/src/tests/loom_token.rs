//! `thread::token`: `park` takes what `unpark` gives.
//!
//! Fails if `give` does not wake, or is relaxed; if `take` does not acquire, or parks while the token
//! is there; if `take_until` leaves PARKED behind.

use std::sync::Arc;

use super::explore;
use super::machine::{Sent, clock, spawn_green};
use crate::primitive::{AtomicU32, Ordering, UnsafeCell};
use crate::thread::token;
use crate::timer;

/// A thread's word, and what two others have written for it.
struct Shared {
    word: AtomicU32,
    notes: [UnsafeCell<u32>; 2],
    flag: AtomicU32,
}

fn shared() -> Arc<Sent<Shared>> {
    let notes = [UnsafeCell::new(0), UnsafeCell::new(0)];
    Arc::new(Sent(Shared { word: AtomicU32::new(0), notes, flag: AtomicU32::new(0) }))
}

impl Shared {
    fn give(&self, i: usize) {
        // SAFETY: the token hands it over.
        unsafe { *self.notes[i].get() = 1 };
        token::give(&self.word);
    }

    fn saw(&self, i: usize) {
        // SAFETY: as above.
        assert_eq!(unsafe { *self.notes[i].get() }, 1);
    }
}

#[test]
fn park_returns_with_what_unpark_gave() {
    explore(4, || {
        let shared = shared();
        let theirs = Arc::clone(&shared);
        let thread = spawn_green(move || {
            token::take(&theirs.0.word);
            theirs.0.saw(0);
        });
        shared.0.give(0);
        thread.join().unwrap();
    });
}

#[test]
fn a_timed_park_leaves_the_word_ready_for_the_next() {
    explore(3, || {
        timer::init(1);
        let shared = shared();
        let theirs = Arc::clone(&shared);
        let thread = spawn_green(move || {
            token::take_until(&theirs.0.word, clock::at(super::DEADLINE_NS));
            let its = Arc::clone(&theirs);
            let giver = loom::thread::spawn(move || {
                its.0.flag.store(1, Ordering::Relaxed);
                its.0.give(1);
            });
            // The first token may be here only now.
            while theirs.0.flag.load(Ordering::Relaxed) == 0 {
                token::take(&theirs.0.word);
            }
            giver.join().unwrap();
        });
        let theirs = Arc::clone(&shared);
        let giver = loom::thread::spawn(move || theirs.0.give(0));
        super::ring();
        giver.join().unwrap();
        thread.join().unwrap();
    });
}

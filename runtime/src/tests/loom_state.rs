//! `task::state`: a task parks, and its wakers claim it.
//!
//! The task parks by `park::park_until` where it has one waker, by `park::park` where it has two;
//! its worker's part is the stand-in's. What is checked: the task
//! runs again; there is one right to run it; it sees what its wakers have written.
//!
//! Fails if `commit` parks a task that has been claimed, or is relaxed; if `claim` is relaxed, or
//! says so to whoever comes first; if `resume` is a plain store, or does not acquire; if a commit that fails does not acquire.

use std::ptr::NonNull;
use std::sync::Arc;

use super::explore;
use super::machine::{Sent, spawn_green};
use crate::current;
use crate::park::{WaitReason, call, park, park_until};
use crate::primitive::{AtomicU32, Ordering, UnsafeCell};

#[test]
fn a_parked_task_runs_again_and_sees_what_its_waker_wrote() {
    explore(6, || {
        let green = spawn_green(|| {
            let this = current::green().unwrap();
            let task = Sent(NonNull::from(this));
            let note = Arc::new(Sent(UnsafeCell::new(0)));
            let theirs = Arc::clone(&note);
            let waker = loom::thread::spawn(move || {
                // SAFETY: the claim hands it over.
                unsafe { *theirs.0.get() = 1 };
                // SAFETY: the one waker, once.
                unsafe { call({ task }.0) };
            });
            park_until(this, WaitReason::Park, || true);
            // SAFETY: as above.
            assert_eq!(unsafe { *note.0.get() }, 1);
            waker.join().unwrap();
        });
        green.join().unwrap();
    });
}

#[test]
fn of_two_wakers_one_gets_the_task_and_neither_is_lost() {
    explore(5, || {
        let green = spawn_green(|| {
            let this = current::green().unwrap();
            let task = Sent(NonNull::from(this));
            let words = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
            let wakers = [0, 1].map(|i| {
                let words = Arc::clone(&words);
                loom::thread::spawn(move || {
                    words[i].store(1, Ordering::Relaxed);
                    // SAFETY: the task waits until both have called.
                    unsafe { call({ task }.0) };
                })
            });
            // The claim orders the word, too.
            while words.iter().any(|word| word.load(Ordering::Relaxed) == 0) {
                park(this, WaitReason::Park);
            }
            for waker in wakers {
                waker.join().unwrap();
            }
        });
        green.join().unwrap();
    });
}

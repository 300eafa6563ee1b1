//! `thread::join`: the result is taken or dropped, once, and the joiner wakes.
//!
//! Fails if DONE or DETACHED is set by a relaxed operation, or by a load and a store; if the thread
//! does not wake who waits, or the joiner waits without saying so; if either drops the result
//! without a look at the other's word. With it goes `park::Sleeper`: fails if the joiner leaves it by
//! a relaxed operation, if a commit that fails does not acquire, or if the word of an OS thread is
//! marked by a relaxed store, or touched after it.

use std::ptr;
use std::sync::Arc;

use super::explore;
use super::machine::{Sent, spawn_green};
use crate::primitive::{AtomicPtr, UnsafeCell};
use crate::thread::join;

/// The word of a thread, and its result.
struct Task {
    word: AtomicPtr<()>,
    result: UnsafeCell<Option<()>>,
    n_dropped: UnsafeCell<u32>,
}

impl Task {
    fn new() -> Arc<Sent<Self>> {
        Arc::new(Sent(Self {
            word: AtomicPtr::new(ptr::null_mut()),
            result: UnsafeCell::new(None),
            n_dropped: UnsafeCell::new(0),
        }))
    }

    /// Drops the result, if there is one.
    fn drop_result(&self) {
        // SAFETY: what the models are about.
        unsafe {
            if (*self.result.get()).take().is_some() {
                *self.n_dropped.get() += 1;
            }
        }
    }

    /// The end of the thread, as in `thread::run`.
    fn end(&self) {
        // SAFETY: the result is the thread's own.
        unsafe { *self.result.get() = Some(()) };
        if join::is_detached(&self.word) {
            self.drop_result();
        }
        join::finish(&self.word, || self.drop_result());
    }

    /// `JoinHandle::drop`.
    fn drop_handle(&self) {
        if join::detach(&self.word) {
            self.drop_result();
        }
    }

    /// `JoinHandle::join`.
    fn join(&self) {
        join::wait_until_done(&self.word);
        // SAFETY: the result is the handle's.
        assert!(unsafe { (*self.result.get()).take() }.is_some());
        self.drop_handle();
    }

    /// SAFETY of the looks inside: everybody has ended.
    fn assert_dropped(&self, n: u32) {
        // SAFETY: as above.
        assert_eq!(unsafe { *self.n_dropped.get() }, n);
        // SAFETY: as above.
        assert!(unsafe { (*self.result.get()).is_none() });
    }
}

#[test]
fn a_green_joiner_gets_the_result() {
    explore(6, || {
        let task = Task::new();
        let (theirs, its) = (Arc::clone(&task), Arc::clone(&task));
        let joiner = spawn_green(move || its.0.join());
        let thread = spawn_green(move || theirs.0.end());
        thread.join().unwrap();
        joiner.join().unwrap();
        task.0.assert_dropped(0);
    });
}

#[test]
fn a_joining_os_thread_gets_the_result() {
    explore(5, || {
        let task = Task::new();
        let theirs = Arc::clone(&task);
        let thread = spawn_green(move || theirs.0.end());
        task.0.join();
        thread.join().unwrap();
        task.0.assert_dropped(0);
    });
}

#[test]
fn the_result_of_a_detached_thread_is_dropped_once() {
    explore(6, || {
        let task = Task::new();
        let theirs = Arc::clone(&task);
        let thread = spawn_green(move || theirs.0.end());
        task.0.drop_handle();
        thread.join().unwrap();
        task.0.assert_dropped(1);
    });
}

#[test]
fn who_sees_that_a_thread_has_ended_may_take_its_result() {
    explore(6, || {
        let task = Task::new();
        let theirs = Arc::clone(&task);
        let thread = spawn_green(move || theirs.0.end());
        if join::is_done(&task.0.word) {
            task.0.join();
        } else {
            task.0.drop_handle();
        }
        thread.join().unwrap();
    });
}

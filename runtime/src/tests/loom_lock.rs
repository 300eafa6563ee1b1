//! `lock`: one at a time, and nobody is left behind.
//!
//! Fails if `lock`, `lock_contended` or `Guard::drop` is relaxed; if `Guard::drop` wakes nobody; if a
//! contender that has been woken takes the lock as HELD rather than CONTENDED.

use std::sync::Arc;

use super::explore;
use crate::lock::Lock;

fn n_contenders_hold_the_lock_in_turn(n: u32, preemptions: usize) {
    explore(preemptions, move || {
        let lock = Arc::new(Lock::new(0));
        let threads: Vec<_> = (1..n)
            .map(|_| {
                let lock = Arc::clone(&lock);
                loom::thread::spawn(move || *lock.lock() += 1)
            })
            .collect();
        *lock.lock() += 1;
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(*lock.lock(), n);
    });
}

#[test]
fn two_contenders_hold_the_lock_in_turn() {
    n_contenders_hold_the_lock_in_turn(2, 6);
}

#[test]
fn three_contenders_hold_the_lock_in_turn() {
    n_contenders_hold_the_lock_in_turn(3, 5);
}

//! `park::wait` and `park::wake` on `park::wait_queue`, and the alarms of `timer`.
//!
//! What is checked: nobody waits for ever; a wake-up that counts somebody ends that one's wait; no
//! waker touches a waiter, an alarm or a task that has gone on (they are dropped by then).
//!
//! Fails if the word is compared before the bucket is locked; if `wake` claims before it marks; if a
//! wait with one waker looks before it parks; if a wait with two returns without either lock, or
//! does not settle; if an OS thread's waiter is marked by a relaxed store, or touched after it.

use std::sync::Arc;

use super::machine::{clock, spawn_green};
use super::{DEADLINE_NS, explore, ring};
use crate::park::{Wait, WaitReason, wait, wake};
use crate::primitive::{AtomicU32, Ordering};
use crate::timer;

/// Waits at the word until it is not zero.
fn wait_for(word: &AtomicU32) {
    while word.load(Ordering::Acquire) == 0 {
        wait(word, 0, None, WaitReason::Futex);
    }
}

/// Takes one from the word's count, as a semaphore does.
fn take_one(word: &AtomicU32) {
    loop {
        let now = word.load(Ordering::Relaxed);
        if now == 0 {
            wait(word, 0, None, WaitReason::Futex);
        } else if word.compare_exchange(now, now - 1, Ordering::Acquire, Ordering::Relaxed).is_ok()
        {
            return;
        }
    }
}

#[test]
fn a_green_thread_that_waits_is_woken() {
    explore(5, || {
        let word = Arc::new(AtomicU32::new(0));
        let theirs = Arc::clone(&word);
        let waiter = spawn_green(move || wait_for(&theirs));
        word.store(1, Ordering::Release);
        wake(&*word, 1);
        waiter.join().unwrap();
    });
}

#[test]
fn an_os_thread_that_waits_is_woken() {
    explore(5, || {
        let word = Arc::new(AtomicU32::new(0));
        let theirs = Arc::clone(&word);
        let waiter = loom::thread::spawn(move || wait_for(&theirs));
        word.store(1, Ordering::Release);
        wake(&*word, 1);
        waiter.join().unwrap();
    });
}

#[test]
fn one_wake_ends_the_waits_of_all() {
    explore(5, || {
        let word = Arc::new(AtomicU32::new(0));
        let (ours, theirs) = (Arc::clone(&word), Arc::clone(&word));
        let green = spawn_green(move || wait_for(&ours));
        let os = loom::thread::spawn(move || wait_for(&theirs));
        word.store(1, Ordering::Release);
        wake(&*word, usize::MAX);
        green.join().unwrap();
        os.join().unwrap();
    });
}

#[test]
fn two_wakers_wake_two_waiters() {
    explore(2, || {
        let word = Arc::new(AtomicU32::new(0));
        let waiters = [(); 2].map(|()| {
            let word = Arc::clone(&word);
            spawn_green(move || take_one(&word))
        });
        let theirs = Arc::clone(&word);
        let give_one = |word: &AtomicU32| {
            word.fetch_add(1, Ordering::Release);
            wake(word, 1);
        };
        let waker = loom::thread::spawn(move || give_one(&theirs));
        give_one(&word);
        waker.join().unwrap();
        for waiter in waiters {
            waiter.join().unwrap();
        }
    });
}

#[test]
fn an_alarm_that_races_a_wake_leaves_nothing_behind() {
    explore(5, || {
        timer::begin(1);
        let words = Arc::new([AtomicU32::new(0), AtomicU32::new(0)]);
        let result = Arc::new(std::sync::Mutex::new(Wait::Changed));
        let (theirs, its) = (Arc::clone(&words), Arc::clone(&result));
        let waiter = spawn_green(move || {
            let deadline = Some(clock::at(DEADLINE_NS));
            let result = wait(&theirs[0], 0, deadline, WaitReason::Futex);
            // With one waker, and no claim left over from the wait before.
            wait_for(&theirs[1]);
            *its.lock().unwrap() = result;
        });
        let timer = loom::thread::spawn(ring);
        words[0].store(1, Ordering::Release);
        let n_woken = wake(&words[0], 1);
        words[1].store(1, Ordering::Release);
        wake(&words[1], 1);
        timer.join().unwrap();
        waiter.join().unwrap();
        assert_eq!(n_woken == 1, *result.lock().unwrap() == Wait::Woken);
    });
}

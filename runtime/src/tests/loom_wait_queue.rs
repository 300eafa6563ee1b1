//! `park::wait` and `park::wake` on `park::wait_queue`, the alarms of `timer`, and what passes a lock on:
//! `park::wait_turn`, `park::pass_on` and `park::grant`.
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
use crate::park::{Turn, Wait, WaitReason, grant, pass_on, wait, wait_turn, wake};
use crate::primitive::UnsafeCell;
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

/// A lock that is passed on: 0 is free, 1 held.
struct Turns {
    word: AtomicU32,
    n: UnsafeCell<u32>,
}

// SAFETY: `n` is for who has the lock, which is what is modelled.
unsafe impl Sync for Turns {}
// SAFETY: as above.
unsafe impl Send for Turns {}

impl Turns {
    /// Held by the caller.
    fn new() -> Arc<Self> {
        Arc::new(Self { word: AtomicU32::new(1), n: UnsafeCell::new(0) })
    }

    fn lock(&self) {
        while self.word.swap(1, Ordering::Acquire) != 0 {
            if wait_turn(&self.word, 1, clock::at(0), WaitReason::Mutex) == Turn::Granted {
                return;
            }
        }
    }

    fn increment_and_unlock(&self) {
        // SAFETY: the caller has the lock.
        unsafe { *self.n.get() += 1 };
        pass_on(&self.word, 0, 1);
    }
}

#[test]
fn a_lock_that_is_passed_on_is_had_by_each() {
    for now_ns in [0, 2 * DEADLINE_NS] {
        explore(2, move || {
            clock::set_ns(now_ns);
            let turns = Turns::new();
            let (ours, theirs) = (Arc::clone(&turns), Arc::clone(&turns));
            let green = spawn_green(move || {
                ours.lock();
                ours.increment_and_unlock();
            });
            let os = loom::thread::spawn(move || {
                theirs.lock();
                theirs.increment_and_unlock();
            });
            turns.increment_and_unlock();
            turns.lock();
            turns.increment_and_unlock();
            green.join().unwrap();
            os.join().unwrap();
        });
    }
}

#[test]
fn a_grant_counts_those_who_have_it() {
    explore(3, || {
        let word = Arc::new(AtomicU32::new(0));
        let waiters = [(); 2].map(|()| {
            let word = Arc::clone(&word);
            move || {
                // Either granted one, or it takes one of what is left.
                let mut now = word.load(Ordering::Acquire);
                while now == 0 {
                    if wait_turn(&word, 0, clock::at(0), WaitReason::RwLock) == Turn::Granted {
                        word.fetch_add(10, Ordering::AcqRel);
                        return;
                    }
                    now = word.load(Ordering::Acquire);
                }
            }
        });
        let [first, second] = waiters;
        let green = spawn_green(first);
        let os = loom::thread::spawn(second);
        let ours = Arc::clone(&word);
        let n = grant(&*word, usize::MAX, &|n| {
            ours.store(1 + u32::try_from(n).unwrap(), Ordering::Release)
        });
        green.join().unwrap();
        os.join().unwrap();
        let n = u32::try_from(n).unwrap();
        assert_eq!(word.load(Ordering::Acquire), 1 + n + 10 * n);
    });
}

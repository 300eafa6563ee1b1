//! `park::interrupt`: a third party beside a list's waker and the timer.
//!
//! What is checked: whoever raises an interrupt ends the wait, or the next one; what it has written before
//! is found; a wake-up that counts somebody ends that one's wait; and nobody touches a waiter, an alarm or
//! a task that has gone on (the wait with one waker that follows would take a claim that is left for its
//! own).
//!
//! Fails if the thread opens before it is queued, or parks though it was raised; if it closes without
//! waiting for who is claiming, or these are not counted; if it does not settle; if any of the three goes without its barrier; if `raise` leaves the
//! word alone where RAISED is set already; if one that may leave is not marked as it is taken out, is told before it is
//! claimed, or returns before it is told.

use std::sync::Arc;

use super::machine::{clock, spawn_green};
use super::{DEADLINE_NS, explore, ring};
use crate::park::{
    Interrupt, LockWord, Turn, Wait, WaitReason, pass_on, wait, wait_interruptible,
    wait_turn_interruptible, wake,
};
use crate::primitive::{AtomicU32, Ordering};
use crate::timer;

struct Scene {
    interrupt: Interrupt,
    /// What is left for the thread before it is interrupted.
    signal: AtomicU32,
    /// What a second one leaves.
    other: AtomicU32,
    word: AtomicU32,
    next: AtomicU32,
}

impl Scene {
    fn new() -> Arc<Self> {
        let zero = || AtomicU32::new(0);
        let interrupt = Interrupt::new();
        Arc::new(Self { interrupt, signal: zero(), other: zero(), word: zero(), next: zero() })
    }

    fn interrupt(&self) {
        self.signal.store(1, Ordering::Relaxed);
        self.interrupt.raise();
    }

    /// A wait with one waker, and no claim left over from the wait before.
    fn wait_for_next(&self) {
        while self.next.load(Ordering::Acquire) == 0 {
            wait(&self.next, 0, None, WaitReason::Futex);
        }
    }

    fn let_go_on(&self) {
        self.next.store(1, Ordering::Release);
        wake(&self.next, 1);
    }

    /// What a thread finds that has been interrupted.
    fn take(&self) {
        assert!(self.interrupt.take());
        assert_eq!(self.signal.load(Ordering::Relaxed), 1);
    }
}

#[test]
fn an_interrupt_ends_the_wait_or_the_next_one() {
    explore(5, || {
        let scene = Scene::new();
        let theirs = Arc::clone(&scene);
        let green = spawn_green(move || {
            let ended =
                wait_interruptible(&theirs.word, 0, None, WaitReason::Futex, &theirs.interrupt);
            assert_eq!(ended, Wait::Interrupted);
            theirs.take();
            theirs.wait_for_next();
        });
        scene.interrupt();
        scene.let_go_on();
        green.join().unwrap();
    });
}

#[test]
fn an_interrupt_that_races_a_wake_and_an_alarm_leaves_nothing_behind() {
    explore(2, || {
        timer::begin(1);
        let scene = Scene::new();
        let (theirs, its) = (Arc::clone(&scene), Arc::clone(&scene));
        let ended = Arc::new(std::sync::Mutex::new(Wait::Changed));
        let result = Arc::clone(&ended);
        let green = spawn_green(move || {
            let deadline = Some(clock::at(DEADLINE_NS));
            let (word, interrupt) = (&theirs.word, &theirs.interrupt);
            *result.lock().unwrap() =
                wait_interruptible(word, 0, deadline, WaitReason::Futex, interrupt);
            theirs.wait_for_next();
        });
        let third = loom::thread::spawn(move || {
            its.interrupt();
            ring();
        });
        scene.word.store(1, Ordering::Release);
        let n_woken = wake(&scene.word, 1);
        scene.let_go_on();
        third.join().unwrap();
        green.join().unwrap();
        assert_eq!(n_woken == 1, *ended.lock().unwrap() == Wait::Woken);
        scene.take();
    });
}

#[test]
fn what_two_leave_is_found_by_one_look() {
    explore(2, || {
        let scene = Scene::new();
        let (theirs, its) = (Arc::clone(&scene), Arc::clone(&scene));
        let green = spawn_green(move || {
            // Each leaves a bit, and then interrupts. The thread takes what comes before it waits, too: who has raised
            // that may still be about to claim it when the wait begins.
            loop {
                theirs.interrupt.take();
                let other = theirs.other.load(Ordering::Relaxed) == 1;
                if other && theirs.signal.load(Ordering::Relaxed) == 1 {
                    break;
                }
                let word = &theirs.word;
                wait_interruptible(word, 0, None, WaitReason::Futex, &theirs.interrupt);
            }
            // Neither is about to claim it any more, nor who has raised before the last wait.
            theirs.wait_for_next();
        });
        let other = loom::thread::spawn(move || {
            its.other.store(1, Ordering::Relaxed);
            its.interrupt.raise();
        });
        scene.interrupt();
        scene.let_go_on();
        other.join().unwrap();
        green.join().unwrap();
    });
}

#[test]
fn who_leaves_its_turn_has_it_or_not() {
    for now_ns in [0, 2 * DEADLINE_NS] {
        explore(3, move || {
            clock::set_ns(now_ns);
            let scene = Scene::new();
            scene.word.store(1, Ordering::Relaxed);
            let (theirs, its) = (Arc::clone(&scene), Arc::clone(&scene));
            let green = spawn_green(move || {
                let (word, interrupt) = (&theirs.word, Some(&theirs.interrupt));
                let mut has_it = false;
                while !has_it && word.swap(1, Ordering::Acquire) != 0 {
                    let since = clock::at(0);
                    let (at, why) = (LockWord::from(word), WaitReason::Mutex);
                    let turn = wait_turn_interruptible(at, 1, since, None, why, interrupt);
                    has_it = turn == Turn::Granted;
                    if turn == Turn::Interrupted {
                        theirs.take();
                    }
                }
                theirs.wait_for_next();
            });
            let third = loom::thread::spawn(move || its.interrupt());
            pass_on(&scene.word, 0, 1);
            scene.let_go_on();
            third.join().unwrap();
            green.join().unwrap();
            assert_eq!(scene.word.load(Ordering::Relaxed), 1);
        });
    }
}

#[test]
fn whose_time_is_over_has_its_turn_or_not() {
    explore(2, || {
        timer::begin(1);
        let scene = Scene::new();
        scene.word.store(1, Ordering::Relaxed);
        let theirs = Arc::clone(&scene);
        let has_it = Arc::new(std::sync::Mutex::new(false));
        let result = Arc::clone(&has_it);
        let green = spawn_green(move || {
            let (word, interrupt) = (&theirs.word, Some(&theirs.interrupt));
            let deadline = Some(clock::at(DEADLINE_NS));
            let has_it = loop {
                if word.swap(1, Ordering::Acquire) == 0 {
                    break true;
                }
                let since = clock::at(0);
                let (at, why) = (LockWord::from(word), WaitReason::Mutex);
                match wait_turn_interruptible(at, 1, since, deadline, why, interrupt) {
                    Turn::Granted => break true,
                    Turn::TimedOut => break false,
                    _ => {}
                }
            };
            *result.lock().unwrap() = has_it;
            theirs.wait_for_next();
        });
        let timer = loom::thread::spawn(ring);
        pass_on(&scene.word, 0, 1);
        scene.let_go_on();
        timer.join().unwrap();
        green.join().unwrap();
        assert_eq!(scene.word.load(Ordering::Relaxed) == 1, *has_it.lock().unwrap());
    });
}

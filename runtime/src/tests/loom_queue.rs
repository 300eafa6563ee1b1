//! `scheduler::queue`: an owner and thieves, each task exactly once.
//!
//! The ring has four slots here, and the models begin in its middle. Whoever gets a task touches a
//! cell of it, which is a race if two do, or if the task's contents have not come with it.
//!
//! Fails if a store of `tail`, the thief's load of it, or the exchange of `head` in `pop` is relaxed;
//! if `pop` advances `head` by a store; if a thief takes what it has read after `head` has moved; if `push` fills five slots.

use std::ptr::NonNull;
use std::sync::Arc;

use super::explore;
use super::machine::{Sent, new_header};
use crate::scheduler::queue::Queue;
use crate::task::{Header, Runnable};

/// The place of a task's number in its `bottom`, above how often it was taken.
const NUMBER: usize = 1 << 8;

/// Tasks that nobody runs, each with its number, and how often it was taken.
pub(super) struct Tasks(Vec<Header>);

impl Tasks {
    pub(super) fn new(n: usize) -> Self {
        Self((0..n).map(|_| new_header()).collect())
    }

    /// The right to run a task, given once.
    pub(super) fn make(&self, i: usize) -> Runnable {
        let task = &self.0[i];
        task.bottom.set(i * NUMBER);
        // SAFETY: made here, once.
        unsafe { Runnable::from_raw(NonNull::from(task)) }
    }

    pub(super) fn assert_each_was_taken_once(&self) {
        for (i, task) in self.0.iter().enumerate() {
            assert_eq!(task.bottom.get(), i * NUMBER + 1, "task {i}");
        }
    }
}

/// Somebody has got a task.
pub(super) fn taken(task: Runnable) {
    task.bottom.set(task.bottom.get() + 1);
}

/// A queue whose first slots have been used.
fn begun() -> Queue {
    let queue = Queue::new(2);
    let tasks = Tasks::new(1);
    for _ in 0..3 {
        // SAFETY: nobody else knows of the queue.
        unsafe {
            queue.push(tasks.make(0)).unwrap();
            let _ = queue.pop().unwrap();
        }
    }
    queue
}

fn drain(queue: &Queue) {
    // SAFETY: the caller owns the queue.
    while let Some(task) = unsafe { queue.pop() } {
        taken(task);
    }
}

/// What a thief does with a queue of its own.
fn steal(queue: &Queue, mine: &Queue) {
    // SAFETY: the thread owns `mine`, which is empty.
    if let Some(task) = unsafe { queue.steal_into(mine) } {
        taken(task);
    }
    drain(mine);
}

#[test]
fn an_owner_and_a_thief_share_the_tasks() {
    explore(5, || {
        let queue = Arc::new(Sent(begun()));
        let tasks = Arc::new(Tasks::new(4));
        let theirs = Arc::clone(&queue);
        let thief = loom::thread::spawn(move || steal(&theirs.0, &Queue::new(2)));
        for i in 0..4 {
            // SAFETY: this thread owns the queue.
            unsafe { queue.0.push(tasks.make(i)) }.unwrap();
            if i == 1 {
                // SAFETY: as above.
                unsafe { queue.0.pop() }.into_iter().for_each(taken);
            }
        }
        drain(&queue.0);
        thief.join().unwrap();
        tasks.assert_each_was_taken_once();
    });
}

#[test]
fn a_full_ring_takes_no_more_until_somebody_has_stolen() {
    explore(5, || {
        let queue = Arc::new(Sent(begun()));
        let tasks = Arc::new(Tasks::new(6));
        for i in 0..4 {
            // SAFETY: this thread owns the queue.
            unsafe { queue.0.push(tasks.make(i)) }.unwrap();
        }
        let theirs = Arc::clone(&queue);
        let thief = loom::thread::spawn(move || steal(&theirs.0, &Queue::new(2)));
        for i in 4..6 {
            // SAFETY: as above.
            if let Err(task) = unsafe { queue.0.push(tasks.make(i)) } {
                taken(task);
            }
        }
        drain(&queue.0);
        thief.join().unwrap();
        tasks.assert_each_was_taken_once();
    });
}

#[test]
fn two_thieves_get_different_tasks() {
    explore(5, || {
        let queue = Arc::new(Sent(begun()));
        let tasks = Arc::new(Tasks::new(4));
        for i in 0..3 {
            // SAFETY: this thread owns the queue.
            unsafe { queue.0.push(tasks.make(i)) }.unwrap();
        }
        let thieves = [(); 2].map(|()| {
            let queue = Arc::clone(&queue);
            loom::thread::spawn(move || steal(&queue.0, &Queue::new(2)))
        });
        // SAFETY: as above.
        unsafe { queue.0.push(tasks.make(3)) }.unwrap();
        drain(&queue.0);
        for thief in thieves {
            thief.join().unwrap();
        }
        tasks.assert_each_was_taken_once();
    });
}

#[test]
fn a_thief_is_robbed() {
    explore(5, || {
        let queue = Arc::new(Sent(begun()));
        let loot = Arc::new(Sent(begun()));
        let tasks = Arc::new(Tasks::new(4));
        let (from, into) = (Arc::clone(&queue), Arc::clone(&loot));
        let thief = loom::thread::spawn(move || steal(&from.0, &into.0));
        let from = Arc::clone(&loot);
        let robber = loom::thread::spawn(move || steal(&from.0, &Queue::new(2)));
        for i in 0..4 {
            // SAFETY: this thread owns the queue.
            unsafe { queue.0.push(tasks.make(i)) }.unwrap();
        }
        drain(&queue.0);
        thief.join().unwrap();
        robber.join().unwrap();
        tasks.assert_each_was_taken_once();
    });
}

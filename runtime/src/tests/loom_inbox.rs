//! `scheduler::inbox`: pushers and takers, each task exactly once.
//!
//! Fails if the exchange in `push` is relaxed, or a store; if `take_all` takes by a load and a store,
//! or does not acquire.

use std::sync::Arc;

use super::explore;
use super::loom_queue::{Tasks, taken};
use crate::scheduler::inbox::Inbox;

fn take_all(inbox: &Inbox) {
    let (youngest, older) = inbox.take_all();
    youngest.into_iter().for_each(taken);
    older.for_each(taken);
}

fn pushers_and_takers(n_takers: usize, preemptions: usize) {
    explore(preemptions, move || {
        let inbox = Arc::new(Inbox::new());
        let tasks = Arc::new(super::machine::Sent(Tasks::new(3)));
        let (theirs, its) = (Arc::clone(&inbox), Arc::clone(&tasks));
        let pusher = loom::thread::spawn(move || {
            theirs.push(its.0.make(2));
        });
        let takers: Vec<_> = (0..n_takers)
            .map(|_| {
                let inbox = Arc::clone(&inbox);
                loom::thread::spawn(move || take_all(&inbox))
            })
            .collect();
        inbox.push(tasks.0.make(0));
        inbox.push(tasks.0.make(1));
        pusher.join().unwrap();
        for taker in takers {
            taker.join().unwrap();
        }
        take_all(&inbox);
        tasks.0.assert_each_was_taken_once();
    });
}

#[test]
fn two_pushers_and_a_taker() {
    pushers_and_takers(1, 5);
}

#[test]
fn two_pushers_and_two_takers() {
    pushers_and_takers(2, 4);
}

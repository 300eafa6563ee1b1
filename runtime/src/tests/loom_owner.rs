//! `scheduler::owner`: a worker and a monitor agree on who has the core.
//!
//! Whoever has the core touches its local part, which is a race if two do. At the end exactly one
//! has it.
//!
//! Fails if `stop`, `begin_blocking` or `end_blocking` succeeds without a look at the word, or by
//! the state alone, without the epoch; if `take` is relaxed, or `run` is; if `take` takes what it
//! has not seen.

use std::sync::Arc;

use super::explore;
use super::machine::Sent;
use crate::primitive::UnsafeCell;
use crate::scheduler::owner::Owner;

struct Core {
    owner: Owner,
    /// How often it was touched.
    local: UnsafeCell<u32>,
}

impl Core {
    fn new() -> Arc<Sent<Self>> {
        Arc::new(Sent(Self { owner: Owner::new(), local: UnsafeCell::new(0) }))
    }

    /// Who has the core does something with it between runs.
    fn touch(&self) -> u32 {
        // SAFETY: what the models are about.
        let local = unsafe { &mut *self.local.get() };
        *local += 1;
        *local
    }

    /// Looks once, and takes the core from the run that it sees, if any: what a monitor and the
    /// spare that it gives the core to do. Whether it has the core now.
    fn look_and_take(&self) -> bool {
        let seen = self.owner.look();
        if !(seen.is_running() || seen.is_blocking()) || !self.owner.take(seen) {
            return false;
        }
        self.owner.adopt();
        self.touch();
        true
    }

    /// Runs one task; whether the core is still there.
    fn run(&self) -> bool {
        self.touch();
        let epoch = self.owner.run();
        self.owner.stop(epoch) && self.touch() > 0
    }

    /// Runs one task with a blocking section; whether the core is still there.
    fn run_and_block(&self) -> bool {
        self.touch();
        let epoch = self.owner.run();
        let kept = self.owner.begin_blocking(epoch) && self.owner.end_blocking(epoch);
        // A task that has lost the core goes on as if it had it, until its next switch.
        let kept_to_the_end = self.owner.stop(epoch);
        assert!(kept || !kept_to_the_end, "the core came back");
        kept_to_the_end && self.touch() > 0
    }
}

/// A worker and `n_takers` monitors.
fn one_owner(n_takers: usize, preemptions: usize, work: fn(&Core) -> bool) {
    explore(preemptions, move || {
        let core = Core::new();
        let takers: Vec<_> = (0..n_takers)
            .map(|_| {
                let core = Arc::clone(&core);
                loom::thread::spawn(move || core.0.look_and_take())
            })
            .collect();
        let kept = work(&core.0);
        let n_taken = takers.into_iter().filter(|_| true).map(|t| t.join().unwrap());
        let n_taken = n_taken.filter(|taken| *taken).count();
        assert_eq!(n_taken, usize::from(!kept));
    });
}

#[test]
fn a_core_is_kept_or_taken() {
    one_owner(1, 5, |core| core.run() && core.run());
}

#[test]
fn a_core_is_kept_or_taken_around_a_blocking_section() {
    one_owner(1, 5, |core| core.run_and_block() && core.run());
}

#[test]
fn of_two_takers_one_gets_the_core() {
    one_owner(2, 4, |core| core.run_and_block() && core.run());
}

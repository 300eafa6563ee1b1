//! `task::lease` and `scheduler::owner`: a worker and a monitor agree on who has the core.
//!
//! Whoever has the core touches its local part, which is a race if two do. At the end exactly one
//! has it.
//!
//! Fails if either side goes without its barrier, or looks before it stores; if a worker that finds a
//! claim keeps its core without a compare-exchange; if a worker releases its core without asking its
//! owner; if a taker goes by what it has seen without another look; if the store of the worker's word
//! is relaxed; if `revoke` leaves the lease with the core while it revokes it.

use std::sync::Arc;

use super::explore;
use super::machine::Sent;
use crate::primitive::UnsafeCell;
use crate::scheduler::owner::Owner;
use crate::task::lease::Lease;

struct Core {
    owner: Owner,
    /// How often it was touched.
    local: UnsafeCell<u32>,
}

/// Outlives the execution that loom tries, as a worker's lease outlives the worker.
fn new_lease() -> &'static Lease {
    Box::leak(Box::new(Lease::new()))
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
        let Some(seen) = self.owner.look() else { return false };
        if seen.doing.is_scheduling() || !self.owner.revoke(seen) {
            return false;
        }
        self.owner.adopt(new_lease());
        self.touch();
        true
    }

    /// Runs one task; whether the core is still there.
    fn run(&self, lease: &Lease) -> bool {
        self.touch();
        lease.run();
        lease.stop() && self.touch() > 0
    }

    /// Runs one task that releases its core in a blocking section, if it has it there; whether the core
    /// has stayed on this side, with the worker or the one that it gives it to.
    fn run_and_release(&self, lease: &Lease) -> bool {
        self.touch();
        lease.run();
        let mut released = false;
        if lease.begin_section() == Some(true) {
            released = self.owner.release(lease);
            if released {
                self.owner.adopt(new_lease());
                self.touch();
            }
            let kept = lease.end_section();
            assert!(!(released && kept), "it was released");
        }
        let kept_to_the_end = lease.stop();
        assert!(!(released && kept_to_the_end), "it was released");
        released || kept_to_the_end && self.touch() > 0
    }

    /// Runs one task that releases its core, finds nobody who could have it, and takes it back; whether
    /// the core is still there.
    fn run_and_take_back(&self, lease: &'static Lease) -> bool {
        self.touch();
        lease.run();
        if lease.begin_section() == Some(true) {
            if self.owner.release(lease) {
                assert!(lease.is_revoked());
                self.touch();
                self.owner.take_back(lease);
            }
            let _ = lease.end_section();
        }
        lease.stop() && self.touch() > 0
    }

    /// Runs one task with a blocking section; whether the core is still there.
    fn run_and_block(&self, lease: &Lease) -> bool {
        self.touch();
        lease.run();
        let kept = lease.begin_section() == Some(true) && lease.end_section();
        // A task that has lost the core goes on as if it had it, until its next switch.
        let kept_to_the_end = lease.stop();
        assert!(kept || !kept_to_the_end, "the core came back");
        kept_to_the_end && self.touch() > 0
    }
}

/// A worker and `n_takers` monitors.
fn one_owner(n_takers: usize, preemptions: usize, work: fn(&Core, &'static Lease) -> bool) {
    explore(preemptions, move || {
        let (core, lease) = (Core::new(), new_lease());
        core.0.owner.adopt(lease);
        let takers: Vec<_> = (0..n_takers)
            .map(|_| {
                let core = Arc::clone(&core);
                loom::thread::spawn(move || core.0.look_and_take())
            })
            .collect();
        let kept = work(&core.0, lease);
        let n_taken = takers.into_iter().map(|taker| taker.join().unwrap());
        assert_eq!(n_taken.filter(|taken| *taken).count(), usize::from(!kept));
    });
}

#[test]
fn a_core_is_kept_or_taken() {
    one_owner(1, 6, |core, lease| core.run(lease) && core.run(lease));
}

#[test]
fn a_core_is_kept_or_taken_around_a_blocking_section() {
    one_owner(1, 6, |core, lease| core.run_and_block(lease) && core.run(lease));
}

#[test]
fn a_core_that_is_released_is_taken_by_nobody_else() {
    one_owner(1, 6, |core, lease| core.run_and_release(lease));
    one_owner(2, 4, |core, lease| core.run_and_release(lease));
}

#[test]
fn a_core_that_is_taken_back_may_be_taken_again() {
    one_owner(1, 6, |core, lease| core.run_and_take_back(lease) && core.run(lease));
    one_owner(2, 3, |core, lease| core.run_and_take_back(lease));
}

#[test]
fn of_two_takers_one_gets_the_core() {
    one_owner(2, 3, |core, lease| core.run_and_block(lease) && core.run(lease));
}

/// A worker that has lost its core may get another one at once, by the same lease: whoever takes that
/// one leaves the first alone.
#[test]
fn a_lease_that_was_lost_serves_for_another_core() {
    explore(4, || {
        let (first, second, lease) = (Core::new(), Core::new(), new_lease());
        first.0.owner.adopt(lease);
        let cores = [Arc::clone(&first), Arc::clone(&second)];
        // Two, so that one may be in the middle of taking the first core when the other one looks.
        let takers = [0, 1].map(|_| {
            let cores = cores.clone();
            loom::thread::spawn(move || cores.map(|core| core.0.look_and_take()))
        });
        let mut kept = [first.0.run(lease), false];
        if !kept[0] {
            second.0.owner.adopt(lease);
            kept[1] = second.0.run(lease);
        }
        let taken = takers.map(|taker| taker.join().unwrap());
        let n_taken = |core: usize| taken.iter().filter(|taken| taken[core]).count();
        assert_eq!(n_taken(0), usize::from(!kept[0]));
        assert_eq!(n_taken(1), usize::from(!kept[0] && !kept[1]));
    });
}

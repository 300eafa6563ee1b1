//! `scheduler::pace`: the monitor slows down, and misses nothing.
//!
//! Time does not pass here, so a monitor that misses what it waits for waits for ever.
//!
//! Fails if the monitor looks before it writes the pace; if a section or a wake-up does not look at
//! the pace, or looks before it changes the core's state; if either side goes without its barrier, or
//! any of the four of a wake-up is not sequentially consistent.

use std::sync::Arc;

use super::explore;
use super::machine::Sent;
use crate::scheduler::idle::{Asleep, Idle};
use crate::scheduler::owner::Owner;
use crate::scheduler::pace::{Pace, Slow};
use crate::sys::barrier;
use crate::task::lease::Lease;

#[test]
fn a_blocking_section_is_not_missed() {
    explore(6, || {
        let lease: &Lease = Box::leak(Box::new(Lease::new()));
        let shared = Arc::new((Pace::new(), Owner::new()));
        shared.1.adopt(lease);
        let theirs = Arc::clone(&shared);
        let monitor = loom::thread::spawn(move || {
            let (pace, owner) = &*theirs;
            while !owner.blocks() {
                pace.slow_down(Slow::Slow, None, || {
                    let _ = barrier::heavy();
                    owner.blocks()
                });
            }
        });
        lease.run();
        assert!(lease.begin_section() == Some(true));
        shared.0.on_blocking();
        monitor.join().unwrap();
    });
}

#[test]
fn a_core_that_wakes_up_is_not_missed() {
    explore(6, || {
        let shared = Arc::new(Sent((Pace::new(), Idle::new(1), Asleep::new())));
        let (pace, idle, asleep) = &shared.0;
        let mut monitor = None;
        let _ = idle.sleep(
            0,
            asleep,
            false,
            |_| false,
            || {
                let theirs = Arc::clone(&shared);
                monitor = Some(loom::thread::spawn(move || {
                    let (pace, idle, _) = &theirs.0;
                    while idle.all_sleep() {
                        pace.slow_down(Slow::Parked, None, || !idle.all_sleep());
                    }
                }));
            },
        );
        pace.on_wake();
        monitor.unwrap().join().unwrap();
    });
}

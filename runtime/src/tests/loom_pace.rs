//! `scheduler::pace`: the monitor slows down, and misses nothing.
//!
//! Time does not pass here, so a monitor that misses what it waits for waits for ever.
//!
//! Fails if the monitor looks before it writes the pace; if a section or a wake-up does not look at
//! the pace, or looks before it changes the core's state; if either side goes without its barrier, or
//! any of the four of a wake-up is not sequentially consistent.

use std::sync::Arc;
use std::time::Duration;

use super::explore;
use super::machine::Sent;
use crate::scheduler::idle::{Asleep, Idle};
use crate::scheduler::owner::Owner;
use crate::scheduler::pace::Pace;
use crate::sys::barrier;
use crate::task::lease::Lease;

fn wake_up(pace: &Pace) {
    pace.on_wake(|| pace.call(0, Duration::ZERO));
}

/// A core that has nothing to do sleeps until `wait` returns.
fn sleep(idle: &Idle, core: usize, asleep: &Asleep, wait: impl FnOnce()) {
    let _ = idle.sleep(core, asleep, false, |_| false, wait);
}

/// The monitor, until a core is awake.
fn park(pace: &Pace, idle: &Idle) {
    while idle.all_sleep() {
        pace.park(None, || !idle.all_sleep());
    }
}

/// The monitor, until a core is in a section.
fn slow_down(pace: &Pace, owner: &Owner) {
    while !owner.blocks() {
        pace.slow_down(None, || {
            let _ = barrier::heavy();
            owner.blocks()
        });
    }
}

#[test]
fn a_blocking_section_is_not_missed() {
    explore(6, || {
        let lease: &Lease = Box::leak(Box::new(Lease::new()));
        let shared = Arc::new((Pace::new(), Owner::new()));
        shared.1.adopt(lease);
        let theirs = Arc::clone(&shared);
        let monitor = loom::thread::spawn(move || slow_down(&theirs.0, &theirs.1));
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
        sleep(idle, 0, asleep, || {
            let theirs = Arc::clone(&shared);
            monitor = Some(loom::thread::spawn(move || park(&theirs.0.0, &theirs.0.1)));
        });
        wake_up(pace);
        monitor.unwrap().join().unwrap();
    });
}

#[test]
fn a_section_of_a_core_that_has_woken_up_is_not_missed() {
    explore(6, || {
        let lease: &Lease = Box::leak(Box::new(Lease::new()));
        let shared = Arc::new(Sent((Pace::new(), Idle::new(1), Asleep::new(), Owner::new())));
        let (pace, idle, asleep, owner) = &shared.0;
        owner.adopt(lease);
        let mut monitor = None;
        sleep(idle, 0, asleep, || {
            let theirs = Arc::clone(&shared);
            monitor = Some(loom::thread::spawn(move || {
                let (pace, idle, _, owner) = &theirs.0;
                park(pace, idle);
                slow_down(pace, owner);
            }));
        });
        wake_up(pace);
        lease.run();
        assert!(lease.begin_section() == Some(true));
        pace.on_blocking();
        monitor.unwrap().join().unwrap();
    });
}

#[test]
fn a_core_that_wakes_up_while_another_withdraws_the_call_is_not_missed() {
    explore(4, || {
        let shared = Arc::new(Sent((Pace::new(), Idle::new(2), [Asleep::new(), Asleep::new()])));
        let (pace, idle, asleep) = &shared.0;
        let mut others = None;
        // The first core sleeps, wakes up, and sleeps again until the monitor has found the second one awake.
        sleep(idle, 0, &asleep[0], || {
            let (second, theirs) = (Arc::clone(&shared), Arc::clone(&shared));
            let second = loom::thread::spawn(move || {
                let (pace, idle, asleep) = &second.0;
                sleep(idle, 1, &asleep[1], || ());
                wake_up(pace);
            });
            let monitor = loom::thread::spawn(move || park(&theirs.0.0, &theirs.0.1));
            others = Some((second, monitor));
        });
        wake_up(pace);
        sleep(idle, 0, &asleep[0], || {
            pace.on_sleep(|| pace.withdraw(|| idle.all_sleep()));
            let (second, monitor) = others.take().unwrap();
            second.join().unwrap();
            monitor.join().unwrap();
        });
    });
}

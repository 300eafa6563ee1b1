//! Models of the lock-free protocols: loom runs each of them in every interleaving that a few
//! preemptions make, and reads every value that the memory model allows.
//!
//! Here are the runtime's own modules on a stand-in for what they stand on (`machine`): green
//! threads are loom's threads, the kernel's futex and event loop a few lines, and time goes on when
//! a model says so. A lost wake-up is a deadlock, which loom finds; a missing order is a data race
//! in a tracked cell, or a touch of what has been dropped (`atomic`).
//!
//! Each file says what its models are meant to find.

pub(crate) mod atomic;
pub(crate) mod cell;
pub(crate) mod machine;
#[cfg(target_os = "linux")]
mod stacks;

mod loom_dress;
mod loom_idle;
mod loom_inbox;
mod loom_interrupt;
mod loom_join;
mod loom_lease;
mod loom_lock;
mod loom_pace;
mod loom_queue;
mod loom_readiness;
mod loom_relay;
mod loom_state;
mod loom_token;
mod loom_wait_queue;

use loom::model::Builder;

use crate::task::list::List;
use machine::clock;

/// When the models' alarms ring at the earliest.
const DEADLINE_NS: u64 = 1 << 20;

/// Tries the executions of `model` with up to this many preemptions.
fn explore(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.check(model);
}

/// A core looks at its deadlines at that time.
fn ring_at(now_ns: u64) {
    clock::set_ns(now_ns);
    let mut due = List::new();
    machine::reactor::ring(now_ns, &mut due);
    for task in due {
        task.schedule();
    }
}

/// A core looks at its deadlines when the models' alarms are due.
fn ring() {
    ring_at(2 * DEADLINE_NS);
}

//! What the mirror and the layer of libc need of the runtime, beyond what programs call.
//!
//! It is between packages that go together: `std-shim`, `sylvan-posix` and what stands on them name the one
//! release of `sylvan` that they were built with (`=`), and what is here changes with any release. No
//! program calls it: its own interface is the crate's root and [`thread`](crate::thread).

pub use crate::local_pointer;
pub use crate::owners::{forget_owner, forget_scope, note_owner, note_scope, notes_owners};
pub use crate::panic::install_panic_hook;
pub use crate::park::{
    Interrupt, LockWord, Sleeper, Turn, grant, overdue, pass_on, sleep_interruptible,
    wait_interruptible, wait_turn, wait_turn_interruptible,
};
pub use crate::poll::poll_by;
pub use crate::scheduler::{is_pressed, step_aside};
pub use crate::single_flight::SingleFlight;
#[cfg(any(target_os = "linux", target_os = "android"))]
pub use crate::sys::kernel::enter as enter_kernel;
pub use crate::sys::poller::watch_exit;
pub use crate::throttle::Throttle;
pub use sylvan_sight::owners::WRITTEN;

/// What those who look at a channel of the mirror's count upon.
pub mod channels {
    pub use sylvan_sight::channels::{PARKED, SENDERS_AT};
}

/// What those who look from outside count upon where a thread waits.
pub mod shown {
    pub use sylvan_sight::details::{Awaited, Barrier, PAUSE, SIGSUSPEND, SIGWAIT};
}

/// Calls on descriptors, and what the runtime has to hear of them.
pub mod io {
    pub use crate::io::*;
}

/// Descriptors by their numbers.
pub mod numbers {
    pub use crate::numbers::*;
}

/// Whether another runtime is in the process.
#[cfg(target_os = "linux")]
pub mod others {
    pub use crate::others::*;
}

/// The signal masks of the OS threads.
#[cfg(target_os = "linux")]
pub mod signal {
    pub use crate::signal::*;
}

/// A thread's life, and its stack.
pub mod thread {
    pub use crate::attributes::Inherited;
    pub use crate::os_thread::is_starting as is_starting_os_thread;
    pub use crate::runtime::spawns_green;
    pub use crate::sight::{RecordPlace, show_records};
    pub use crate::stack::{NameOf, faults_have_a_stack, leave_faults};
    pub use crate::task::Birth;
    pub use crate::thread::hooks::{conceive_by, end_locals};
    pub use crate::trace::record_new_name;
}

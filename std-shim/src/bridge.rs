//! The only file that names what is below: the runtime, and the calls that wait.
#![allow(unused_imports, reason = "each module takes what it needs")]
pub(crate) use sylvan::contract::io::{
    self, Attempt, Interest, Mode, Origin, attempt, attempt_accept, attempt_unflagged, detach,
    ready,
};
pub(crate) use sylvan::contract::{
    Sleeper, Throttle, Turn, WRITTEN, forget_owner, forget_scope, grant, install_panic_hook,
    is_pressed, note_owner, note_scope, notes_owners, overdue, pass_on, step_aside, wait_turn,
};
pub(crate) use sylvan::contract::{channels, shown};
pub(crate) use sylvan::thread::{self, park, park_until};
pub(crate) use sylvan::{
    Wait, WaitReason, blocking, current, is_green, sleep_until, wait, wake, yield_now,
};
pub(crate) use sylvan_posix::calls;

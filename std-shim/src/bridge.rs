//! The only file that names the runtime.
#![allow(unused_imports, reason = "each module takes what it needs")]
pub(crate) use sylvan::io::{
    self, Attempt, Interest, Mode, Origin, attempt, attempt_accept, attempt_unflagged, detach,
    ready,
};
pub(crate) use sylvan::thread::{self, park, park_until};
pub(crate) use sylvan::{
    Sleeper, Turn, Turnstile, Wait, WaitReason, blocking, current, grant, install_panic_hook,
    is_green, is_pressed, overdue, pass_on, sleep_until, step_aside, wait, wait_turn, wake,
    yield_now,
};

//! What `mpsc` and the raw locks are made of.
//!
//! Their models (in the workspace's `tests`) compile them beside a module of this name that has
//! loom's atomics and a futex and sleepers made of them. So they take from here whatever threads
//! share, and nothing else that does.

pub(super) use std::sync::Arc;
pub(super) use std::sync::atomic::{AtomicIsize, AtomicPtr, AtomicU32, AtomicUsize};

use crate::bridge::channels::{PARKED, SENDERS_AT};
pub(super) use crate::bridge::{
    Sleeper, Turn, WRITTEN, Wait, WaitReason, forget_owner, grant, is_green, is_pressed,
    note_owner, notes_owners, overdue, pass_on, step_aside, wait, wait_turn, wake,
};

/// What those count upon who look at a channel from outside: the bit of a receiver that waits, and where the number
/// of senders is.
pub(super) const SEEN: Option<(u64, u64)> = Some((PARKED, SENDERS_AT));

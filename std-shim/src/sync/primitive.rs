//! What `mpsc` is made of.
//!
//! The models of the channels (in the workspace's `tests`) compile `mpsc` beside a module of this
//! name that has loom's atomics and a futex and sleepers made of them. So `mpsc` takes from here whatever
//! threads share, and nothing else that does.

pub(super) use std::sync::Arc;
pub(super) use std::sync::atomic::{AtomicIsize, AtomicPtr, AtomicU32, AtomicUsize};

pub(super) use crate::bridge::{Sleeper, Wait, WaitReason, wait, wake};

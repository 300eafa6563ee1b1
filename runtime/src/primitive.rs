//! The one door to atomics, cells and hints: core's, or loom's when the protocols are modelled.

#[cfg(not(loom))]
pub(crate) use std::{
    hint,
    sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    },
};

#[cfg(loom)]
pub(crate) use loom::{
    hint,
    sync::atomic::{
        AtomicBool, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
    },
};

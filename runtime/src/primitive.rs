//! The one door to atomics, cells and hints: core's, or loom's when the protocols are modelled.

#[cfg(not(sylvan_loom))]
pub(crate) use std::{
    cell::{Cell, UnsafeCell},
    hint,
    sync::atomic::{
        AtomicBool, AtomicI32, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering,
        fence,
    },
};

#[cfg(sylvan_loom)]
pub(crate) use crate::tests::{
    atomic::{AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize},
    cell::{Cell, UnsafeCell},
};
#[cfg(sylvan_loom)]
pub(crate) use loom::{
    hint,
    sync::atomic::{Ordering, fence},
};

/// Defines a static. Loom makes one for each execution that it tries, which only its own module sees.
macro_rules! global {
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty = $value:expr;) => {
        #[cfg(not(sylvan_loom))]
        $(#[$attribute])*
        $visibility static $name: $type = $value;
        #[cfg(sylvan_loom)]
        loom::lazy_static! {
            $(#[$attribute])*
            static ref $name: $type = $value;
        }
    };
}

pub(crate) use global;

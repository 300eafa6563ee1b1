//! Giving way, and sleeping.

use std::ffi::c_int;

/// As that of libc: lets others run first.
///
/// # Safety
///
/// None is needed.
pub unsafe extern "C" fn sched_yield() -> c_int {
    sylvan::yield_now();
    0
}

//! The stack of a thread, for those who ask where they are: collectors of garbage, and what watches for
//! overflows.
//!
//! libc knows the stacks of OS threads, by what is in their blocks of thread-locals. A green thread's
//! block says nothing of its stack, and where thread-locals are shared the block is the worker's. So the
//! runtime is asked.

use std::ffi::{c_int, c_void};
use std::ops::Range;
use std::ptr;

use libc::{pthread_attr_t, pthread_t};

use crate::birth;
use crate::in_place_of_libc;
use crate::next::Next;
use crate::thread::{self, Bounds, Record, Whose};
use crate::whole;

in_place_of_libc! { pthread_getattr_np }

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn pthread_getattr_np(
    thread: pthread_t,
    attributes: *mut pthread_attr_t,
) -> c_int {
    static NEXT: Next = Next::new(c"pthread_getattr_np");
    type Function = unsafe extern "C" fn(pthread_t, *mut pthread_attr_t) -> c_int;
    if birth::is_between() {
        return libc::ESRCH;
    }
    if whole::is_whole() {
        // SAFETY: as the caller promises.
        match unsafe { thread::of(thread) } {
            // SAFETY: as above.
            Whose::Ours(record) => return unsafe { of_record(record, attributes) },
            Whose::Nobodys => return libc::ESRCH,
            Whose::Libcs => {}
        }
    }
    // SAFETY: asks who calls.
    if thread == unsafe { libc::pthread_self() }
        && let Some((stack, guard)) = sylvan::thread::stack_bounds()
    {
        // SAFETY: as the caller promises.
        return unsafe { initialize(attributes, stack, guard) };
    }
    // SAFETY: libc's function of that name, which has this type.
    let next = unsafe { std::mem::transmute::<*mut c_void, Function>(NEXT.get()) };
    // SAFETY: as the caller promises.
    unsafe { next(thread, attributes) }
}

/// What is known of a green thread of a whole program.
///
/// # Safety
///
/// As for libc's.
unsafe fn of_record(record: &Record, attributes: *mut pthread_attr_t) -> c_int {
    let Bounds { stack, guard } = record.bounds();
    // SAFETY: as the caller promises.
    let error = unsafe { initialize(attributes, stack, guard) };
    if error == 0 && record.is_detached() {
        // SAFETY: it is initialized.
        unsafe { libc::pthread_attr_setdetachstate(attributes, libc::PTHREAD_CREATE_DETACHED) };
    }
    error
}

/// # Safety
///
/// The attributes may be written to.
unsafe fn initialize(attributes: *mut pthread_attr_t, stack: Range<usize>, guard: usize) -> c_int {
    let lowest = ptr::with_exposed_provenance_mut(stack.start);
    // SAFETY: as the caller promises.
    unsafe {
        match libc::pthread_attr_init(attributes) {
            0 => {
                libc::pthread_attr_setguardsize(attributes, guard);
                libc::pthread_attr_setstack(attributes, lowest, stack.len())
            }
            error => error,
        }
    }
}

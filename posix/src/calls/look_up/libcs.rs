//! What libc's own look-ups go by.

use std::ffi::{c_char, c_void};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

unsafe extern "C" {
    fn gnu_get_libc_version() -> *const c_char;
    fn __res_state() -> *const State;
}

/// The function that was found to be libc's. Whoever finds it finds the same, so nothing is ordered by it.
static OWN: AtomicPtr<()> = AtomicPtr::new(ptr::null_mut());

/// Whether a function is libc's own, and not one that the program, or a library that it was started with,
/// has in its place.
pub(super) fn has(function: *const ()) -> bool {
    OWN.load(Ordering::Relaxed).cast_const() == function || find(function)
}

#[cold]
fn find(function: *const ()) -> bool {
    let is_own =
        object(function).is_some_and(|of| object(gnu_get_libc_version as *const ()) == Some(of));
    if is_own {
        OWN.store(function.cast_mut(), Ordering::Relaxed);
    }
    is_own
}

/// Where the object begins that has this address.
fn object(address: *const ()) -> Option<*mut c_void> {
    let mut info = MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: zeros are valid, and so is what is written over them.
    unsafe {
        let is_found = libc::dladdr(address.cast(), info.as_mut_ptr()) != 0;
        is_found.then(|| info.assume_init().dli_fbase)
    }
}

/// What a thread has set for its own look-ups, or has not: the settings and the servers at the beginning of
/// `struct __res_state`, as `<resolv.h>` has it.
pub type State = [u8; 68];

/// That of the calling thread.
#[must_use]
pub fn state() -> State {
    // SAFETY: it is the thread's own, and longer.
    unsafe { __res_state().read() }
}

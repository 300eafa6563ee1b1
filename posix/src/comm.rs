//! The name that the system knows a thread by (`comm` in `/proc`), as the thread itself asks for it.
//!
//! The kernel keeps one for each OS thread, and a green thread would find that of whichever it runs on.
//! So what a green thread has been called is kept in its thread-locals as well: by std, at its birth
//! (`birth`), or by itself. To the kernel goes what it calls itself, as ever; but what the kernel says
//! when it asks is replaced by what is kept. A bound thread that has none kept is an OS thread like any
//! other.
//!
//! Where thread-locals are shared, so is what is kept, as the OS thread's name is.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};
use std::mem;

use libc::{pthread_t, size_t};

use crate::birth;
use crate::names::in_place_of_libc;
use crate::next::Next;

in_place_of_libc! { pthread_setname_np, pthread_getname_np }

/// As the kernel has it: it ends with a zero.
type Name = [c_char; 16];

thread_local! {
    static KEPT: Cell<Option<Name>> = const { Cell::new(None) };
}

/// The calling thread is called `name` from now on.
///
/// # Safety
///
/// It ends with a zero, or is as long as [`Name`].
pub(crate) unsafe fn keep(name: *const c_char) {
    if !sylvan::is_green() && KEPT.get().is_none() {
        return;
    }
    let mut kept = Name::default();
    for (i, to) in kept[..15].iter_mut().enumerate() {
        // SAFETY: not behind its end, as the caller promises.
        *to = unsafe { *name.add(i) };
        if *to == 0 {
            break;
        }
    }
    KEPT.set(Some(kept));
}

/// What is kept for the calling thread.
pub(crate) fn kept() -> Option<[u8; 16]> {
    KEPT.get().map(|name| name.map(|byte| byte as u8))
}

/// Replaces what the kernel has said of the calling thread.
///
/// # Safety
///
/// It may be written to, as [`Name`].
pub(crate) unsafe fn replace(said: *mut c_char) {
    if let Some(kept) = KEPT.get() {
        // SAFETY: as the caller promises.
        unsafe { said.cast::<Name>().write(kept) };
    }
}

fn is_self(thread: pthread_t) -> bool {
    // SAFETY: asks who calls.
    thread == unsafe { libc::pthread_self() }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn pthread_setname_np(thread: pthread_t, name: *const c_char) -> c_int {
    static NEXT: Next = Next::new(c"pthread_setname_np");
    type Function = unsafe extern "C" fn(pthread_t, *const c_char) -> c_int;
    // The OS thread is not the green one's alone.
    let result = if birth::is_between() && sylvan::is_green() {
        0
    } else {
        // SAFETY: libc's function of that name, which has this type.
        let next = unsafe { mem::transmute::<*mut c_void, Function>(NEXT.get()) };
        // SAFETY: as the caller promises.
        unsafe { next(thread, name) }
    };
    if result == 0 && is_self(thread) {
        // SAFETY: as the caller promises.
        unsafe { keep(name) };
    }
    result
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C" fn pthread_getname_np(
    thread: pthread_t,
    name: *mut c_char,
    len: size_t,
) -> c_int {
    static NEXT: Next = Next::new(c"pthread_getname_np");
    type Function = unsafe extern "C" fn(pthread_t, *mut c_char, size_t) -> c_int;
    // SAFETY: libc's function of that name, which has this type.
    let next = unsafe { mem::transmute::<*mut c_void, Function>(NEXT.get()) };
    // SAFETY: as the caller promises.
    let result = unsafe { next(thread, name, len) };
    if result == 0 && is_self(thread) {
        // SAFETY: libc has found it long enough.
        unsafe { replace(name) };
    }
    result
}

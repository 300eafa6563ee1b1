//! The name that the system knows a thread by (`comm` in `/proc`), as the thread itself asks for it.
//!
//! The kernel keeps one for each OS thread, and a green thread would find that of whichever it runs on.
//! So what a green thread has been called is kept in its thread-locals as well: by std, at its birth
//! (`birth`), or by itself. To the kernel goes what it calls itself, as ever; but what the kernel says
//! when it asks is replaced by what is kept. A bound thread that has none kept is an OS thread like any
//! other.
//!
//! In a whole program a green thread's name is in its record (`thread`), where others find it, too; it begins
//! with that of who has made it.
//!
//! Where thread-locals are shared, so is what is kept, as the OS thread's name is.

use std::cell::Cell;
use std::ffi::{c_char, c_int, c_void};
use std::mem;

use libc::{pthread_t, size_t};

use crate::birth;
use crate::in_place_of_libc;
use crate::next::Next;
use crate::thread::{self, Name, Record, Whose, name_at};
use crate::whole;

in_place_of_libc! { pthread_setname_np, pthread_getname_np }

thread_local! {
    static KEPT: Cell<Option<Name>> = const { Cell::new(None) };
}

/// The calling thread is called `name` from now on.
///
/// # Safety
///
/// It ends with a zero, or is as long as [`Name`].
pub(crate) unsafe fn keep(name: *const c_char) {
    if !sylvan::is_green() && kept().is_none() {
        return;
    }
    // SAFETY: as the caller promises.
    let name = unsafe { name_at(name) };
    match thread::this() {
        Some(record) => record.set_name(name),
        None => KEPT.set(Some(name)),
    }
}

/// What is kept for the calling thread.
pub(crate) fn kept() -> Option<Name> {
    thread::this().map(Record::name).or_else(|| KEPT.get())
}

/// Replaces what the kernel has said of the calling thread.
///
/// # Safety
///
/// It may be written to, as [`Name`].
pub(crate) unsafe fn replace(said: *mut c_char) {
    if let Some(kept) = kept() {
        // SAFETY: as the caller promises.
        unsafe { said.cast::<Name>().write(kept) };
    }
}

/// The record of a green thread of a whole program; an error if it is gone.
///
/// # Safety
///
/// As for `thread::of`.
unsafe fn record(thread: pthread_t) -> Result<Option<&'static Record>, c_int> {
    if !whole::is_whole() {
        return Ok(None);
    }
    // SAFETY: as the caller promises.
    match unsafe { thread::of(thread) } {
        Whose::Ours(record) => Ok(Some(record)),
        Whose::Nobodys => Err(libc::ESRCH),
        Whose::Libcs => Ok(None),
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
    // SAFETY: as the caller promises, here and below.
    match unsafe { record(thread) } {
        Ok(None) => {}
        // SAFETY: as above.
        Ok(Some(_)) if unsafe { libc::strnlen(name, 16) } == 16 => return libc::ERANGE,
        Ok(Some(record)) => {
            // SAFETY: as above.
            record.set_name(unsafe { name_at(name) });
            return 0;
        }
        Err(error) => return error,
    }
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
    // SAFETY: as the caller promises, here and below.
    match unsafe { record(thread) } {
        Ok(None) => {}
        Ok(Some(_)) if len < size_of::<Name>() => return libc::ERANGE,
        Ok(Some(record)) => {
            // SAFETY: as above.
            unsafe { name.cast::<Name>().write(record.name()) };
            return 0;
        }
        Err(error) => return error,
    }
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

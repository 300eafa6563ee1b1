//! Whether the program is whole: all that reaches libc is green, not what std's mirror does alone.
//!
//! ```text
//!   not whole     what a program built on the mirror is
//!   whole         said before the program begins: its threads are to be green
//!   no more       it has green threads, and those that begin from now on are OS threads
//!   off           it was to be whole, but all its threads are OS threads; for good
//! ```
//!
//! It is off if the environment says so, or if the program has a runtime of its own, which would else stand
//! on this one (`sylvan::contract::others`). The first thread turns it off if the runtime cannot start. If another
//! runtime has started meanwhile there are to be no more green ones; those that there are go on, and what
//! waits for them goes on as before.

use std::ffi::{CStr, c_char};
use std::sync::atomic::{AtomicU8, Ordering};

use sylvan::contract::others;
use sylvan::{Config, TlsMode};

use crate::{comm, kernel, signal, thread};

const NOT_WHOLE: u8 = 0;
const WHOLE: u8 = 1;
const NO_MORE: u8 = 2;
const OFF: u8 = 3;

/// Changes while nobody else runs, or for the worse; it publishes nothing.
static STATE: AtomicU8 = AtomicU8::new(NOT_WHOLE);

/// The program is to be whole, unless the environment says otherwise.
///
/// # Safety
///
/// Called before the program begins, while there is one thread; `environment` is null or what the program was started with.
pub unsafe fn make_whole(environment: *const *const c_char) {
    // SAFETY: as the caller promises.
    let is_off = unsafe { says_off(environment) };
    STATE.store(if is_off { OFF } else { WHOLE }, Ordering::Relaxed);
    sylvan::contract::thread::leave_faults(comm::kept);
    thread::show();
    if !is_off {
        signal::begin();
    }
}

/// The same, for a layer that was brought along from outside: if the program has a runtime of its own, the layer stands aside.
///
/// # Safety
///
/// As for [`make_whole`].
pub unsafe fn make_whole_from_outside(environment: *const *const c_char) {
    // SAFETY: as the caller promises.
    unsafe { make_whole(environment) };
    if is_whole() && others::count() > 0 {
        leave(OFF, "the program has the runtime in it already");
    }
}

/// Whether the environment turns the layer off: `SYLVAN_PRELOAD=off`.
///
/// # Safety
///
/// It is null, or ends with a null.
unsafe fn says_off(mut environment: *const *const c_char) -> bool {
    // libc may not know of its environment yet.
    while !environment.is_null() {
        // SAFETY: as the caller promises; not behind its end.
        let variable = unsafe { *environment };
        if variable.is_null() {
            break;
        }
        // SAFETY: the kernel passes C strings.
        if unsafe { CStr::from_ptr(variable) } == c"SYLVAN_PRELOAD=off" {
            return true;
        }
        // SAFETY: not the end.
        environment = unsafe { environment.add(1) };
    }
    false
}

/// Whether the program is whole: it may have green threads.
#[inline]
#[must_use]
pub fn is_whole() -> bool {
    matches!(STATE.load(Ordering::Relaxed), WHOLE | NO_MORE)
}

/// Whether all of this crate is in force, be the threads green or not: the program is whole, or it is off.
#[inline]
pub(crate) fn is_in_force() -> bool {
    STATE.load(Ordering::Relaxed) != NOT_WHOLE
}

/// Whether a thread that begins now is to be a green one. Starts the runtime.
#[inline]
#[must_use]
pub fn begins_green() -> bool {
    if STATE.load(Ordering::Relaxed) != WHOLE {
        return false;
    }
    if sylvan::has_started() && !others::is_aside() { true } else { begins_green_at_first() }
}

#[cold]
fn begins_green_at_first() -> bool {
    if others::is_aside() {
        let state = if sylvan::has_started() { NO_MORE } else { OFF };
        leave(state, "another runtime has started in this process");
        return false;
    }
    match Config::new().tls(TlsMode::Own).start() {
        Err(error) if !sylvan::has_started() => {
            leave(OFF, &error.to_string());
            false
        }
        _ => true,
    }
}

/// Threads that begin from now on are OS threads: says why, once.
fn leave(state: u8, why: &str) {
    if STATE.swap(state, Ordering::Relaxed) == WHOLE {
        let line = format!("sylvan: threads are OS threads: {why}\n");
        let what = [2, line.as_ptr().expose_provenance() as _, line.len() as _, 0, 0, 0];
        // SAFETY: writes what is there.
        unsafe { kernel::enter(libc::SYS_write, what) };
    }
}

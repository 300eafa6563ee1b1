//! What a program has done with the one signal that this crate has for itself (`signal::attendant`).
//!
//! libc gives that signal to whoever asks for one, and then has a lower `SIGRTMAX`. Some languages take all signals
//! there are, by their numbers. To them it is a signal that nobody sends: what they want done with it is kept and told
//! back, and is never in force.

use std::cell::UnsafeCell;
use std::mem;

use libc::{c_int, sighandler_t};

use crate::next::call_next;
use crate::signal::attendant::POKE;
use crate::signal::lock::{Held, held};
use crate::whole::is_whole;

struct Kept(UnsafeCell<libc::sigaction>);

// SAFETY: it is reached under the lock of all signals.
unsafe impl Sync for Kept {}

// SAFETY: zeros are an action, the default.
static KEPT: Kept = Kept(UnsafeCell::new(unsafe { mem::zeroed() }));

/// Keeps an action, if it is one; what was kept before.
fn keep(_: &Held, action: Option<libc::sigaction>) -> libc::sigaction {
    let kept = KEPT.0.get();
    // SAFETY: under the lock nobody else is there.
    unsafe {
        let before = kept.read();
        if let Some(action) = action {
            kept.write(action);
        }
        before
    }
}

/// As libc's.
///
/// # Safety
///
/// As for libc's: `set` is null or points to an action, and `before` is null or points to where one may be written.
pub unsafe extern "C" fn sigaction(
    signal: c_int,
    set: *const libc::sigaction,
    before: *mut libc::sigaction,
) -> c_int {
    if signal != POKE || !is_whole() {
        // SAFETY: as the caller promises.
        return unsafe {
            call_next!(
                sigaction(c_int, *const libc::sigaction, *mut libc::sigaction) -> c_int,
                signal,
                set,
                before
            )
        };
    }
    // SAFETY: as the caller promises, here and below; they may be the same.
    let set = (!set.is_null()).then(|| unsafe { set.read() });
    let was = held(|held| keep(held, set));
    if !before.is_null() {
        // SAFETY: as above.
        unsafe { before.write(was) };
    }
    0
}

/// As libc's.
///
/// # Safety
///
/// As for libc's: a handler may be called at any time.
pub unsafe extern "C" fn signal(signal: c_int, handler: sighandler_t) -> sighandler_t {
    if signal != POKE || !is_whole() {
        // SAFETY: as the caller promises.
        return unsafe { call_next!(signal(c_int, sighandler_t) -> sighandler_t, signal, handler) };
    }
    // SAFETY: zeros are an action.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    (action.sa_sigaction, action.sa_flags) = (handler, libc::SA_RESTART);
    held(|held| keep(held, Some(action))).sa_sigaction
}

//! What a program has done with the two signals that this crate has for itself (`signal::OURS`).
//!
//! libc gives such a signal to whoever asks for one, and then has a lower `SIGRTMAX`. Some languages take all signals
//! there are, by their numbers. To them these are signals that nobody sends: what they want done with one is kept and
//! told back, and is never in force.

use std::cell::UnsafeCell;
use std::mem;

use libc::{c_int, sighandler_t};

use crate::errno::set_errno;
use crate::next::libcs;
use crate::signal::is_ours as is_of_this_crate;
use crate::signal::lock::{Held, held};
use crate::signal::tick;
use crate::whole::is_whole;

libcs! {
    sigaction(
        signal: c_int,
        set: *const libc::sigaction,
        before: *mut libc::sigaction
    ) -> c_int;
    signal(signal: c_int, handler: sighandler_t) -> sighandler_t;
    __sysv_signal(signal: c_int, handler: sighandler_t) -> sighandler_t;
    sigset(signal: c_int, handler: sighandler_t) -> sighandler_t;
    sigignore(signal: c_int) -> c_int;
}

/// The first of the two.
const FIRST: c_int = tick::TICK;

/// By their numbers from the first on.
struct Kept(UnsafeCell<[libc::sigaction; 2]>);

// SAFETY: it is reached under the lock of all signals.
unsafe impl Sync for Kept {}

// SAFETY: zeros are actions, the default.
static KEPT: Kept = Kept(UnsafeCell::new(unsafe { mem::zeroed() }));

/// Keeps an action of one of the two, if it is one; what was kept before.
fn keep(_: &Held, signal: c_int, action: Option<libc::sigaction>) -> libc::sigaction {
    let kept = KEPT.0.get().cast::<libc::sigaction>();
    // Such a child has the memory of its parent, and actions of its own.
    let action = action.filter(|_| !sylvan::contract::signal::is_vfork_child());
    // SAFETY: under the lock nobody else is there, and it is one of the two.
    unsafe {
        let kept = kept.add((signal - FIRST) as usize);
        let before = kept.read();
        if let Some(action) = action {
            kept.write(action);
        }
        before
    }
}

/// Whether it is one that this crate has.
fn is_ours(signal: c_int) -> bool {
    is_of_this_crate(signal) && is_whole()
}

/// Keeps a handler of one of the two with these flags; the handler that was kept before.
fn keep_handler(signal: c_int, handler: sighandler_t, flags: c_int) -> sighandler_t {
    if handler == libc::SIG_ERR {
        set_errno(libc::EINVAL);
        return libc::SIG_ERR;
    }
    // SAFETY: zeros are an action.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    (action.sa_sigaction, action.sa_flags) = (handler, flags);
    held(|held| keep(held, signal, Some(action))).sa_sigaction
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
    if !is_ours(signal) {
        // SAFETY: as the caller promises.
        return unsafe { libcs::sigaction(signal, set, before) };
    }
    // SAFETY: as the caller promises, here and below; they may be the same.
    let set = (!set.is_null()).then(|| unsafe { set.read() });
    let was = held(|held| keep(held, signal, set));
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
/// As for libc's: `set` is null or points to an action, and `before` is null or points to where one may be written.
pub unsafe extern "C" fn __sigaction(
    signal: c_int,
    set: *const libc::sigaction,
    before: *mut libc::sigaction,
) -> c_int {
    // SAFETY: the same function by another name.
    unsafe { sigaction(signal, set, before) }
}

/// Functions that set a handler with some flags, and libc's other names for each.
macro_rules! handlers {
    ($($name:ident($flags:expr) $($other:ident)*;)+) => {$(
        /// As libc's.
        ///
        /// # Safety
        ///
        /// As for libc's: a handler may be called at any time.
        pub unsafe extern "C" fn $name(signal: c_int, handler: sighandler_t) -> sighandler_t {
            if is_ours(signal) {
                return keep_handler(signal, handler, $flags);
            }
            // SAFETY: as the caller promises.
            unsafe { libcs::$name(signal, handler) }
        }

        $(
            /// As libc's.
            ///
            /// # Safety
            ///
            /// As for libc's: a handler may be called at any time.
            pub unsafe extern "C" fn $other(signal: c_int, handler: sighandler_t) -> sighandler_t {
                // SAFETY: the same function by another name.
                unsafe { $name(signal, handler) }
            }
        )*
    )+};
}

handlers! {
    signal(libc::SA_RESTART) bsd_signal ssignal;
    __sysv_signal(libc::SA_RESETHAND | libc::SA_NODEFER) sysv_signal;
    sigset(0);
}

/// As libc's.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C" fn sigignore(signal: c_int) -> c_int {
    if is_ours(signal) {
        keep_handler(signal, libc::SIG_IGN, 0);
        return 0;
    }
    // SAFETY: as the caller promises.
    unsafe { libcs::sigignore(signal) }
}

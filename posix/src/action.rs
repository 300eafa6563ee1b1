//! What a program has done with signals that this crate has a part in, beside the kernel.
//!
//! | signals | what the kernel is told | what a program that asks is told |
//! |---|---|---|
//! | the two that this crate has for itself (`signal::OURS`) | nothing | what it has said |
//! | others, with a handler | a handler of this crate's (`signal::handler`), and all else as it was said | what it has said |
//! | others, without | the same | the same |
//!
//! libc gives one of the first kind to whoever asks for one, and then has a lower `SIGRTMAX`. Some languages take all
//! signals there are, by their numbers. To them these are signals that nobody sends.

use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU64, AtomicUsize, Ordering};

use libc::{c_int, sighandler_t};

use crate::errno::set_errno;
use crate::next::libcs;
use crate::signal::handler::{FAULTS, on_signal};
use crate::signal::lock::held;
use crate::signal::{OURS, bit, rt_sigprocmask};
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
    siginterrupt(signal: c_int, ends_calls: c_int) -> c_int;
    sigignore(signal: c_int) -> c_int;
}

/// What the program has said of one signal. A handler reads it, without a lock: who changes it meanwhile gets either
/// of the two.
pub(crate) struct Said {
    handler: AtomicUsize,
    flags: AtomicI32,
    mask: AtomicU64,
}

const LAST: usize = 64;

static SAID: [Said; LAST + 1] = [const {
    Said {
        handler: AtomicUsize::new(libc::SIG_DFL),
        flags: AtomicI32::new(0),
        mask: AtomicU64::new(0),
    }
}; LAST + 1];

impl Said {
    /// Of a signal that there is.
    pub(crate) fn of(signal: c_int) -> &'static Self {
        &SAID[signal as usize]
    }

    pub(crate) fn handler(&self) -> sighandler_t {
        self.handler.load(Ordering::Relaxed)
    }

    /// The handler that is to be called now. One that is to be called once is the default action afterwards; `None` if
    /// it has been.
    pub(crate) fn take_handler(&self, signal: c_int) -> Option<sighandler_t> {
        let is_for_once = || self.flags.load(Ordering::Relaxed) & libc::SA_RESETHAND != 0;
        if FAULTS & bit(signal) != 0 || !is_for_once() {
            return Some(self.handler()).filter(|handler| *handler != libc::SIG_DFL);
        }
        held(|_| {
            let handler = self.handler();
            if handler == libc::SIG_DFL || !is_for_once() {
                return Some(handler).filter(|handler| *handler != libc::SIG_DFL);
            }
            // SAFETY: zeros are an action, the default.
            let default: libc::sigaction = unsafe { mem::zeroed() };
            // SAFETY: sets that.
            unsafe { libcs::sigaction(signal, &raw const default, ptr::null_mut()) };
            self.set(&default);
            Some(handler)
        })
    }

    /// What is blocked while its handler runs, the signal itself included.
    pub(crate) fn mask_for(&self, signal: c_int) -> u64 {
        let is_deferred = self.flags.load(Ordering::Relaxed) & libc::SA_NODEFER == 0;
        self.mask.load(Ordering::Relaxed) | if is_deferred { bit(signal) } else { 0 }
    }

    fn get(&self) -> libc::sigaction {
        // SAFETY: zeros are an action.
        let mut action: libc::sigaction = unsafe { mem::zeroed() };
        action.sa_sigaction = self.handler();
        action.sa_flags = self.flags.load(Ordering::Relaxed);
        let mask = self.mask.load(Ordering::Relaxed);
        // SAFETY: the kernel's mask is what a set begins with.
        unsafe { (&raw mut action.sa_mask).cast::<u64>().write_unaligned(mask) };
        action
    }

    fn set(&self, action: &libc::sigaction) {
        // SAFETY: as above.
        let mask = unsafe { (&raw const action.sa_mask).cast::<u64>().read_unaligned() };
        self.mask.store(mask, Ordering::Relaxed);
        self.flags.store(action.sa_flags, Ordering::Relaxed);
        self.handler.store(action.sa_sigaction, Ordering::Relaxed);
    }
}

/// Whose a signal is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// This crate's own.
    Ours,
    /// The program's, whose handlers this crate calls.
    Programs,
    /// Not this crate's to see to, or none at all.
    Kernels,
}

fn whose(signal: c_int) -> Whose {
    /// libc's own, and those that have no handlers.
    const NOT_PROGRAMS: [c_int; 4] = [libc::SIGKILL, libc::SIGSTOP, 32, 33];
    if !is_whole() || !(1..=LAST as c_int).contains(&signal) || NOT_PROGRAMS.contains(&signal) {
        Whose::Kernels
    } else if OURS & bit(signal) != 0 {
        Whose::Ours
    } else {
        Whose::Programs
    }
}

/// Whether an action says a function, not `SIG_DFL` or `SIG_IGN`.
fn has_function(action: &libc::sigaction) -> bool {
    !matches!(action.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN)
}

/// Whether a handler is the one of this crate.
fn is_ours(handler: sighandler_t) -> bool {
    handler == on_signal as *const () as sighandler_t
}

/// What a program is told where the kernel says this.
fn told(signal: c_int, kernels: libc::sigaction, said: libc::sigaction) -> libc::sigaction {
    if whose(signal) != Whose::Programs || !is_ours(kernels.sa_sigaction) {
        return kernels;
    }
    // It comes from libc, which says so where the system is one that has such a thing.
    const RESTORER: c_int = 0x0400_0000;
    let sa_flags = said.sa_flags | kernels.sa_flags & RESTORER;
    libc::sigaction { sa_flags, sa_restorer: kernels.sa_restorer, ..said }
}

/// Changes the action of one of the program's, if there is one to `set`; what it was, or `None` with the error in
/// `errno`.
fn change_programs(signal: c_int, set: Option<libc::sigaction>) -> Option<libc::sigaction> {
    // A child of `vfork` has the memory of its parent, and actions of its own.
    let is_told_all = sylvan::contract::signal::is_vfork_child();
    held(|_| {
        let said = Said::of(signal).get();
        let in_place = set.map(|mut action| {
            if is_ours(action.sa_sigaction) {
                // Whoever has asked the kernel itself puts back what it has found there.
                action.sa_sigaction = said.sa_sigaction;
            }
            if has_function(&action) && !is_told_all {
                // Before the kernel: the next fault finds it.
                Said::of(signal).set(&action);
                action.sa_sigaction = on_signal as *const () as sighandler_t;
                action.sa_flags |= libc::SA_SIGINFO;
                if FAULTS & bit(signal) == 0 {
                    // It may be called in vain: see `take_handler`.
                    action.sa_flags &= !libc::SA_RESETHAND;
                }
            }
            action
        });
        let in_place = in_place.as_ref().map_or(ptr::null(), ptr::from_ref);
        // SAFETY: zeros are an action.
        let mut was: libc::sigaction = unsafe { mem::zeroed() };
        // SAFETY: the handler does what one may, and calls that of the program.
        if unsafe { libcs::sigaction(signal, in_place, &raw mut was) } == 0 {
            Some(told(signal, was, said))
        } else {
            if !is_told_all {
                Said::of(signal).set(&said);
            }
            None
        }
    })
}

/// Keeps what is said of one of this crate's own, if anything is; what was kept before.
fn change_ours(signal: c_int, set: Option<libc::sigaction>) -> libc::sigaction {
    let said = Said::of(signal);
    held(|_| {
        let was = said.get();
        if let Some(action) = set.filter(|_| !sylvan::contract::signal::is_vfork_child()) {
            said.set(&action);
        }
        was
    })
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
    // SAFETY: as the caller promises, here and below; they may be the same.
    let read = || (!set.is_null()).then(|| unsafe { set.read() });
    let was = match whose(signal) {
        // SAFETY: as above.
        Whose::Kernels => return unsafe { libcs::sigaction(signal, set, before) },
        Whose::Ours => change_ours(signal, read()),
        Whose::Programs => match change_programs(signal, read()) {
            Some(was) => was,
            None => return -1,
        },
    };
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

/// Sets a handler with these flags, which blocks this besides; the handler that there was.
fn set_handler(signal: c_int, handler: sighandler_t, flags: c_int, mask: u64) -> sighandler_t {
    if handler == libc::SIG_ERR {
        set_errno(libc::EINVAL);
        return libc::SIG_ERR;
    }
    // SAFETY: zeros are an action.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    (action.sa_sigaction, action.sa_flags) = (handler, flags);
    // SAFETY: the kernel's mask is what a set begins with.
    unsafe { (&raw mut action.sa_mask).cast::<u64>().write_unaligned(mask) };
    let was = match whose(signal) {
        Whose::Ours => Some(change_ours(signal, Some(action))),
        _ => change_programs(signal, Some(action)),
    };
    was.map_or(libc::SIG_ERR, |was| was.sa_sigaction)
}

/// Functions that set a handler, with what flags, and what is blocked while it runs; and libc's other names for each.
macro_rules! handlers {
    ($($name:ident($how:expr) $($other:ident)*;)+) => {$(
        /// As libc's.
        ///
        /// # Safety
        ///
        /// As for libc's: a handler may be called at any time.
        pub unsafe extern "C" fn $name(signal: c_int, handler: sighandler_t) -> sighandler_t {
            if whose(signal) == Whose::Kernels {
                // SAFETY: as the caller promises.
                return unsafe { libcs::$name(signal, handler) };
            }
            let (flags, blocks) = $how(signal);
            set_handler(signal, handler, flags, blocks)
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
    signal(|signal| (if ends_calls(signal) { 0 } else { libc::SA_RESTART }, bit(signal)))
        bsd_signal ssignal;
    __sysv_signal(|_| (libc::SA_RESETHAND | libc::SA_NODEFER, 0)) sysv_signal;
}

/// As libc's.
///
/// # Safety
///
/// As for libc's: a handler may be called at any time.
pub unsafe extern "C" fn sigset(signal: c_int, handler: sighandler_t) -> sighandler_t {
    /// Blocks the signal, and changes nothing else.
    const SIG_HOLD: sighandler_t = 2;
    match whose(signal) {
        // SAFETY: as the caller promises.
        Whose::Kernels => return unsafe { libcs::sigset(signal, handler) },
        Whose::Ours => return set_handler(signal, handler, 0, 0),
        Whose::Programs => {}
    }
    let (how, was) = if handler == SIG_HOLD {
        let was = change_programs(signal, None).map_or(libc::SIG_ERR, |was| was.sa_sigaction);
        (libc::SIG_BLOCK, was)
    } else {
        (libc::SIG_UNBLOCK, set_handler(signal, handler, 0, 0))
    };
    let (set, mut before) = (bit(signal), 0);
    // SAFETY: a mask, and a place for one.
    let is_changed = was != libc::SIG_ERR
        && unsafe { rt_sigprocmask(how, &raw const set, &raw mut before) }.is_ok();
    match is_changed {
        true if before & set != 0 => SIG_HOLD,
        true => was,
        false => libc::SIG_ERR,
    }
}

/// As libc's.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C" fn sigignore(signal: c_int) -> c_int {
    if whose(signal) == Whose::Ours {
        set_handler(signal, libc::SIG_IGN, 0, 0);
        return 0;
    }
    // SAFETY: as the caller promises.
    unsafe { libcs::sigignore(signal) }
}

/// The signals whose handlers end calls, if `signal` installs them.
static ENDS_CALLS: AtomicU64 = AtomicU64::new(0);

fn ends_calls(signal: c_int) -> bool {
    ENDS_CALLS.load(Ordering::Relaxed) & bit(signal) != 0
}

/// As libc's.
///
/// # Safety
///
/// As for libc's.
pub unsafe extern "C" fn siginterrupt(signal: c_int, ends_calls: c_int) -> c_int {
    match whose(signal) {
        Whose::Programs => {}
        // Nobody calls it.
        Whose::Ours => return 0,
        // SAFETY: as the caller promises.
        Whose::Kernels => return unsafe { libcs::siginterrupt(signal, ends_calls) },
    }
    let Some(mut action) = change_programs(signal, None) else { return -1 };
    if ends_calls == 0 {
        ENDS_CALLS.fetch_and(!bit(signal), Ordering::Relaxed);
        action.sa_flags |= libc::SA_RESTART;
    } else {
        ENDS_CALLS.fetch_or(bit(signal), Ordering::Relaxed);
        action.sa_flags &= !libc::SA_RESTART;
    }
    if change_programs(signal, Some(action)).is_some() { 0 } else { -1 }
}

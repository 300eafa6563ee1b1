//! `sigaltstack`: a green thread has its own stack for signals, which its OS thread gets for the length of a
//! handler that was installed with `SA_ONSTACK` (`signal::delivery`).
//!
//! A fault is not sent by anybody: its handler runs on the alternate stack of the OS thread, if that has one,
//! or else where the fault was.
//!
//! So a thread need not make one for a handler of faults. Some programs do for each of their threads, as std
//! does, unless there is one already. Where the program has such a handler, a thread that has said nothing is
//! told that there is one: `LENT`, which stands for that of whatever OS thread runs it. Who puts that
//! back has none of its own.

use std::sync::atomic::AtomicU64;

use libc::{c_int, stack_t};

use crate::errno::set_errno;
use crate::kernel;
use crate::signal::own::{Stack, own};

/// As libc's.
///
/// # Safety
///
/// As for libc's: both are null, or point to where one is or may be written.
pub unsafe extern "C" fn sigaltstack(set: *const stack_t, before: *mut stack_t) -> c_int {
    let Some(signals) =
        own().filter(|_| set.is_null() || !sylvan::contract::signal::is_vfork_child())
    else {
        let what = [set.expose_provenance() as _, before.expose_provenance() as _, 0, 0, 0, 0];
        // SAFETY: as the caller promises.
        return unsafe { kernel::call(libc::SYS_sigaltstack, what) } as c_int;
    };
    // SAFETY: as the caller promises; they may be the same.
    let set = (!set.is_null()).then(|| unsafe { set.read() });
    let here = 0_u8;
    let here = (&raw const here).addr();
    let own = signals.own_stack.get().map(|Stack(stack)| stack);
    let is_on = own.is_some_and(|own| {
        here.checked_sub(own.ss_sp.addr()).is_some_and(|offset| offset < own.ss_size)
    });
    if !before.is_null() {
        let mut was = own.unwrap_or_else(none);
        if is_on {
            was.ss_flags |= libc::SS_ONSTACK;
        }
        // SAFETY: as the caller promises.
        unsafe { before.write(was) };
    }
    let Some(set) = set else { return 0 };
    match check(&set, is_on) {
        0 => {
            let is_one = set.ss_flags & libc::SS_DISABLE == 0 && set.ss_sp != lent().ss_sp;
            signals.own_stack.set(is_one.then_some(Stack(stack_t { ss_flags: 0, ..set })));
            0
        }
        error => {
            set_errno(error);
            -1
        }
    }
}

/// As large as an OS thread's. Nobody touches it.
static LENT: [AtomicU64; 8 << 10] = [const { AtomicU64::new(0) }; 8 << 10];

fn lent() -> stack_t {
    let ss_sp = (&raw const LENT).cast_mut().cast();
    stack_t { ss_sp, ss_flags: 0, ss_size: size_of_val(&LENT) }
}

/// That of a thread that has none of its own.
fn none() -> stack_t {
    if sylvan::contract::thread::faults_have_a_stack() {
        return lent();
    }
    stack_t { ss_sp: std::ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 }
}

/// What the kernel says of it.
fn check(set: &stack_t, is_on: bool) -> c_int {
    const SS_AUTODISARM: c_int = 1 << 31;
    let mode = set.ss_flags & !SS_AUTODISARM;
    if is_on {
        libc::EPERM
    } else if !matches!(mode, 0 | libc::SS_ONSTACK | libc::SS_DISABLE) {
        libc::EINVAL
    } else if mode != libc::SS_DISABLE && set.ss_size < libc::MINSIGSTKSZ {
        libc::ENOMEM
    } else {
        0
    }
}

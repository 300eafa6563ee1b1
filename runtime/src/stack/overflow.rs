//! The report of a stack overflow: what std prints, with the green thread's name.
//!
//! A fault inside the guard of the stack that runs right now is an overflow. Every other fault goes
//! where it would have gone without us: to the handler that was there before, which for a Rust
//! program is std's own, or to the default action.
//!
//! The handler runs on the signal stack of the OS thread (`os_thread`).
//!
//! # In whole programs
//!
//! There a handler that was there before is the program's own business, such as that of a virtual machine that grows
//! its stacks by faults, and it gets overflows, too: it stays as it is. (std's knows its threads by their stacks, and
//! reports.) If there is none, the overflow is reported, and the process ends by the signal, as it does on OS
//! threads. Who installs a handler later takes the place of this one.

use std::ffi::CStr;
use std::mem::{self, MaybeUninit};
use std::ops::Range;
use std::ptr;
use std::sync::OnceLock;

use crate::report;

/// What the handler asks about the thread it interrupts: its guard's range and a word to name it.
pub(crate) type Interrupted = fn() -> Option<(Range<usize>, &'static str, u64)>;

struct Previous {
    segv: libc::sigaction,
    bus: libc::sigaction,
    interrupted: Interrupted,
}

static PREVIOUS: OnceLock<Previous> = OnceLock::new();

/// The name of the calling thread, as much of it as fits.
pub type NameOf = fn() -> Option<[u8; 16]>;

/// Set in whole programs: who knows what the calling thread calls itself.
static OF_THE_PROGRAM: OnceLock<NameOf> = OnceLock::new();

/// Faults are the program's, as in whole ones; reports of overflows have the name that `name` gives for the
/// calling thread, which is interrupted there. Once, before the program begins.
pub fn leave_faults(name: NameOf) {
    let _ = OF_THE_PROGRAM.set(name);
}

/// Installs the handler in front of those that are there. Called once, when the runtime starts.
pub(crate) fn install_handler(interrupted: Interrupted) {
    let previous = Previous {
        segv: current_action(libc::SIGSEGV),
        bus: current_action(libc::SIGBUS),
        interrupted,
    };
    if PREVIOUS.set(previous).is_err() {
        return;
    }
    // SAFETY: zero is a valid `sigaction`: no flags, an empty mask.
    let mut action: libc::sigaction = unsafe { mem::zeroed() };
    action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
    action.sa_sigaction = on_fault as *const () as libc::sighandler_t;
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        if OF_THE_PROGRAM.get().is_some() && has_handler(&current_action(signal)) {
            continue;
        }
        // SAFETY: the handler reads what outlives it and otherwise only writes and aborts.
        unsafe { libc::sigaction(signal, &action, ptr::null_mut()) };
    }
}

/// Whether the program had a handler of its own before the runtime's, for the alternate stack: it runs on that
/// of the OS thread, whatever a green thread has said.
#[inline]
#[must_use]
pub fn faults_have_a_stack() -> bool {
    PREVIOUS.get().is_some_and(|Previous { segv, .. }| {
        has_handler(segv) && segv.sa_flags & libc::SA_ONSTACK != 0
    })
}

fn has_handler(action: &libc::sigaction) -> bool {
    !matches!(action.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN)
}

fn current_action(signal: i32) -> libc::sigaction {
    let mut action = MaybeUninit::uninit();
    // SAFETY: a null new action leaves the present one in force and writes it to `action`.
    unsafe {
        libc::sigaction(signal, ptr::null(), action.as_mut_ptr());
        action.assume_init()
    }
}

extern "C" fn on_fault(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    let Some(previous) = PREVIOUS.get() else { return };
    // SAFETY: the kernel passes a valid `siginfo_t`; for these signals it holds an address.
    let address = unsafe { (*info).si_addr().addr() };
    let before = if signal == libc::SIGSEGV { &previous.segv } else { &previous.bus };
    if let Some((guard, name, id)) = (previous.interrupted)()
        && guard.contains(&address)
    {
        let of_the_program = OF_THE_PROGRAM.get();
        let own = of_the_program.and_then(|name| name());
        let own = own.as_ref().and_then(|name| CStr::from_bytes_until_nul(name).ok());
        let name = own.and_then(|name| name.to_str().ok()).unwrap_or(name);
        report::say(format_args!("\nthread '{name}' ({id}) has overflowed its stack\n"));
        if of_the_program.is_none() {
            report::fatal(format_args!("stack overflow"));
        }
    }
    match before.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => {
            // The access happens again when this handler returns, and ends the process.
            // SAFETY: puts back what was there.
            unsafe { libc::sigaction(signal, before, ptr::null_mut()) };
        }
        handler if before.sa_flags & libc::SA_SIGINFO != 0 => {
            // SAFETY: whoever installed it with SA_SIGINFO promised a function of this type.
            let handler = unsafe {
                mem::transmute::<usize, extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void)>(
                    handler,
                )
            };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: whoever installed it without SA_SIGINFO promised a function of this type.
            let handler = unsafe { mem::transmute::<usize, extern "C" fn(i32)>(handler) };
            handler(signal);
        }
    }
}

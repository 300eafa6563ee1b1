//! A thread has its signals delivered: by the kernel, to itself, on its own stack.
//!
//! The thread sends the signal to the OS thread that it runs on, with what was said with it, and opens the
//! kernel's mask for that signal alone. What follows is the kernel's own: the handler with its
//! `SA_ONSTACK`, `SA_RESETHAND`, `siginfo_t`, or the default action. While the handler runs the thread has
//! blocked what the kernel would have; of that the kernel hears nothing, as of any mask of a green thread's.
//!
//! A thread that computes was interrupted by a signal of this crate's, and what the kernel has said with that is where
//! it was: what a profiler asks, or a collector that looks for pointers in registers. So there this crate calls the
//! handler itself, with that, and what the handler changes of it is in force as it returns. But the kernel does where
//! the handler wants a stack of its own, or is one for a fault that is to be called once.
//!
//! # A handler that waits
//!
//! It may go on on another OS thread than the one that it began on. What the kernel keeps for a handler it
//! keeps for the OS thread: the mask, and the alternate stack, which it puts back when the handler returns,
//! wherever that is. So before a handler waits ([`leave_handler`]) its OS thread gets back what it had, and
//! when it goes on ([`go_on_in_handler`]) what that one has is noted, and put back after the handler.

use std::ffi::c_int;
use std::mem;
use std::ptr;

use libc::siginfo_t;

use super::bit;
use super::lock::{self, set_mask};
use super::own::{Signals, Stack, no_info, own};
use crate::errno::{errno, set_errno};
use crate::kernel;
use crate::program::calls_program;

/// Disarms the stack while a handler runs on it, so that it may be changed meanwhile.
const SS_AUTODISARM: c_int = 1 << 31;

/// Which handlers have run.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ran {
    /// One has.
    pub(crate) any: bool,
    /// One has that was installed without `SA_RESTART`.
    pub(crate) any_that_ends: bool,
}

/// What the kernel does with a signal: its `struct sigaction`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Action {
    handler: usize,
    flags: usize,
    restorer: usize,
    mask: u64,
}

impl Action {
    /// Whether this crate may call the handler itself, which does all that the kernel would.
    fn can_be_called(&self) -> bool {
        !matches!(self.handler, libc::SIG_DFL | libc::SIG_IGN)
            && self.flags & libc::SA_RESETHAND as usize == 0
    }
}

/// That a thread has no stack for signals.
const NO_STACK: libc::stack_t =
    libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: 0 };

fn action(signal: i32) -> Action {
    let mut action = Action { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };
    let to = (&raw mut action).expose_provenance();
    let what = [signal.into(), 0, to as _, size_of::<u64>() as _, 0, 0];
    // SAFETY: the kernel writes one to `action`.
    unsafe { kernel::enter(libc::SYS_rt_sigaction, what) };
    action
}

/// Whether a signal does nothing to whoever has not blocked it.
pub(crate) fn is_ignored(signal: i32) -> bool {
    match action(signal).handler {
        libc::SIG_IGN => true,
        libc::SIG_DFL => {
            matches!(signal, libc::SIGCHLD | libc::SIGCONT | libc::SIGURG | libc::SIGWINCH)
        }
        _ => false,
    }
}

/// What the calling process says with a signal that it sends.
pub(crate) fn info(signal: i32, code: i32) -> siginfo_t {
    #[repr(C)]
    struct Sent {
        signo: c_int,
        errno: c_int,
        code: c_int,
        #[cfg(target_pointer_width = "64")]
        gap: c_int,
        pid: libc::pid_t,
        uid: libc::uid_t,
        value: libc::sigval,
    }
    let mut info = no_info();
    // SAFETY: the kernel's layout of what is sent by a process; asks for two numbers.
    unsafe {
        (*(&raw mut info).cast::<Sent>()) = Sent {
            signo: signal,
            errno: 0,
            code,
            gap: 0,
            pid: kernel::enter(libc::SYS_getpid, [0; 6]) as _,
            uid: kernel::enter(libc::SYS_getuid, [0; 6]) as _,
            value: libc::sigval { sival_ptr: ptr::null_mut() },
        };
    }
    info
}

/// The same with a value.
pub(crate) fn info_with(signal: i32, code: i32, value: libc::sigval) -> siginfo_t {
    let mut info = info(signal, code);
    *value_in(&mut info) = value.sival_ptr.expose_provenance();
    info
}

/// The value that was said with a signal.
pub(super) fn value_in(info: &mut siginfo_t) -> &mut usize {
    /// Behind three numbers, a gap, and two numbers: see `info`.
    const AT: usize = 24;
    // SAFETY: within it, and aligned as it is.
    unsafe { &mut *ptr::from_mut(info).byte_add(AT).cast::<usize>() }
}

unsafe extern "C-unwind" {
    /// Sets the kernel's mask of the calling OS thread: the handler of what that opens runs here.
    #[link_name = "__sylvan_posix_deliver"]
    fn deliver_with(mask: *const u64);
}

#[cfg(target_arch = "x86_64")]
calls_program!(
    "__sylvan_posix_deliver",
    "__sylvan_posix_delivered",
    [
        "mov rsi, rdi",
        "mov edi, {set}",
        "xor edx, edx",
        "mov r10d, 8",
        "mov eax, {call}",
        "syscall",
        "__sylvan_posix_delivered:",
        "ret",
    ],
    set = const libc::SIG_SETMASK,
    call = const libc::SYS_rt_sigprocmask,
);

#[cfg(target_arch = "aarch64")]
calls_program!(
    "__sylvan_posix_deliver",
    "__sylvan_posix_delivered",
    [
        "mov x1, x0",
        "mov x0, #{set}",
        "mov x2, #0",
        "mov x3, #8",
        "mov x8, #{call}",
        "svc #0",
        "__sylvan_posix_delivered:",
        "ret",
    ],
    set = const libc::SIG_SETMASK,
    call = const libc::SYS_rt_sigprocmask,
);

unsafe extern "C-unwind" {
    /// Calls a handler.
    #[link_name = "__sylvan_posix_handle"]
    fn handle_with(
        handler: usize,
        signal: c_int,
        info: *mut siginfo_t,
        context: *mut libc::ucontext_t,
    );
}

#[cfg(target_arch = "x86_64")]
calls_program!(
    "__sylvan_posix_handle",
    "__sylvan_posix_handled",
    [
        "sub rsp, 8",
        ".cfi_adjust_cfa_offset 8",
        "mov rax, rdi",
        "mov edi, esi",
        "mov rsi, rdx",
        "mov rdx, rcx",
        "call rax",
        "__sylvan_posix_handled:",
        "add rsp, 8",
        ".cfi_adjust_cfa_offset -8",
        "ret",
    ]
);

#[cfg(target_arch = "aarch64")]
calls_program!(
    "__sylvan_posix_handle",
    "__sylvan_posix_handled",
    [
        "stp x29, x30, [sp, #-16]!",
        ".cfi_def_cfa_offset 16",
        ".cfi_offset x29, -16",
        ".cfi_offset x30, -8",
        "mov x9, x0",
        "mov w0, w1",
        "mov x1, x2",
        "mov x2, x3",
        "blr x9",
        "__sylvan_posix_handled:",
        "ldp x29, x30, [sp], #16",
        ".cfi_def_cfa_offset 0",
        ".cfi_restore x29",
        ".cfi_restore x30",
        "ret",
    ]
);

/// Where the program's own code was interrupted, as the kernel says it to a handler.
pub(crate) type Interrupted<'a> = Option<&'a mut libc::ucontext_t>;

/// Has all delivered that is left for the calling thread and not blocked.
pub(crate) fn deliver(signals: &Signals, mut interrupted: Interrupted<'_>) -> Ran {
    let mut ran = Ran::default();
    while let Some(info) = signals.take(!signals.mask()) {
        deliver_one(signals, &info, interrupted.as_deref_mut(), &mut ran);
    }
    ran
}

/// Sends a signal to the calling OS thread, as the kernel might.
pub(super) fn send_to_own(info: &siginfo_t) {
    // SAFETY: asks for a number.
    let this = unsafe { kernel::enter(libc::SYS_gettid, [0; 6]) } as i32;
    if !kernel::send_to(this, info) {
        // There is no room for what is said with it. As a `kill` it needs none.
        let mut plain = *info;
        plain.si_code = libc::SI_USER;
        kernel::send_to(this, &plain);
    }
}

#[inline(never)]
fn deliver_one(signals: &Signals, info: &siginfo_t, interrupted: Interrupted<'_>, ran: &mut Ran) {
    let signal = info.si_signo;
    if is_ignored(signal) {
        return;
    }
    let action = action(signal);
    let mut mask = signals.mask();
    if action.handler != libc::SIG_DFL {
        let own = if action.flags & libc::SA_NODEFER as usize == 0 { bit(signal) } else { 0 };
        signals.set_mask(mask | action.mask | own);
        ran.any = true;
        ran.any_that_ends |= action.flags & libc::SA_RESTART as usize == 0;
    }
    let error = errno();
    let outer = signals.begin_handler();
    let own_stack =
        signals.own_stack.get().filter(|_| action.flags & libc::SA_ONSTACK as usize != 0);
    match interrupted {
        Some(context) if own_stack.is_none() && action.can_be_called() => {
            set_mask(sylvan::contract::signal::cover());
            let mut info = *info;
            mask = call_as(signals, mask, action.handler, signal, &raw mut info, context);
        }
        _ => {
            if let Some(Stack(mut stack)) = own_stack {
                signals.alternate.set(Some(alternate_stack()));
                stack.ss_flags |= SS_AUTODISARM;
                set_alternate_stack(Stack(stack));
            }
            send_to_own(info);
            let open = sylvan::contract::signal::cover() & !bit(signal);
            // The handler runs in here.
            // SAFETY: the kernel reads a mask; the handler is the program's.
            unsafe { deliver_with(&raw const open) };
        }
    }
    // It may be another OS thread now; or a child of a fork, which is one.
    set_mask(if own().is_some() { sylvan::contract::signal::cover() } else { mask });
    if let Some(here) = signals.end_handler(outer) {
        set_alternate_stack(here);
    }
    signals.set_mask(mask);
    super::attendant::has_open(!mask);
    set_errno(error);
}

/// Calls a handler as the kernel would.
pub(super) fn call(
    handler: usize,
    signal: c_int,
    info: *mut siginfo_t,
    context: &mut libc::ucontext_t,
) {
    // SAFETY: the handler is the program's, and these are the kernel's.
    unsafe { handle_with(handler, signal, info, ptr::from_mut(context)) };
}

/// The same where a green thread was interrupted, whose mask was this one; the mask that it goes on with. The handler is
/// told of the thread, not of its OS thread, and may change its mask.
pub(super) fn call_as(
    signals: &Signals,
    mask: u64,
    handler: usize,
    signal: c_int,
    info: *mut siginfo_t,
    context: &mut libc::ucontext_t,
) -> u64 {
    context.uc_stack = signals.own_stack.get().map_or(NO_STACK, |Stack(stack)| stack);
    let kernels = mem::replace(mask_in(context), mask);
    call(handler, signal, info, context);
    let mask = *mask_in(context) & !super::NEVER;
    // A child of a fork goes on as an OS thread.
    *mask_in(context) = if own().is_some() { kernels } else { mask };
    mask
}

/// The mask in there.
pub(super) fn mask_in(context: &mut libc::ucontext_t) -> &mut u64 {
    // SAFETY: the kernel's mask is what a set begins with.
    unsafe { &mut *(&raw mut context.uc_sigmask).cast::<u64>() }
}

/// The calling thread is about to wait, in a handler.
#[cold]
pub(crate) fn leave_handler(signals: &Signals) {
    if let Some(own) = signals.alternate.get() {
        set_alternate_stack(own);
    }
    set_mask(sylvan::contract::signal::cover());
}

/// It goes on, in the handler.
#[cold]
pub(crate) fn go_on_in_handler(signals: &Signals) {
    signals.alternate.set(Some(alternate_stack()));
}

/// The alternate stack of the calling OS thread.
pub(crate) fn alternate_stack() -> Stack {
    // SAFETY: numbers and a pointer.
    let mut stack: libc::stack_t = unsafe { mem::zeroed() };
    let to = (&raw mut stack).expose_provenance() as _;
    // SAFETY: the kernel writes one to `stack`.
    unsafe { kernel::enter(libc::SYS_sigaltstack, [0, to, 0, 0, 0, 0]) };
    Stack(stack)
}

/// Gives the calling OS thread another one.
fn set_alternate_stack(stack: Stack) {
    let from = (&raw const stack.0).expose_provenance() as _;
    // SAFETY: the kernel reads one; it is the program's, or what the OS thread had.
    unsafe { kernel::enter(libc::SYS_sigaltstack, [from, 0, 0, 0, 0, 0]) };
}

/// Runs `f` with the thread's own mask put on, where the kernel looks: at what a child inherits.
pub(crate) fn wearing_own_mask<T>(f: impl FnOnce() -> T) -> T {
    let Some(signals) = super::own::own() else { return f() };
    let before = lock::set_mask(signals.mask());
    let result = f();
    set_mask(before);
    result
}

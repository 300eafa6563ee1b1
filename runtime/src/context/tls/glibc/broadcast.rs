//! Broadcasts of glibc's, which meet an OS thread while it is at a green thread's block.
//!
//! For POSIX a process has one user and one group; for the kernel each OS thread has its own. So glibc's
//! `setuid`, `setgid`, `setgroups` and their like go to all of them. glibc marks each thread that it has
//! made, in its `struct pthread`, sends each a signal that no program uses (33), and waits. The handler
//! makes the system call, clears the mark and counts. It takes its `struct pthread` from the thread
//! pointer. At a green thread's block it would clear a mark that was never set; then that call would never
//! return, and the OS thread would never end.
//!
//! So there is a handler in front of glibc's. It moves the thread pointer to the OS thread's own block,
//! calls glibc's handler, and moves it back.
//!
//! # Why it is right at each instruction
//!
//! The thread pointer moves in one instruction (`thread_pointer`), so the handler finds it at
//!
//! - the OS thread's own block: the `tid` there is the kernel's number of the thread, written before it
//!   runs. The handler only passes the signal on. So it does in the child of a fork, whose one thread the
//!   kernel has given its number, in the block where it was.
//! - a green thread's block: the `tid` there is one of ours, written before the block is first entered.
//!   The OS thread has asked for its home before it enters any, so that `homes` has it. The green thread
//!   is this OS thread's alone (`scheduler::relay`), and stays so: whoever could let go of it is what the
//!   handler interrupts. So the thread pointer goes back to where it was. Meanwhile the OS thread's own
//!   block is used by the handler alone, since the code that would use it is at the other one.
//!
//! The handler blocks all signals: no other one's handler sees the OS thread's block in the place of the
//! green thread's. It is called on the stack for signals, if the OS thread has one, and else on the one
//! that it interrupts, a worker's or a green thread's. It touches no thread-local, takes no lock,
//! allocates nothing, and makes one system call, that for the thread's number.
//!
//! # A green thread that calls
//!
//! glibc does not know that it is on one of the OS threads in its list: it sends that one the signal, too,
//! which arrives when the system call that sends it returns. At the end glibc makes the call that it has
//! broadcast once more, on its own behalf. It changes nothing then, and is allowed: each of these calls may
//! set what is set already.
//!
//! # Its other signal
//!
//! 32 cancels a thread. It goes to the OS thread whose number is in the `pthread_t`; that of a green
//! thread leads to none, and nobody has one of a worker.

use std::ffi::{c_int, c_void};
use std::io;
use std::mem;
use std::ptr;
use std::sync::OnceLock;

use super::{GREEN_TIDS, homes};
use crate::context::thread_pointer;
use crate::report;
use crate::sys::kernel;

/// `SIGSETXID`.
const SIGNAL: c_int = 33;

type Handler = extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void);

/// The kernel's `struct sigaction`. libc's functions refuse this signal.
#[repr(C)]
struct Action {
    handler: usize,
    flags: libc::c_ulong,
    restorer: usize,
    mask: u64,
}

struct Installed {
    /// glibc's own.
    next: Handler,
    /// Where a block has its `tid`, from the thread pointer.
    tid: isize,
}

static INSTALLED: OnceLock<Installed> = OnceLock::new();

/// Puts the handler in front of glibc's, which is there since the first thread was made; once. `tid` is
/// where a block has its own, from the thread pointer.
pub(super) fn install(tid: isize) -> io::Result<()> {
    let mut action = Action { handler: 0, flags: 0, restorer: 0, mask: 0 };
    // SAFETY: asks for what is in force.
    unsafe { sigaction(ptr::null(), &raw mut action)? };
    if matches!(action.handler, libc::SIG_DFL | libc::SIG_IGN) {
        // A libc that does not broadcast, or by other means.
        return Ok(());
    }
    // SAFETY: glibc's handler is one of three arguments.
    let next = unsafe { mem::transmute::<usize, Handler>(action.handler) };
    if INSTALLED.set(Installed { next, tid }).is_err() {
        return Ok(());
    }
    action.handler = on_broadcast as *const () as usize;
    action.mask = u64::MAX;
    // SAFETY: as it was, but for the handler, which passes on what it gets.
    unsafe { sigaction(&raw const action, ptr::null_mut()) }
}

/// # Safety
///
/// Each is null, or an action; the new one's handler is as signals need it.
unsafe fn sigaction(new: *const Action, old: *mut Action) -> io::Result<()> {
    let (new, old) = (new.expose_provenance(), old.expose_provenance());
    let what = [SIGNAL as usize, new, old, size_of::<u64>(), 0, 0];
    // SAFETY: as the caller promises.
    unsafe { kernel::call(libc::SYS_rt_sigaction, what) }.map(drop)
}

extern "C" fn on_broadcast(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    let Some(installed) = INSTALLED.get() else { return };
    let here = thread_pointer::get();
    // SAFETY: see the header: whichever block it is, its `tid` is there.
    let tid = unsafe { (here.wrapping_add_signed(installed.tid) as *const u32).read() };
    if !GREEN_TIDS.contains(&tid) {
        return (installed.next)(signal, info, context);
    }
    let Some(home) = homes::find() else {
        report::fatal(format_args!("an OS thread has lost its thread-locals"));
    };
    // SAFETY: the OS thread's own block; no thread-local is touched here but by glibc's handler.
    unsafe { thread_pointer::set(home) };
    (installed.next)(signal, info, context);
    // SAFETY: where it was; the green thread is this OS thread's still.
    unsafe { thread_pointer::set(here) };
}

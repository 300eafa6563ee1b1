//! The signal mask that the kernel has for an OS thread: a bit for each signal that is blocked.

use std::io;
use std::ptr;

use super::kernel;
use crate::primitive::{AtomicU64, Ordering};

/// Blocks all but what a thread does to itself by a fault, and what libc sends to its threads.
pub(crate) const ALL: u64 = {
    const LEFT_OUT: &[i32] = &[
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGSEGV,
        libc::SIGSYS,
        // libc's own: to cancel a thread, and to have all change their user. musl has one for timers, too.
        32,
        33,
        #[cfg(target_env = "musl")]
        34,
    ];
    let (mut mask, mut i) = (!NEVER, 0);
    while i < LEFT_OUT.len() {
        mask &= !bit(LEFT_OUT[i]);
        i += 1;
    }
    mask
};

/// What a thread wears that is nobody's at the moment: `ALL`, but for what was left open since.
static COVER: AtomicU64 = AtomicU64::new(ALL);

/// What a thread wears that is nobody's at the moment.
pub(crate) fn cover() -> u64 {
    // It changes before there are other threads.
    COVER.load(Ordering::Relaxed)
}

/// Leaves signals open in what these threads wear.
pub(crate) fn leave_open(set: u64) {
    COVER.fetch_and(!set, Ordering::Relaxed);
}

/// What the kernel lets nobody block.
pub(crate) const NEVER: u64 = bit(libc::SIGKILL) | bit(libc::SIGSTOP);

/// The bit of a signal.
pub(super) const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// The mask of the calling OS thread.
pub(crate) fn mask() -> u64 {
    change(libc::SIG_BLOCK, None).expect("a question")
}

/// Sets the mask of the calling OS thread.
pub(crate) fn set_mask(mask: u64) {
    change(libc::SIG_SETMASK, Some(mask)).expect("a mask");
}

/// Has the calling OS thread block these, too; what its mask was.
pub(crate) fn block(set: u64) -> u64 {
    change(libc::SIG_BLOCK, Some(set)).expect("a mask")
}

/// Changes the mask of the calling OS thread as `SIG_BLOCK` and its like say; what it was.
///
/// # Errors
///
/// What the kernel says of `how`.
pub(crate) fn change(how: i32, set: Option<u64>) -> io::Result<u64> {
    let set = set.as_ref().map_or(ptr::null(), ptr::from_ref);
    let mut before = 0_u64;
    let to = (&raw mut before).expose_provenance();
    let what = [how as usize, set.expose_provenance(), to, size_of::<u64>(), 0, 0];
    // SAFETY: the kernel reads eight bytes at `set`, if it is there, and writes eight to `before`.
    unsafe { kernel::call(libc::SYS_rt_sigprocmask, what) }?;
    Ok(before)
}

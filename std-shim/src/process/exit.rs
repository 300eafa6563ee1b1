//! The end of the process.
//!
//! std lets one thread go through with an exit: another one that comes meanwhile waits for ever, and the
//! same one, from a handler (`atexit`), is an abort. It knows threads by `pthread_self`, and has the others
//! wait in the kernel. Where green threads share their worker's thread-locals, that is one for all of a
//! worker. If a handler waits, the next one of the same worker would be taken for the first. So the mirror
//! lets one through by its own number, and parks the others.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::bridge;

/// The number of the thread that exits; 0 while there is none.
static EXITING: AtomicU64 = AtomicU64::new(0);

/// Ends the process with this status. No thread runs its destructors, this one included.
///
/// If several threads call it, one ends the process, and the others wait for that.
///
/// This corresponds to [`std::process::exit`].
///
/// ```no_run
/// std_shim::process::exit(3);
/// ```
pub fn exit(code: i32) -> ! {
    let caller = bridge::current().id().get();
    // It decides who goes on, and orders nothing.
    let first = EXITING.compare_exchange(0, caller, Ordering::Relaxed, Ordering::Relaxed);
    if first.is_ok() || first == Err(caller) {
        ::std::process::exit(code)
    }
    loop {
        bridge::park();
    }
}

//! The kernel's futex.

use std::time::Duration;

use super::kernel;
use crate::primitive::AtomicU32;
use rustix::io::Errno;
use rustix::thread::futex::{self, Flags, Timespec};

/// Blocks the OS thread while `*word == expected`, for at most `timeout`; may return early. Whether a
/// signal's handler has ended that.
pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) -> bool {
    let timeout = timeout.map(|left| Timespec {
        tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: left.subsec_nanos().into(),
    });
    // An error is a changed word, a passed timeout or a signal: the caller looks again.
    futex::wait(word, Flags::PRIVATE, expected, timeout.as_ref()) == Err(Errno::INTR)
}

/// Wakes up to `n` OS threads that wait at `word`, which may be gone by now: a word that has become
/// another one sees a spurious wake-up, which every futex user has to bear.
pub(crate) fn wake(word: *const AtomicU32, n: u32) {
    let n = i32::try_from(n).unwrap_or(i32::MAX);
    let how = libc::FUTEX_WAKE | libc::FUTEX_PRIVATE_FLAG;
    // `rustix` wants a word that is there.
    // SAFETY: the kernel takes the address as a key alone and answers EFAULT for a bad one.
    let _ =
        unsafe { kernel::call(libc::SYS_futex, [word.addr(), how as usize, n as usize, 0, 0, 0]) };
}

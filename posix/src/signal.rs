//! Signal masks: a green thread has its own, which goes with it from one OS thread to another.

pub mod own;

use std::io;
use std::ptr;

use libc::{c_int, sigset_t};

use crate::errno::set_errno;
use crate::names::in_place_of_libc;

in_place_of_libc! { pthread_sigmask, sigprocmask }

/// glibc's own signals, which it lets nobody block: to cancel a thread, and to have all change their user.
const INTERNAL: u64 = 1 << 31 | 1 << 32;

/// The system call, for a thread of this process.
///
/// # Safety
///
/// `set` is null or points to a mask of the kernel's, and `before` is null or points to where one may be
/// written.
pub(crate) unsafe fn rt_sigprocmask(
    how: c_int,
    set: *const u64,
    before: *mut u64,
) -> io::Result<()> {
    // SAFETY: as the caller promises. They may be the same.
    let set = (!set.is_null()).then(|| unsafe { set.read_unaligned() });
    let was = sylvan::signal::change_mask(how, set)?;
    if !before.is_null() {
        // SAFETY: as the caller promises.
        unsafe { before.write_unaligned(was) };
    }
    Ok(())
}

/// As libc's.
///
/// # Safety
///
/// As for libc's: `set` is null or points to a set, and `before` is null or points to where one may be
/// written.
pub unsafe extern "C" fn pthread_sigmask(
    how: c_int,
    set: *const sigset_t,
    before: *mut sigset_t,
) -> c_int {
    // The kernel's mask is what a set begins with. libc leaves the rest of `before` alone, too.
    let set = set.cast::<u64>();
    // SAFETY: as the caller promises.
    let set = (!set.is_null()).then(|| unsafe { set.read_unaligned() } & !INTERNAL);
    let from = set.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: as the caller promises.
    let result = unsafe { rt_sigprocmask(how, from, before.cast()) };
    result.map_or_else(|error| error.raw_os_error().unwrap_or(libc::EINVAL), |()| 0)
}

/// As libc's.
///
/// # Safety
///
/// As for `pthread_sigmask`.
pub unsafe extern "C" fn sigprocmask(
    how: c_int,
    set: *const sigset_t,
    before: *mut sigset_t,
) -> c_int {
    // SAFETY: as the caller promises.
    let error = unsafe { pthread_sigmask(how, set, before) };
    if error == 0 {
        return 0;
    }
    set_errno(error);
    -1
}

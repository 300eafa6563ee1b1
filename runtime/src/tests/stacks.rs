//! Stacks of the models' threads, kept for the next execution.
//!
//! A model has hundreds of thousands of executions, and each makes its threads anew: loom takes a
//! stack for each from the kernel and gives it back, which is half of the time. So `mmap` and
//! `munmap` are stood in for here, for stacks alone: what is given back is kept, and handed out again
//! when as large a one is asked for. A stack that comes from here holds what was left in it, which
//! a stack may.

use std::os::raw::{c_int, c_void};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Address and length of the stacks that are in use, and of those that are not.
struct Stacks {
    used: Vec<(usize, usize)>,
    free: Vec<(usize, usize)>,
}

static STACKS: Mutex<Stacks> = Mutex::new(Stacks { used: Vec::new(), free: Vec::new() });

fn stacks() -> MutexGuard<'static, Stacks> {
    STACKS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes an element out of a list.
fn take(list: &mut Vec<(usize, usize)>, is_it: impl Fn(usize, usize) -> bool) -> Option<usize> {
    let at = list.iter().position(|(address, len)| is_it(*address, *len))?;
    Some(list.swap_remove(at).0)
}

/// The system call, but for stacks.
///
/// # Safety
///
/// As for the system call.
#[unsafe(no_mangle)]
unsafe extern "C" fn mmap(
    address: *mut c_void,
    len: usize,
    protection: c_int,
    flags: c_int,
    fd: c_int,
    offset: i64,
) -> *mut c_void {
    let is_stack = address.is_null() && flags & libc::MAP_STACK != 0;
    if is_stack {
        let mut stacks = stacks();
        if let Some(kept) = take(&mut stacks.free, |_, kept_len| kept_len == len) {
            stacks.used.push((kept, len));
            return std::ptr::with_exposed_provenance_mut(kept);
        }
    }
    // SAFETY: as the caller promises.
    let mapped =
        unsafe { libc::syscall(libc::SYS_mmap, address, len, protection, flags, fd, offset) };
    if is_stack && mapped != -1 {
        stacks().used.push((mapped as usize, len));
    }
    std::ptr::with_exposed_provenance_mut(mapped as usize)
}

/// The system call, but for stacks.
///
/// # Safety
///
/// As for the system call.
#[unsafe(no_mangle)]
unsafe extern "C" fn munmap(address: *mut c_void, len: usize) -> c_int {
    let mut stacks = stacks();
    let is_it = |used, used_len| used == address.addr() && used_len == len;
    if let Some(stack) = take(&mut stacks.used, is_it) {
        stacks.free.push((stack, len));
        return 0;
    }
    drop(stacks);
    // SAFETY: as the caller promises.
    unsafe { libc::syscall(libc::SYS_munmap, address, len) as c_int }
}

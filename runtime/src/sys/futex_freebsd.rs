//! FreeBSD's `_umtx_op`.

use std::io;
use std::mem;
use std::ptr;
use std::time::Duration;

use crate::primitive::AtomicU32;

/// Blocks the OS thread while `*word == expected`, for at most `timeout`; may return early. Whether a
/// signal's handler has ended that.
pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) -> bool {
    let mut left = timeout.map(|left| libc::timespec {
        tv_sec: left.as_secs().try_into().unwrap_or(libc::time_t::MAX),
        tv_nsec: left.subsec_nanos().into(),
    });
    let left = left.as_mut().map_or(ptr::null_mut(), ptr::from_mut);
    // SAFETY: `word` and the timeout are valid for the call; a null timeout waits without limit.
    let result = unsafe {
        libc::_umtx_op(
            ptr::from_ref(word).cast_mut().cast(),
            libc::UMTX_OP_WAIT_UINT_PRIVATE,
            libc::c_ulong::from(expected),
            ptr::without_provenance_mut(mem::size_of::<libc::timespec>()),
            left.cast(),
        )
    };
    result != 0 && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
}

/// Wakes up to `n` OS threads that wait at `word`, which may be gone by now.
pub(crate) fn wake(word: *const AtomicU32, n: u32) {
    // SAFETY: the kernel takes the address as a key alone.
    unsafe {
        libc::_umtx_op(
            word.cast_mut().cast(),
            libc::UMTX_OP_WAKE_PRIVATE,
            libc::c_ulong::from(n.min(i32::MAX as u32)),
            ptr::null_mut(),
            ptr::null_mut(),
        );
    }
}

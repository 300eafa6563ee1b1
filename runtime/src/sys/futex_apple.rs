//! `os_sync_wait_on_address`, public since macOS 14.4 and iOS 17.4.

use std::io;
use std::time::Duration;

use crate::primitive::AtomicU32;

const CLOCK_MACH_ABSOLUTE_TIME: u32 = 32;
const FLAGS_NONE: u32 = 0;

unsafe extern "C" {
    fn os_sync_wait_on_address(addr: *const AtomicU32, value: u64, size: usize, flags: u32) -> i32;
    fn os_sync_wait_on_address_with_timeout(
        addr: *const AtomicU32,
        value: u64,
        size: usize,
        flags: u32,
        clock: u32,
        timeout_ns: u64,
    ) -> i32;
    fn os_sync_wake_by_address_any(addr: *const AtomicU32, size: usize, flags: u32) -> i32;
    fn os_sync_wake_by_address_all(addr: *const AtomicU32, size: usize, flags: u32) -> i32;
}

/// Blocks the OS thread while `*word == expected`, for at most `timeout`; may return early. Whether a
/// signal's handler has ended that.
pub(crate) fn wait(word: &AtomicU32, expected: u32, timeout: Option<Duration>) -> bool {
    let result = match timeout {
        // SAFETY: `word` is valid for the call and four bytes long.
        None => unsafe { os_sync_wait_on_address(word, expected.into(), 4, FLAGS_NONE) },
        Some(left) => {
            // A timeout of zero is an error there: the shortest one is a nanosecond.
            let left_ns = u64::try_from(left.as_nanos()).unwrap_or(u64::MAX).max(1);
            // SAFETY: as above.
            unsafe {
                os_sync_wait_on_address_with_timeout(
                    word,
                    expected.into(),
                    4,
                    FLAGS_NONE,
                    CLOCK_MACH_ABSOLUTE_TIME,
                    left_ns,
                )
            }
        }
    };
    result < 0 && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
}

/// Wakes one OS thread (`n` = 1) or all that wait at `word`, which may be gone by now.
pub(crate) fn wake(word: *const AtomicU32, n: u32) {
    // SAFETY: the address is a key; nobody waiting there is an error that does not matter.
    unsafe {
        if n == 1 {
            os_sync_wake_by_address_any(word, 4, FLAGS_NONE);
        } else {
            os_sync_wake_by_address_all(word, 4, FLAGS_NONE);
        }
    }
}

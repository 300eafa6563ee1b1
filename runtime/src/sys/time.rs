//! The kernel's clocks, for who compares them with what somebody else has read.

use rustix::time::{ClockId, Timespec, clock_gettime};

fn ns(time: Timespec) -> u64 {
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// The one that never jumps.
pub(crate) fn monotonic_ns() -> u64 {
    ns(clock_gettime(ClockId::Monotonic))
}

/// Nanoseconds since 1970.
pub(crate) fn unix_ns() -> u64 {
    ns(clock_gettime(ClockId::Realtime))
}

//! Time as the runtime counts it: nanoseconds since it first looked.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

static BASE: OnceLock<Instant> = OnceLock::new();

fn base() -> Instant {
    *BASE.get_or_init(|| {
        let time = clock_gettime(ClockId::Monotonic);
        let ns = time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned();
        BASE_NS.store(ns, Ordering::Relaxed);
        Instant::now()
    })
}

/// What the clock of the kernel's said then: for who looks from outside, and good to a microsecond.
pub(crate) static BASE_NS: AtomicU64 = AtomicU64::new(0);

/// `instant` in nanoseconds; what lies before the first look is 0.
pub(crate) fn ns(instant: Instant) -> u64 {
    u64::try_from(instant.saturating_duration_since(base()).as_nanos()).unwrap_or(u64::MAX)
}

pub(crate) fn now_ns() -> u64 {
    ns(Instant::now())
}

/// The same, if anybody has looked before: it waits for nobody.
pub(crate) fn seen_ns() -> Option<u64> {
    BASE.get().map(|_| now_ns())
}

/// How long until `deadline_ns`, from `now_ns` on.
pub(crate) fn left(deadline_ns: u64, now_ns: u64) -> Duration {
    Duration::from_nanos(deadline_ns.saturating_sub(now_ns))
}

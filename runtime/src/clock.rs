//! Time as the runtime counts it: nanoseconds since it first looked.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

fn base() -> Instant {
    static BASE: OnceLock<Instant> = OnceLock::new();
    *BASE.get_or_init(Instant::now)
}

/// `instant` in nanoseconds; what lies before the first look is 0.
pub(crate) fn ns(instant: Instant) -> u64 {
    u64::try_from(instant.saturating_duration_since(base()).as_nanos()).unwrap_or(u64::MAX)
}

pub(crate) fn now_ns() -> u64 {
    ns(Instant::now())
}

/// How long until `deadline_ns`, from `now_ns` on.
pub(crate) fn left(deadline_ns: u64, now_ns: u64) -> Duration {
    Duration::from_nanos(deadline_ns.saturating_sub(now_ns))
}

//! Time as the runtime counts it: nanoseconds since it first looked.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::sys::time;

static BASE: OnceLock<Instant> = OnceLock::new();

fn base() -> Instant {
    *BASE.get_or_init(|| {
        /// Looks, of which the fastest counts: this thread may lose its processor in one.
        const LOOKS: usize = 8;
        let look = |_| {
            let before_ns = time::monotonic_ns();
            (Instant::now(), before_ns, time::monotonic_ns() - before_ns)
        };
        let looks = [(); LOOKS].map(look).into_iter().min_by_key(|(_, _, took_ns)| *took_ns);
        let (base, base_ns, _) = looks.expect("there are some");
        BASE_NS.store(base_ns, Ordering::Relaxed);
        base
    })
}

/// What the clock of the kernel's said then, or right before it; 0 before. Also for who looks from outside.
pub(crate) static BASE_NS: AtomicU64 = AtomicU64::new(0);

/// `instant` in nanoseconds; what lies before the first look is 0.
pub(crate) fn ns(instant: Instant) -> u64 {
    u64::try_from(instant.saturating_duration_since(base()).as_nanos()).unwrap_or(u64::MAX)
}

/// The time. Never behind [`Instant`], and ahead by less than it takes to ask: what is due by that is due.
// Not in the frames of those who ask, where threads wait.
#[inline(never)]
pub(crate) fn now_ns() -> u64 {
    // Where that is the clock of an instant, it is asked in a third of the time.
    if cfg!(any(target_os = "linux", target_os = "android")) {
        let base_ns = BASE_NS.load(Ordering::Relaxed);
        if base_ns != 0 {
            return time::monotonic_ns().saturating_sub(base_ns);
        }
    }
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

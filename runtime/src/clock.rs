//! Time as the runtime counts it: nanoseconds since it first looked.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::sys::{counter, time};

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
        counter::begin();
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

/// What a look at the clock has seen.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) ns: u64,
    /// What the processor's counter said right before.
    ticks: u64,
}

impl Look {
    pub(crate) fn now() -> Self {
        // In this order: if the thread loses its processor in between, the look is older than it seems.
        let ticks = counter::ticks();
        Self { ns: now_ns(), ticks }
    }
}

/// The last look of somebody at the clock, for whoever can do with a time that is a little behind and had rather
/// not look.
///
/// Only one at a time may note a look, and a later one later. Anybody may ask.
#[derive(Debug)]
pub(crate) struct LastLook {
    ns: AtomicU64,
    ticks: AtomicU64,
}

/// How far behind whoever does not look may be.
pub(crate) const BEHIND_NS: u64 = counter::RECENT_NS;

/// Of a time as long as this, the error of who does not look is less than a 128th.
const LONG_NS: u64 = BEHIND_NS << 7;

impl LastLook {
    pub(crate) const fn new() -> Self {
        Self { ns: AtomicU64::new(0), ticks: AtomicU64::new(0) }
    }

    #[inline]
    pub(crate) fn note(&self, look: Look) {
        self.ns.store(look.ns, Ordering::Relaxed);
        // Release pairs with the acquire in `is_recent`: who reads the ticks of a look reads its time, or that of
        // a later one.
        self.ticks.store(look.ticks, Ordering::Release);
    }

    /// Whether the time that is read after this is less than [`BEHIND_NS`] behind.
    #[inline]
    fn is_recent(&self) -> bool {
        counter::is_recent(self.ticks.load(Ordering::Acquire))
    }

    /// What ends `time_ns` after now: no earlier, and later by at most a 128th of that.
    #[inline]
    pub(crate) fn after(&self, time_ns: u64) -> u64 {
        if time_ns >= LONG_NS && self.is_recent() {
            let now_ns = self.ns.load(Ordering::Relaxed) + BEHIND_NS;
            return now_ns.saturating_add(time_ns);
        }
        now_ns().saturating_add(time_ns)
    }

    /// How long until `deadline_ns`, or longer by at most a 127th of that.
    #[inline]
    pub(crate) fn left(&self, deadline_ns: u64) -> Duration {
        let is_recent = self.is_recent();
        let before_ns = self.ns.load(Ordering::Relaxed);
        let is_long = deadline_ns.saturating_sub(before_ns) >= LONG_NS;
        left(deadline_ns, if is_long && is_recent { before_ns } else { now_ns() })
    }
}

/// How long until `deadline_ns`, from `now_ns` on.
pub(crate) fn left(deadline_ns: u64, now_ns: u64) -> Duration {
    Duration::from_nanos(deadline_ns.saturating_sub(now_ns))
}

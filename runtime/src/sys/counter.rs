//! The counter of the processor, which goes on at one rate and is read in a fraction of the time that a look at
//! the clock takes. It tells nobody what time it is, only that little has passed.

#[cfg(all(target_arch = "x86_64", any(target_os = "linux", target_os = "android")))]
use std::io::Read;

use crate::primitive::{AtomicU64, Ordering};
#[cfg(all(target_arch = "x86_64", any(target_os = "linux", target_os = "android")))]
use crate::sys::file::File;

/// Within so many ticks less than [`RECENT_NS`] pass; 0 where nothing is known of the rate.
static RECENT_TICKS: AtomicU64 = AtomicU64::new(0);

/// What is called recent is not as long ago as this: 4.2 ms.
pub(crate) const RECENT_NS: u64 = 1 << 22;

/// Finds out whether there is such a counter.
pub(crate) fn begin() {
    RECENT_TICKS.store(arch::recent_ticks(), Ordering::Relaxed);
}

/// What it says; 0 if it is not to be read.
#[inline]
pub(crate) fn ticks() -> u64 {
    if RECENT_TICKS.load(Ordering::Relaxed) == 0 { 0 } else { arch::ticks() }
}

/// Whether `then`, which it has said on any processor, is certain to be less than [`RECENT_NS`] ago.
#[inline]
pub(crate) fn is_recent(then: u64) -> bool {
    let recent = RECENT_TICKS.load(Ordering::Relaxed);
    // One that was set back meanwhile, as by a sleep of the whole machine, is far ahead.
    recent != 0 && arch::ticks().wrapping_sub(then) < recent
}

#[cfg(target_arch = "x86_64")]
mod arch {
    use std::arch::x86_64::{__cpuid, _rdtsc};

    use super::is_the_clock;

    /// None that goes on at one rate has one below 500 MHz: the slowest there are have 800.
    const RATE_HZ: u64 = 500_000_000;

    pub(super) fn ticks() -> u64 {
        // SAFETY: each x86-64 processor has the instruction. Where a program has it forbidden to itself
        // (`PR_SET_TSC`) it cannot look at the clock either.
        unsafe { _rdtsc() }
    }

    pub(super) fn recent_ticks() -> u64 {
        /// What the processor says of its states of power, and the bit for a counter that none of them changes.
        const POWER: u32 = 0x8000_0007;
        const INVARIANT: u32 = 1 << 8;
        let has_leaf = __cpuid(0x8000_0000).eax >= POWER;
        let is_steady = has_leaf && __cpuid(POWER).edx & INVARIANT != 0;
        if is_steady && is_the_clock() { RATE_HZ * super::RECENT_NS / 1_000_000_000 } else { 0 }
    }
}

/// Whether the kernel's own clock goes by it: so the kernel has found that it says the same on each processor.
#[cfg(all(target_arch = "x86_64", any(target_os = "linux", target_os = "android")))]
fn is_the_clock() -> bool {
    const PATH: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    let mut name = [0; 16];
    let n = File::open(PATH).and_then(|mut file| file.read(&mut name)).unwrap_or(0);
    name[..n].trim_ascii_end() == b"tsc"
}

/// Whether the kernel's own clock goes by it: it does not tell.
#[cfg(all(target_arch = "x86_64", not(any(target_os = "linux", target_os = "android"))))]
fn is_the_clock() -> bool {
    false
}

#[cfg(target_arch = "aarch64")]
mod arch {
    use std::arch::asm;

    pub(super) fn ticks() -> u64 {
        let ticks;
        // SAFETY: it reads a register, which the systems that are supported let programs read.
        unsafe {
            asm!("mrs {}, cntvct_el0", out(reg) ticks, options(nomem, nostack, preserves_flags))
        };
        ticks
    }

    pub(super) fn recent_ticks() -> u64 {
        let rate_hz: u64;
        // SAFETY: as above.
        unsafe {
            asm!("mrs {}, cntfrq_el0", out(reg) rate_hz, options(nomem, nostack, preserves_flags))
        };
        // Half of what it says: that is written there by whatever starts the machine.
        (rate_hz & 0xffff_ffff) * super::RECENT_NS / 2_000_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hint;
    use std::time::{Duration, Instant};

    #[test]
    fn what_was_longer_ago_is_not_recent() {
        begin();
        for _ in 0..5 {
            let (then, began) = (ticks(), Instant::now());
            while began.elapsed() < Duration::from_nanos(RECENT_NS) {
                hint::spin_loop();
            }
            assert!(!is_recent(then));
        }
    }

    #[test]
    fn what_is_recent_was_little_ago_by_the_clock() {
        begin();
        let then = ticks();
        let began = Instant::now();
        loop {
            // The clock is asked first: this thread may lose its processor in between.
            let ago = began.elapsed();
            if !is_recent(then) {
                break;
            }
            assert!(ago < Duration::from_nanos(RECENT_NS));
        }
    }

    #[test]
    fn a_counter_that_was_set_back_is_not_recent() {
        begin();
        assert!(!is_recent(ticks().wrapping_add(1 << 40)));
    }
}

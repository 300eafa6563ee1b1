//! How a thread computes with floating point: how it rounds, what traps, and what has happened since somebody asked
//! (`fesetround`, `feenableexcept`, `fetestexcept`).
//!
//! The kernel keeps these words for each OS thread. To save and compare them at each switch takes 4 ns, and 30 where they
//! differ, since whoever reads them waits for who has last written them. Few programs look at them. So they go with a
//! thread from when somebody first changes them or asks ([`keep`]), and whoever does so by libc's functions says it
//! before. Until then a switch costs a comparison each way.
//!
//! ```text
//!   a thread                        its words
//!     suspends                        lie on its stack, and the worker goes on with the first ones
//!     is resumed                      are put back
//!     is spawned                      are those of its spawner (`task::rare`)
//!   the same, before anybody asked  are not known: it goes on with the first ones
//! ```
//!
//! The first ones are how the one computed that first asked, with nothing that has happened. The worker has them, since
//! what it does between two threads is not to trap.

use std::sync::atomic::{AtomicU64, Ordering};

use self::arch::{CONTROL, KNOWN, put, words};

/// The first words; 0 as long as nobody has asked. Who asks sees them, since it has stored them itself or is told of
/// another's by what has told it of anything else of that thread's; so nothing is ordered by it.
static FIRST: AtomicU64 = AtomicU64::new(0);

/// The words of a thread that does not run; 0 if they are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Floating(u64);

impl Floating {
    pub(crate) const UNKNOWN: Self = Self(0);

    /// Those of the calling thread, where a thread that it spawns is not to begin with the first ones.
    #[cold]
    pub(crate) fn to_inherit() -> Option<Self> {
        let words = words();
        (words != first()).then_some(Self(words))
    }

    /// Those of the calling thread, which is about to suspend or to end.
    #[cold]
    pub(super) fn take() -> Self {
        let (words, first) = (words(), first());
        if (words ^ first) & CONTROL != 0 {
            put(words, first);
        }
        Self(words)
    }

    /// The calling thread goes on with these.
    #[cold]
    pub(crate) fn put_back(self) {
        let wanted = if self == Self::UNKNOWN { first() } else { self.0 };
        let words = words();
        if words != wanted {
            put(words, wanted);
        }
    }
}

/// Whether threads have words of their own. Otherwise nobody asks for any.
#[inline(always)]
pub(crate) fn is_kept() -> bool {
    first() != 0
}

#[inline(always)]
fn first() -> u64 {
    FIRST.load(Ordering::Relaxed)
}

/// From now on each thread's words are its own. To be called before the calling thread changes its own, or asks for
/// them.
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "nobody says it there"))]
pub fn keep() {
    if !is_kept() {
        let first = words() & CONTROL | KNOWN;
        // Whoever is second goes by the first one's.
        let _ = FIRST.compare_exchange(0, first, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// `mxcsr`, the control word of the x87 unit, which computes what is a `long double`, and what has happened there.
#[cfg(target_arch = "x86_64")]
mod arch {
    use std::arch::asm;

    /// That there is something: a bit of none of them.
    pub(super) const KNOWN: u64 = 1 << 63;

    const CONTROL_AT: u32 = 16;
    const STATUS_AT: u32 = 32;
    /// What has happened, in either unit's word.
    const HAPPENED: u16 = 0x3f;

    /// How the thread computes, without what has happened.
    pub(super) const CONTROL: u64 = (0xffff << CONTROL_AT) | (0xffff & !(HAPPENED as u64));

    pub(super) fn words() -> u64 {
        let (mut mxcsr, mut control) = (0_u32, 0_u16);
        let status: u16;
        // SAFETY: writes two words, and a register.
        unsafe {
            asm!(
                "stmxcsr [{mxcsr}]",
                "fnstcw [{control}]",
                "fnstsw ax",
                mxcsr = in(reg) &raw mut mxcsr,
                control = in(reg) &raw mut control,
                out("ax") status,
                options(nostack, preserves_flags),
            );
        }
        KNOWN
            | u64::from(mxcsr & 0xffff)
            | u64::from(control) << CONTROL_AT
            | u64::from(status & HAPPENED) << STATUS_AT
    }

    pub(super) fn put(words: u64, wanted: u64) {
        let mxcsr = wanted as u32 & 0xffff;
        if words as u16 != wanted as u16 {
            // SAFETY: what the unit has said of some thread.
            unsafe {
                asm!(
                    "ldmxcsr [{}]",
                    in(reg) &raw const mxcsr,
                    options(nostack, preserves_flags, readonly),
                );
            }
        }
        if (words ^ wanted) >> CONTROL_AT != 0 {
            put_x87((wanted >> CONTROL_AT) as u16, (wanted >> STATUS_AT) as u16 & HAPPENED);
        }
    }

    /// What has happened can be written there only with all that the unit knows.
    fn put_x87(control: u16, happened: u16) {
        let mut environment = [0_u16; 14];
        // SAFETY: the unit writes 28 bytes, and reads them: with its own words, but for these two.
        unsafe {
            asm!("fnstenv [{}]", in(reg) &raw mut environment, options(nostack, preserves_flags));
            let status = environment[2];
            environment[0] = control;
            environment[2] = status & !HAPPENED | happened;
            asm!(
                "fldenv [{}]",
                in(reg) &raw const environment,
                options(nostack, preserves_flags, readonly),
            );
        }
    }
}

/// `fpcr`, and `fpsr`.
#[cfg(target_arch = "aarch64")]
mod arch {
    use std::arch::asm;

    /// That there is something: a bit that is never set in `fpsr` for code of 64 bits.
    pub(super) const KNOWN: u64 = 1 << 63;
    /// How the thread computes, without what has happened.
    pub(super) const CONTROL: u64 = 0xffff_ffff;

    pub(super) fn words() -> u64 {
        let (control, status): (u64, u64);
        // SAFETY: reads two registers.
        unsafe {
            asm!(
                "mrs {}, fpcr",
                "mrs {}, fpsr",
                out(reg) control,
                out(reg) status,
                options(nomem, nostack, preserves_flags),
            );
        }
        KNOWN | (control & CONTROL) | status << 32
    }

    pub(super) fn put(_: u64, wanted: u64) {
        let (control, status) = (wanted & CONTROL, (wanted & !KNOWN) >> 32);
        // SAFETY: what the unit has said of some thread.
        unsafe {
            asm!(
                "msr fpcr, {}",
                "msr fpsr, {}",
                in(reg) control,
                in(reg) status,
                options(nostack, preserves_flags),
            );
        }
    }
}

#[cfg(all(test, not(sylvan_loom)))]
mod tests {
    use super::*;

    #[test]
    fn words_that_were_put_are_there_and_others_stay() {
        let before = words();
        // Towards zero, in each unit.
        #[cfg(target_arch = "x86_64")]
        let direction = 3 << 13 | 3 << 26;
        #[cfg(target_arch = "aarch64")]
        let direction = 3 << 22;
        // Division by zero.
        #[cfg(target_arch = "x86_64")]
        let happened = 1 << 2 | 1 << 34;
        #[cfg(target_arch = "aarch64")]
        let happened = 1 << 33;
        for wanted in [before | direction, before | happened, before | direction | happened] {
            put(words(), wanted);
            let found = words();
            put(found, before);
            assert_eq!((found, words()), (wanted, before), "of {wanted:#x}");
        }
    }
}

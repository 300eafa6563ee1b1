//! How a thread computes with floating point: how it rounds, what traps, and what has happened since somebody asked
//! (`fesetround`, `feenableexcept`, `fetestexcept`, `_mm_setcsr`).
//!
//! The kernel keeps these words for each OS thread. A green thread has its own:
//!
//! ```text
//!   a thread         its words
//!     is spawned       are those of its spawner, as of a thread that the kernel makes (`task::rare`)
//!     suspends         are on its stack; the OS thread goes on with the first ones
//!     is resumed       are put back, where the OS thread has others
//! ```
//!
//! What has happened is inherited only beside something else than an inexact result: that is true of most spawners, and
//! would take an allocation for each thread.
//!
//! The *first ones* are those of the thread that has started the runtime, as it did so, but that nothing traps. The
//! runtime's own OS threads compute so: what they do between two threads is not to trap. But what has happened to a
//! thread outside of the x87 unit stays until the next one puts its own back: mostly it is the same for both, that a
//! result was inexact.
//!
//! So who is resumed knows what it finds, but for that, and reads no more. To read all of them takes 1 ns. To write them
//! takes some 15, since who reads them next waits for that; it takes two threads that compute differently.

use std::sync::atomic::{AtomicU64, Ordering};

use self::arch::{INEXACT, MAY_STAY, TRAPS_AND_HAPPENED, UNTRAPPED, differ, put, words};

/// The first words. They change before there are green threads, also where a child of a fork starts anew, so they order
/// nothing.
static FIRST: AtomicU64 = AtomicU64::new(UNTRAPPED);

/// The words of a thread that does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Floating(u64);

impl Floating {
    /// The first ones.
    #[inline]
    pub(crate) fn first() -> Self {
        Self(FIRST.load(Ordering::Relaxed))
    }

    /// Those of the calling thread, where a thread that it spawns is not to begin with the first ones.
    #[inline]
    pub(crate) fn to_inherit() -> Option<Self> {
        let words = words() & !INEXACT;
        (words != FIRST.load(Ordering::Relaxed)).then_some(Self(words))
    }

    /// Those of the calling thread, which is about to leave its OS thread to others.
    #[inline(always)]
    pub(crate) fn take() -> Self {
        let words = words();
        if (words ^ FIRST.load(Ordering::Relaxed)) & !MAY_STAY != 0 {
            put_first();
        }
        Self(words)
    }

    /// The calling thread goes on with these, on an OS thread of the runtime's that has the first ones.
    #[inline(always)]
    pub(crate) fn put_back(self) {
        if differ(FIRST.load(Ordering::Relaxed), self.0) {
            put_cold(self.0);
        }
    }
}

#[cold]
fn put_cold(wanted: u64) {
    put(words(), wanted);
}

/// The calling OS thread computes as the runtime's do.
#[cold]
pub(crate) fn put_first() {
    put(words(), FIRST.load(Ordering::Relaxed));
}

/// The runtime starts, by the calling thread.
pub(crate) fn init() {
    let first = words() & !TRAPS_AND_HAPPENED | UNTRAPPED & TRAPS_AND_HAPPENED;
    FIRST.store(first, Ordering::Relaxed);
}

/// `mxcsr`, the control word of the x87 unit, which computes what is a `long double`, and what has happened there.
#[cfg(target_arch = "x86_64")]
mod arch {
    use std::arch::asm;

    const X87_CONTROL_AT: u32 = 32;
    const X87_HAPPENED_AT: u32 = 48;

    /// What has happened, in either unit's word; what does not trap is in the same order.
    const SIX: u64 = 0x3f;
    const UNTRAPPED_AT: u32 = 7;

    /// What a worker may have of the last thread.
    pub(super) const MAY_STAY: u64 = SIX;
    pub(super) const TRAPS_AND_HAPPENED: u64 =
        SIX | SIX << UNTRAPPED_AT | SIX << X87_CONTROL_AT | SIX << X87_HAPPENED_AT;
    pub(super) const INEXACT: u64 = 1 << 5 | 1 << (X87_HAPPENED_AT + 5);
    /// As a process begins.
    pub(super) const UNTRAPPED: u64 = SIX << UNTRAPPED_AT | 0x37f << X87_CONTROL_AT;

    // The units write to memory alone. It is below the stack pointer, where neither a handler of a signal writes nor, as
    // the assembly might, the compiler: a place in the frame of whoever waits would count for all that wait.

    #[inline(always)]
    fn mxcsr() -> u32 {
        let mxcsr;
        // SAFETY: writes a word there, and reads it.
        unsafe {
            asm!(
                "stmxcsr [rsp - 8]",
                "mov {mxcsr:e}, [rsp - 8]",
                mxcsr = out(reg) mxcsr,
                options(preserves_flags),
            );
        }
        mxcsr
    }

    /// Whether these are others than those that there are: the first ones, but for what may stay.
    #[inline(always)]
    pub(super) fn differ(first: u64, wanted: u64) -> bool {
        mxcsr() != wanted as u32 || (first ^ wanted) >> X87_CONTROL_AT != 0
    }

    #[inline(always)]
    pub(super) fn words() -> u64 {
        let control: u32;
        let happened: u16;
        // SAFETY: writes a word there, and reads it.
        unsafe {
            asm!(
                "fnstcw [rsp - 8]",
                "movzx {control:e}, word ptr [rsp - 8]",
                "fnstsw ax",
                control = out(reg) control,
                out("ax") happened,
                options(preserves_flags),
            );
        }
        u64::from(mxcsr())
            | u64::from(control) << X87_CONTROL_AT
            | (u64::from(happened) & SIX) << X87_HAPPENED_AT
    }

    pub(super) fn put(words: u64, wanted: u64) {
        let mxcsr = wanted as u32;
        if words as u32 != mxcsr {
            // SAFETY: what the unit has said, or with other traps.
            unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const mxcsr, options(nostack, readonly)) };
        }
        if (words ^ wanted) >> X87_CONTROL_AT == 0 {
            return;
        }
        // What has happened can be written there only with all that the unit knows: words of control, of status, and
        // others, in four bytes each.
        let mut environment = [0_u32; 7];
        // SAFETY: the unit writes 28 bytes, and reads them, with two words that it has said.
        unsafe {
            asm!(
                "fnstenv [{environment}]",
                "mov word ptr [{environment}], {control:x}",
                // What sums them up goes with them: the unit finds it anew.
                "and word ptr [{environment} + 4], 0x7f40",
                "or word ptr [{environment} + 4], {happened:x}",
                "fldenv [{environment}]",
                environment = in(reg) &raw mut environment,
                control = in(reg) (wanted >> X87_CONTROL_AT) as u16,
                happened = in(reg) (wanted >> X87_HAPPENED_AT) as u16,
                options(nostack),
            );
        }
    }
}

/// `fpcr`, and `fpsr`.
#[cfg(target_arch = "aarch64")]
mod arch {
    use std::arch::asm;

    const CONTROL: u64 = 0xffff_ffff;
    /// What a worker may have of the last thread.
    pub(super) const MAY_STAY: u64 = !CONTROL;
    /// What traps is what a bit is set for.
    pub(super) const TRAPS_AND_HAPPENED: u64 = 0x9f00 | !CONTROL;
    pub(super) const INEXACT: u64 = 1 << (32 + 4);
    /// As a process begins.
    pub(super) const UNTRAPPED: u64 = 0;

    /// Whether these are others than those that there are.
    #[inline(always)]
    pub(super) fn differ(_: u64, wanted: u64) -> bool {
        words() != wanted
    }

    #[inline(always)]
    pub(super) fn words() -> u64 {
        let (control, happened): (u64, u64);
        // SAFETY: reads two registers.
        unsafe {
            asm!(
                "mrs {}, fpcr",
                "mrs {}, fpsr",
                out(reg) control,
                out(reg) happened,
                options(nomem, nostack, preserves_flags),
            );
        }
        (control & CONTROL) | happened << 32
    }

    pub(super) fn put(_: u64, wanted: u64) {
        // SAFETY: what the unit has said of some thread.
        unsafe {
            asm!(
                "msr fpcr, {}",
                "msr fpsr, {}",
                in(reg) wanted & CONTROL,
                in(reg) wanted >> 32,
                options(nostack),
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
        let direction = 3 << 13 | 3 << 42;
        #[cfg(target_arch = "aarch64")]
        let direction = 3 << 22;
        // Division by zero.
        #[cfg(target_arch = "x86_64")]
        let happened = 1 << 2 | 1 << 50;
        #[cfg(target_arch = "aarch64")]
        let happened = 1 << 33;
        for wanted in [before | direction, before | happened, before | direction | happened] {
            put(words(), wanted);
            let found = words();
            put(found, before);
            assert_eq!((found, words()), (wanted, before), "of {wanted:#x}");
        }
    }

    #[test]
    fn as_a_process_begins_nothing_traps() {
        // A test's thread is a child of such a one.
        assert_eq!(words() & !MAY_STAY, UNTRAPPED);
    }
}

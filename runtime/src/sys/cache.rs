//! Asking for memory that will be touched soon.

/// A cache line of the processors at hand.
pub(crate) const LINE: usize = 64;

/// Has the processor fetch the `n` cache lines from `at` on, and goes on meanwhile. A hint: nothing is
/// read, and any address will do.
#[inline]
pub(crate) fn prefetch<T>(at: *const T, n: usize) {
    for line in 0..n {
        let at = at.cast::<i8>().wrapping_add(line * LINE);
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the instruction faults nowhere, and every x86-64 processor has it.
        unsafe {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            _mm_prefetch::<_MM_HINT_T0>(at);
        }
        #[cfg(target_arch = "aarch64")]
        // SAFETY: as above.
        unsafe {
            std::arch::asm!(
                "prfm pldl1keep, [{}]",
                in(reg) at,
                options(nostack, preserves_flags, readonly),
            );
        }
    }
}

//! The register that thread-locals are found by.

#[cfg(target_arch = "x86_64")]
mod arch {
    use std::arch::asm;

    /// Reads the `fs` base. Needs `FSGSBASE`.
    #[inline(always)]
    pub(crate) fn get() -> usize {
        let value;
        // SAFETY: reads a register; `tls` has seen that the instruction may be used.
        unsafe { asm!("rdfsbase {}", out(reg) value, options(nomem, nostack, preserves_flags)) };
        value
    }

    /// Moves the `fs` base.
    ///
    /// # Safety
    ///
    /// `value` is the address of a thread's block that is ready to be used, and `FSGSBASE` is there.
    #[inline(always)]
    pub(crate) unsafe fn set(value: usize) {
        // Not `nomem`: no access to memory may move across, thread-locals least of all.
        // SAFETY: as the caller promises.
        unsafe { asm!("wrfsbase {}", in(reg) value, options(nostack, preserves_flags)) };
    }
}

#[cfg(target_arch = "aarch64")]
mod arch {
    use std::arch::asm;

    /// Reads `tpidr_el0`.
    #[inline(always)]
    pub(crate) fn get() -> usize {
        let value;
        // SAFETY: reads a register that user space may read.
        unsafe {
            asm!("mrs {}, tpidr_el0", out(reg) value, options(nomem, nostack, preserves_flags))
        };
        value
    }

    /// Moves `tpidr_el0`.
    ///
    /// # Safety
    ///
    /// `value` is the address of a thread's block that is ready to be used.
    #[inline(always)]
    pub(crate) unsafe fn set(value: usize) {
        // Not `nomem`: no access to memory may move across, thread-locals least of all.
        // SAFETY: as the caller promises.
        unsafe { asm!("msr tpidr_el0, {}", in(reg) value, options(nostack, preserves_flags)) };
    }
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
compile_error!("sylvan supports x86-64 and aarch64, on Linux, Android, macOS, iOS and FreeBSD");

pub(crate) use arch::{get, set};

//! A stack for the handlers of signals on an OS thread.

use std::ptr::{self, NonNull};

use super::memory::{self, page_size};

/// What a handler of the program's may use. Not committed until it is touched.
const SIZE: usize = 64 << 10;

/// That of the calling OS thread, until it is dropped there.
pub(crate) struct SignalStack {
    mapping: NonNull<u8>,
}

impl SignalStack {
    /// None where there is no memory for it.
    pub(crate) fn new() -> Option<Self> {
        let guard = page_size();
        let mapping = memory::reserve(guard + SIZE).ok()?;
        // SAFETY: nobody uses the mapping, and the part above the guard is its owner's.
        unsafe {
            if memory::guard(mapping, guard).is_err() {
                memory::release(mapping, guard + SIZE);
                return None;
            }
            set(&libc::stack_t {
                ss_sp: mapping.as_ptr().add(guard).cast(),
                ss_flags: 0,
                ss_size: SIZE,
            });
        }
        Some(Self { mapping })
    }
}

impl Drop for SignalStack {
    fn drop(&mut self) {
        let none =
            libc::stack_t { ss_sp: ptr::null_mut(), ss_flags: libc::SS_DISABLE, ss_size: SIZE };
        // SAFETY: after the first nobody uses it.
        unsafe {
            set(&none);
            memory::release(self.mapping, page_size() + SIZE);
        }
    }
}

/// # Safety
///
/// Memory for handlers of the calling OS thread, until another is set.
unsafe fn set(stack: &libc::stack_t) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: as the caller promises. It does not fail: the size is above any minimum.
    let _ = unsafe {
        let what = [ptr::from_ref(stack).expose_provenance(), 0, 0, 0, 0, 0];
        super::kernel::call(libc::SYS_sigaltstack, what)
    };
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    // SAFETY: as above.
    unsafe {
        libc::sigaltstack(stack, ptr::null_mut());
    }
}

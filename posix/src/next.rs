//! The function that would have been called: the next one of the name, which is libc's.

use std::ffi::{CStr, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// A function of libc's, looked up at its first use.
///
/// ```
/// use sylvan_posix::next::Next;
///
/// static GETPID: Next = Next::new(c"getpid");
/// assert!(!GETPID.get().is_null());
/// ```
#[derive(Debug)]
pub struct Next {
    name: &'static CStr,
    /// Null until it is known. Whoever finds it finds the same, so nothing is ordered by it.
    found: AtomicPtr<c_void>,
}

impl Next {
    /// The function `name`, behind the one of this program; for a `static`.
    #[must_use]
    pub const fn new(name: &'static CStr) -> Self {
        Self { name, found: AtomicPtr::new(ptr::null_mut()) }
    }

    /// Its address; null if no library has it.
    #[inline]
    pub fn get(&self) -> *mut c_void {
        let found = self.found.load(Ordering::Relaxed);
        if found.is_null() { self.find() } else { found }
    }

    #[cold]
    fn find(&self) -> *mut c_void {
        // SAFETY: looks a name up among the loaded objects behind this one.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, self.name.as_ptr()) };
        self.found.store(found, Ordering::Relaxed);
        found
    }
}

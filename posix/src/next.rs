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

/// A [`Next`] by the name that is written here.
macro_rules! next_of {
    ($name:ident) => {
        $crate::next::Next::new(
            match ::std::ffi::CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes())
            {
                Ok(name) => name,
                Err(_) => panic!("a name without a NUL"),
            },
        )
    };
}

pub(crate) use next_of;

/// Calls libc's own function of that name: `call_next!(close(c_int) -> c_int, fd)`. The caller promises what that function asks for, and that it has
/// this type.
macro_rules! call_next {
    ($name:ident($($type:ty),* $(,)?) -> $result:ty, $($argument:expr),* $(,)?) => {{
        static NEXT: $crate::next::Next = $crate::next::next_of!($name);
        type Function = unsafe extern "C" fn($($type),*) -> $result;
        std::mem::transmute::<*mut std::ffi::c_void, Function>(NEXT.get())($($argument),*)
    }};
}

pub(crate) use call_next;

/// Functions of libc's under their own names, in a module `libcs`. Unlike those of [`call_next`] they are
/// looked up when the program starts: a handler, or a child between `fork` and `exec`, may be the first to
/// call one.
macro_rules! libcs {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)+) => {
        mod libcs {
            use super::*;

            mod nexts {
                use $crate::next::Next;

                $(
                    #[allow(non_upper_case_globals, reason = "the function's name")]
                    pub(super) static $name: Next = $crate::next::next_of!($name);
                )+
            }

            $(
                /// That of libc.
                ///
                /// # Safety
                ///
                /// As that of libc.
                pub(super) unsafe fn $name($($argument: $type),*) -> $result {
                    type Function = unsafe extern "C-unwind" fn($($type),*) -> $result;
                    let next = nexts::$name.get();
                    // SAFETY: libc's function has this type.
                    let next = unsafe { ::std::mem::transmute::<*mut ::std::ffi::c_void, Function>(next) };
                    // SAFETY: as the caller promises.
                    unsafe { next($($argument),*) }
                }
            )+

            /// Looks all of them up before the program begins.
            #[used]
            // SAFETY: a function without arguments, as the entries of the section are.
            #[unsafe(link_section = ".init_array")]
            static AT_START: extern "C" fn() = {
                extern "C" fn look_up() {
                    $(_ = nexts::$name.get();)+
                }
                look_up
            };
        }
    };
}

pub(crate) use libcs;

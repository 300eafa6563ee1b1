//! What libc keeps for a thread, and takes back at an OS thread's end or would give a new one afresh.
//!
//! A block's next thread keeps what makes it fast and nobody can see: the allocator's cache. The rest:
//!
//! | of the thread before | at its end | before the next one |
//! |---|---|---|
//! | `errno`, `h_errno` | | 0 |
//! | the locale of `uselocale`, which may have been freed | | the global one, and its tables of characters |
//! | a message for `dlerror` | told, to nobody, and freed | |
//! | the resolver's state, its options and sockets | closed | as new at the first look-up |
//!
//! Buffers that functions return (`strerror_l`, `inet_ntoa`) are written anew by each call.

use std::ffi::c_void;
use std::mem;
use std::ops::Range;
use std::ptr;

use super::symbol;

/// `LC_GLOBAL_LOCALE`.
const GLOBAL_LOCALE: libc::locale_t = ptr::without_provenance_mut(usize::MAX);

/// From a thread pointer to what libc has there.
pub(super) struct Leftovers {
    errno: isize,
    h_errno: isize,
    /// libc's pointer to what `dlerror` is to say; glibc 2.34 and later.
    dl_error: Option<isize>,
    /// The resolver's state, and what ends it.
    resolver: isize,
    close_resolver: Option<unsafe extern "C" fn(*mut c_void)>,
}

/// The beginning of a resolver's state (`struct __res_state` of `resolv.h`).
#[repr(C)]
struct Resolver {
    retransmit: i32,
    retry: i32,
    options: u64,
    n_servers: i32,
}

impl Leftovers {
    /// Looks for them in the calling thread, whose thread pointer is `here`, in its `block`. `resolver` is
    /// where the resolver's state is.
    pub(super) fn find(here: usize, block: &Range<usize>, resolver: isize) -> Self {
        let offset = |at: usize| block.contains(&at).then(|| at.wrapping_sub(here).cast_signed());
        // SAFETY: asks for an address.
        let errno = unsafe { libc::__errno_location() }.addr().wrapping_sub(here).cast_signed();
        let h_errno = symbol(c"__h_errno_location").ok().and_then(|location| {
            // SAFETY: a public function of this type, which asks for an address.
            let location = unsafe {
                mem::transmute::<*mut c_void, unsafe extern "C" fn() -> *mut i32>(location)()
            };
            offset(location.addr())
        });
        let close_resolver = symbol(c"__res_nclose").ok().map(|close| {
            // SAFETY: a public function of this type.
            unsafe { mem::transmute::<*mut c_void, unsafe extern "C" fn(*mut c_void)>(close) }
        });
        Self {
            errno,
            // One word twice where there is only one.
            h_errno: h_errno.unwrap_or(errno),
            // `dlsym` answers for the calling thread.
            dl_error: symbol(c"__libc_dlerror_result").ok().and_then(|at| offset(at.addr())),
            resolver,
            close_resolver,
        }
    }

    /// At the end of the calling thread, whose thread pointer is `here`.
    #[inline]
    pub(super) fn end(&self, here: usize) {
        let resolver = here.wrapping_add_signed(self.resolver) as *mut Resolver;
        // SAFETY: the thread's own; the state begins as `resolv.h` says.
        if unsafe { (*resolver).n_servers } != 0 {
            self.end_resolver(resolver);
        }
        // SAFETY: libc's own pointer.
        let has_error = |at: isize| unsafe { *(here.wrapping_add_signed(at) as *const usize) != 0 };
        if self.dl_error.is_some_and(has_error) {
            end_dl_error();
        }
    }

    #[cold]
    fn end_resolver(&self, resolver: *mut Resolver) {
        // SAFETY: the thread's own state, which libc has initialized. Without options it does so again at
        // its next use.
        unsafe {
            if let Some(close) = self.close_resolver {
                close(resolver.cast());
            }
            (*resolver).options = 0;
        }
    }

    /// Before the next thread of the block around `tp`.
    #[inline]
    pub(super) fn reset(&self, tp: usize) {
        for word in [self.errno, self.h_errno] {
            // SAFETY: a word of libc's in a block that no thread runs on.
            unsafe { *(tp.wrapping_add_signed(word) as *mut i32) = 0 };
        }
    }
}

/// `dlerror` says what there is to say, then has nothing to say and frees it.
#[cold]
fn end_dl_error() {
    // It translates, and the thread's own locale may have been freed.
    begin();
    for _ in 0..2 {
        // SAFETY: asks for a message, which nobody reads.
        unsafe { libc::dlerror() };
    }
}

/// First on the calling thread: its locale is the global one.
#[inline]
pub(super) fn begin() {
    // It also sets the thread's tables of characters, for which glibc has `__ctype_init` on a new thread.
    // SAFETY: the global locale is always there.
    unsafe { libc::uselocale(GLOBAL_LOCALE) };
}

//! Where a signal has interrupted a thread: in the program's own code, or in a call of this crate's or the runtime's.

use std::ffi::{c_int, c_void};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::program;

/// Where this library's code is. Nothing is, if it is a part of the program.
static CODE: Range = Range::new();

/// Where the unwinder's is: it may have a lock there that it wants again.
static UNWINDER: Range = Range::new();

/// From where to where an object's code is, if that is known.
struct Range([AtomicUsize; 2]);

impl Range {
    const fn new() -> Self {
        Self([const { AtomicUsize::new(0) }; 2])
    }

    fn is_known(&self) -> bool {
        self.0[0].load(Ordering::Relaxed) != 0
    }

    fn set(&self, begin: usize, end: usize) {
        self.0[0].store(begin, Ordering::Relaxed);
        self.0[1].store(end, Ordering::Relaxed);
    }

    fn contains(&self, address: usize) -> bool {
        let [begin, end] = &self.0;
        (begin.load(Ordering::Relaxed)..end.load(Ordering::Relaxed)).contains(&address)
    }
}

/// Finds out where this library is, unless it is a part of the program; and where the unwinder is.
pub(super) fn begin() {
    unsafe extern "C" fn look_at(info: *mut libc::dl_phdr_info, _: usize, n: *mut c_void) -> c_int {
        // SAFETY: the loader passes what it has, and `begin` a number.
        let (info, n) = unsafe { (&*info, &mut *n.cast::<usize>()) };
        *n += 1;
        let is_program = *n == 1;
        // SAFETY: as many as it says.
        let headers = unsafe { std::slice::from_raw_parts(info.dlpi_phdr, info.dlpi_phnum.into()) };
        let places = [
            (&CODE, begin as *const () as usize),
            (&UNWINDER, _Unwind_Backtrace as *const () as usize),
        ];
        for header in headers.iter().filter(|header| header.p_type == libc::PT_LOAD) {
            let begin = info.dlpi_addr as usize + header.p_vaddr as usize;
            let end = begin + header.p_memsz as usize;
            for (range, place) in places {
                if !is_program && (begin..end).contains(&place) {
                    range.set(begin, end);
                }
            }
        }
        0
    }
    unsafe extern "C" fn end_at_once(_: *mut c_void, _: *mut c_void) -> c_int {
        4
    }
    let mut n = 0_usize;
    // SAFETY: calls the functions above. The unwinder looks up by name here, and not in a handler, what it needs.
    unsafe {
        libc::dl_iterate_phdr(Some(look_at), (&raw mut n).cast());
        _Unwind_Backtrace(end_at_once, std::ptr::null_mut());
    }
}

/// Whether the thread that was interrupted is in the program's code and not in a call of this library's,
/// which its code may have made: libc's `memcpy`, or the program's own allocator. The innermost frame of this
/// library tells: it stands where the program was called, or somewhere else.
pub(super) fn is_outside(context: &libc::ucontext_t) -> bool {
    #[cfg(target_arch = "x86_64")]
    let (at, stack) = {
        let of = |register| context.uc_mcontext.gregs[register as usize] as usize;
        (of(libc::REG_RIP), of(libc::REG_RSP))
    };
    #[cfg(target_arch = "aarch64")]
    let (at, stack) = (context.uc_mcontext.pc as usize, context.uc_mcontext.sp as usize);
    if !CODE.is_known() || CODE.contains(at) || UNWINDER.contains(at) {
        return false;
    }
    let mut walk = Walk { stack, n_left: 256, is_outside: true };
    // SAFETY: calls the function below for each frame, with `walk`.
    unsafe { _Unwind_Backtrace(look_at_frame, (&raw mut walk).cast()) };
    walk.is_outside
}

struct Walk {
    /// Where the interrupted function's frame ends.
    stack: usize,
    n_left: u32,
    is_outside: bool,
}

unsafe extern "C" {
    fn _Unwind_Backtrace(
        look: unsafe extern "C" fn(*mut c_void, *mut c_void) -> c_int,
        data: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
    fn _Unwind_GetCFA(context: *mut c_void) -> usize;
}

unsafe extern "C" fn look_at_frame(context: *mut c_void, walk: *mut c_void) -> c_int {
    const GO_ON: c_int = 0;
    const END: c_int = 4;
    // SAFETY: the unwinder passes its context, and `is_outside` the walk.
    let (at, frame, walk) =
        unsafe { (_Unwind_GetIP(context), _Unwind_GetCFA(context), &mut *walk.cast::<Walk>()) };
    if frame < walk.stack {
        // The handler's own.
        return GO_ON;
    }
    walk.n_left -= 1;
    if CODE.contains(at) {
        walk.is_outside = program::returns_to(at);
        return END;
    }
    if walk.n_left == 0 { END } else { GO_ON }
}

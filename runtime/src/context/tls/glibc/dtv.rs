//! The `dtv` of a block: where the thread-locals of each loaded object are.
//!
//! It is the one part of a block that is on the heap, and on the program's: `ld.so` makes it longer by
//! `realloc`. The program's allocator may wait for a green thread. A worker makes a block on its own stack
//! when a new stack runs for the first time. It finds a `dtv` here that a spawner has *provided*, when more
//! threads than ever before were about to be there at a time (`stack::reserve`).
//!
//! How long one is `ld.so` alone knows. So it makes the first of each lot, in a block that is not used
//! otherwise, and the rest are made like that one. If libraries were loaded meanwhile, it makes it longer
//! when it fills it.

use std::ffi::c_void;
use std::hint::black_box;
use std::io;
use std::mem;
use std::ptr;

use super::{Dynamic, symbol};
use crate::lock::Lock;
use crate::report;

/// What glibc's heap adds to an allocation.
const CHUNK: usize = 16;

/// What the task of a thread takes of the heap, most often: that is allocated next.
const TASK: usize = 144;

/// Beyond 128 KiB it would not be in the heap, but a mapping.
const PIECE_MAX: usize = 120 << 10;

/// The first of those that nobody uses yet, by its address; each leads to the next by its first word. 0 if
/// there is none.
static PROVIDED: Lock<usize> = Lock::new(0);

/// # Safety
///
/// A `dtv` that nobody uses.
unsafe fn put(dtv: *mut Dynamic) {
    let mut first = PROVIDED.lock();
    // SAFETY: as the caller promises. `ld.so` writes the word when it fills it.
    unsafe { (*dtv).value = ptr::with_exposed_provenance_mut(*first) };
    *first = dtv.expose_provenance();
}

fn take() -> Option<*mut Dynamic> {
    let mut first = PROVIDED.lock();
    let dtv = ptr::with_exposed_provenance_mut::<Dynamic>(*first);
    if dtv.is_null() {
        return None;
    }
    // SAFETY: `put` has left it to who takes it.
    *first = unsafe { (*dtv).value.expose_provenance() };
    Some(dtv)
}

type Allocate = unsafe extern "C" fn(*mut c_void) -> *mut c_void;
type Fill = unsafe extern "C" fn(*mut c_void, bool) -> *mut c_void;

/// The functions of `ld.so`.
pub(super) struct Dtvs {
    /// Makes one for a block, and fills both.
    allocate: Allocate,
    /// Fills a block and its `dtv`; the thread-locals, too (of a version that asks).
    fill: Fill,
}

impl Dtvs {
    pub(super) fn find() -> io::Result<Self> {
        let [allocate, fill] = [symbol(c"_dl_allocate_tls")?, symbol(c"_dl_allocate_tls_init")?];
        // SAFETY: functions of these types in every glibc that exports them.
        unsafe {
            Ok(Self {
                allocate: mem::transmute::<*mut c_void, Allocate>(allocate),
                fill: mem::transmute::<*mut c_void, Fill>(fill),
            })
        }
    }

    /// Has `n` more for blocks that are `below` and `above` a thread pointer, and have their pointer to it at
    /// `at`, from there.
    pub(super) fn provide(
        &self,
        n: usize,
        below: usize,
        above: usize,
        align: usize,
        at: isize,
    ) -> io::Result<()> {
        let mut scratch = vec![0_u64; (below + above + align).div_ceil(size_of::<u64>())];
        let tp = (scratch.as_mut_ptr().expose_provenance() + below).next_multiple_of(align);
        let place = tp.wrapping_add_signed(at) as *const *mut Dynamic;
        // SAFETY: a block as `ld.so` expects it, of zeros, which nobody uses. Its `dtv` begins one element
        // before the one that is pointed to, with how many there are behind that one; and the others are as
        // it makes them.
        unsafe {
            if (self.allocate)(tp as *mut c_void).is_null() {
                return Err(no_memory());
            }
            let first = place.read();
            let len = (*first.sub(1)).value;
            put(first);
            // First in one piece: glibc's heap grows by all of it then, and not by one page after the other.
            let size = (len.addr() + 2) * size_of::<Dynamic>();
            libc::free(black_box(libc::malloc((n * (size + CHUNK + TASK)).min(PIECE_MAX))));
            for _ in 1..n {
                let start = libc::calloc(1, size).cast::<Dynamic>();
                if start.is_null() {
                    return Err(no_memory());
                }
                (*start).value = len;
                put(start.add(1));
            }
        }
        Ok(())
    }

    /// Gives one to the new block around `tp`, whose pointer to it is at `place`, and fills both.
    ///
    /// # Safety
    ///
    /// The block is zero, and nobody uses it.
    pub(super) unsafe fn install(&self, tp: usize, place: *mut *mut Dynamic) {
        let Some(dtv) = take() else {
            report::fatal(format_args!("a stack has no room for thread-locals"));
        };
        // SAFETY: as the caller promises; it was provided for such a block.
        unsafe {
            place.write(dtv);
            (self.fill)(tp as *mut c_void, true);
        }
    }
}

/// In the terms of a failed `pthread_create`.
#[cold]
fn no_memory() -> io::Error {
    io::Error::new(io::ErrorKind::WouldBlock, "no memory is left for a thread's thread-locals")
}

/// In a child of a fork: what was provided is left where it is.
///
/// # Safety
///
/// As for [`Lock::renew`].
pub(super) unsafe fn forget() {
    // SAFETY: as the caller promises.
    unsafe { PROVIDED.renew(0) };
}

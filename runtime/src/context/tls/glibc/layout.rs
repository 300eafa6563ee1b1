//! What differs between architectures: how a block is laid out, and where in its pages it lies.

use super::symbol;
#[cfg(target_arch = "x86_64")]
use crate::context::thread_pointer;
#[cfg(target_arch = "x86_64")]
use crate::sys::memory::page_size;

/// The block around a thread pointer: bytes below it, bytes above it, where `struct pthread` is.
#[cfg(target_arch = "x86_64")]
pub(super) fn layout(size: usize, pthread_size: usize) -> (usize, usize, isize) {
    (size - pthread_size, pthread_size, 0)
}

#[cfg(target_arch = "aarch64")]
pub(super) fn layout(size: usize, pthread_size: usize) -> (usize, usize, isize) {
    // Here the size does not include `struct pthread`, which lies in front of it.
    (pthread_size, size, -(pthread_size.cast_signed()))
}

/// What a thread's first frames take of the page that they share with its block. It takes 800 bytes to
/// start and to wait, and 1,050 in a whole program where real std has started it.
#[cfg(target_arch = "x86_64")]
const FRAMES: usize = 1088;

/// What glibc reckons for the libraries that are loaded later, but for another libc.
pub(super) const ROOM: usize = 144;

/// How many bytes below the thread pointer the block has to end for it to fit into a page with the first
/// frames, if it does not, and can.
#[cfg(target_arch = "x86_64")]
pub(super) fn smaller(below: usize, above: usize, used: usize, align: usize) -> Option<usize> {
    /// What glibc sets aside in all. A program that has asked for more, by a tunable, is to have it.
    const SURPLUS: usize = 1_664;
    let fitting = page_size().checked_sub(above + FRAMES)? & !(align - 1);
    let is_usual = below - used <= SURPLUS + align;
    (is_usual && used + ROOM <= fitting && fitting < below).then_some(fitting)
}

#[cfg(target_arch = "aarch64")]
pub(super) fn smaller(_: usize, _: usize, _: usize, _: usize) -> Option<usize> {
    // What is left for libraries that are loaded later is on the other side of the block.
    None
}

/// How much of the upper end of the block goes into the page above that of the first frames.
#[cfg(target_arch = "x86_64")]
pub(super) fn apart(below: usize, above: usize, _: usize) -> usize {
    /// How much of `struct pthread` is touched by more than a thread's start and end.
    const HOT: usize = 128;
    if below + above + FRAMES <= page_size() { 0 } else { above - HOT }
}

#[cfg(target_arch = "aarch64")]
pub(super) fn apart(_: usize, above: usize, used: usize) -> usize {
    // What is left for libraries that are loaded later.
    above - used
}

/// Writes the head of a block, as the architecture's ABI lays it out.
///
/// # Safety
///
/// `tp` and `pthread` point into zeroed memory that is to become a block.
#[cfg(target_arch = "x86_64")]
pub(super) unsafe fn header(tp: usize, _: usize) {
    /// Words of `tcbhead_t`.
    const SELF: [usize; 2] = [0x00, 0x10];
    const MULTIPLE_THREADS: usize = 0x18;
    const STACK_GUARD: usize = 0x28;
    const POINTER_GUARD: usize = 0x30;
    let here = thread_pointer::get();
    // SAFETY: the offsets are fixed by the ABI: compilers emit them into code.
    unsafe {
        for offset in SELF {
            ((tp + offset) as *mut usize).write(tp);
        }
        ((tp + MULTIPLE_THREADS) as *mut u32).write(1);
        for offset in [STACK_GUARD, POINTER_GUARD] {
            ((tp + offset) as *mut usize).write(((here + offset) as *const usize).read());
        }
    }
}

#[cfg(target_arch = "aarch64")]
pub(super) unsafe fn header(_: usize, pthread: usize) {
    // At the thread pointer is the `dtv` pointer alone, which `_dl_allocate_tls` sets; guards are
    // globals. `struct pthread` begins with `multiple_threads`, which glibc has as a global, too.
    // SAFETY: as the caller promises.
    unsafe { (pthread as *mut u32).write(1) };
}

/// Whether user space may move the thread pointer.
#[cfg(target_arch = "x86_64")]
pub(super) fn may_move_thread_pointer() -> bool {
    const HWCAP2_FSGSBASE: u64 = 1 << 1;
    // SAFETY: reads the auxiliary vector.
    unsafe { libc::getauxval(libc::AT_HWCAP2) & HWCAP2_FSGSBASE != 0 }
}

#[cfg(target_arch = "aarch64")]
pub(super) fn may_move_thread_pointer() -> bool {
    true
}

/// Where the `rseq` area lies (glibc 2.35 and later), used or not: whether an OS thread gets to use its
/// own is decided by what the thread that makes it has there.
pub(super) fn rseq_offset(below: usize, above: usize) -> Option<isize> {
    let offset = symbol(c"__rseq_offset").ok()?.cast::<isize>();
    // SAFETY: a public constant of glibc, of this type.
    let offset = unsafe { offset.read() };
    let block = -below.cast_signed()..above.cast_signed();
    (offset != 0 && block.contains(&offset)).then_some(offset)
}

/// How far the static block is in use, the `rseq` area at `offset` included: from glibc 2.41 on it comes
/// after the thread-locals of the program, and before that it is in `struct pthread`.
#[cfg(target_arch = "x86_64")]
pub(super) fn with_rseq(used: usize, offset: isize) -> usize {
    used.max(offset.min(0).unsigned_abs())
}

#[cfg(target_arch = "aarch64")]
pub(super) fn with_rseq(used: usize, offset: isize) -> usize {
    /// `AT_RSEQ_FEATURE_SIZE` and `AT_RSEQ_ALIGN`; the area was 32 bytes before there were these.
    const SIZE_AND_ALIGN: [libc::c_ulong; 2] = [27, 28];
    // SAFETY: reads the auxiliary vector.
    let [size, align] = SIZE_AND_ALIGN.map(|of| unsafe { libc::getauxval(of) }.max(32) as usize);
    match usize::try_from(offset) {
        Ok(start) => used.max(start + size.next_multiple_of(align)),
        Err(_) => used,
    }
}

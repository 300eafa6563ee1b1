//! Address space for stacks: reserved in large pieces, committed by touching, guarded, discarded.

use std::ffi::c_void;
use std::io;
use std::ptr::{self, NonNull};

use rustix::mm::{
    Advice, MapFlags, MprotectFlags, ProtFlags, madvise, mmap_anonymous, mprotect, munmap,
};
#[cfg(target_os = "linux")]
use rustix::{
    io::Errno,
    mm::{MlockFlags, mlock_with},
};

#[cfg(target_os = "linux")]
use super::kernel;
#[cfg(target_os = "linux")]
use crate::primitive::AtomicU8;
use crate::primitive::{AtomicUsize, Ordering};

/// `MADV_GUARD_INSTALL` (Linux 6.13): a guard that is a mark in the page table, not a mapping.
#[cfg(target_os = "linux")]
const MADV_GUARD_INSTALL: usize = 102;

#[cfg(target_os = "linux")]
const DISCARD: Advice = Advice::LinuxDontNeed;
#[cfg(not(target_os = "linux"))]
const DISCARD: Advice = Advice::DontNeed;

/// Bytes in a page.
pub(crate) fn page_size() -> usize {
    /// 0 until it is known. A constant of the machine: whoever finds it, finds the same.
    static KNOWN: AtomicUsize = AtomicUsize::new(0);
    match KNOWN.load(Ordering::Relaxed) {
        0 => {
            let size = rustix::param::page_size();
            KNOWN.store(size, Ordering::Relaxed);
            size
        }
        size => size,
    }
}

/// Reserves `len` bytes that read as zero and cost nothing until touched.
#[cfg(target_os = "linux")]
pub(crate) fn reserve(len: usize) -> io::Result<NonNull<u8>> {
    let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
    // Closed, until it is known not to be filled at once.
    // SAFETY: an anonymous mapping at an address of the kernel's choice disturbs nobody.
    let start = unsafe { mmap_anonymous(ptr::null_mut(), len, ProtFlags::empty(), flags)? };
    let mapping = NonNull::new(start.cast()).expect("a mapping is not at address zero");
    // One touched page shall commit one page, not two megabytes. A kernel without transparent huge
    // pages refuses the advice and needs none.
    // SAFETY: the range is the mapping made above; the advice changes no contents.
    let _ = unsafe { madvise(start, len, Advice::LinuxNoHugepage) };
    // SAFETY: nothing is in it yet.
    if unsafe { madvise(start, len, Advice::LinuxDontNeed) } == Err(Errno::INVAL) {
        // The program has locked what it maps from now on (`mlockall`): the kernel would commit all of
        // it when it is opened. So it is locked as it is touched. A kernel that cannot do that (before
        // Linux 4.4) commits it.
        // SAFETY: the range is the mapping made above, which nobody uses.
        let _ = unsafe { mlock_with(start, len, MlockFlags::ONFAULT) };
    }
    // SAFETY: as above.
    let opened = unsafe { mprotect(start, len, MprotectFlags::READ | MprotectFlags::WRITE) };
    if let Err(error) = opened {
        // SAFETY: as above.
        unsafe { release(mapping, len) };
        return Err(error.into());
    }
    Ok(mapping)
}

/// Reserves `len` bytes that read as zero and cost nothing until touched.
#[cfg(not(target_os = "linux"))]
pub(crate) fn reserve(len: usize) -> io::Result<NonNull<u8>> {
    let (protection, flags) = (ProtFlags::READ | ProtFlags::WRITE, MapFlags::PRIVATE);
    // SAFETY: an anonymous mapping at an address of the kernel's choice disturbs nobody.
    let start = unsafe { mmap_anonymous(ptr::null_mut(), len, protection, flags)? };
    Ok(NonNull::new(start.cast()).expect("a mapping is not at address zero"))
}

/// Gives back what `reserve` gave.
///
/// # Safety
///
/// The range is one that `reserve` returned, and nobody uses it any more.
pub(crate) unsafe fn release(start: NonNull<u8>, len: usize) {
    // SAFETY: as the caller promises. Unmapping a whole mapping does not fail.
    let _ = unsafe { munmap(start.as_ptr().cast::<c_void>(), len) };
}

/// Whether `MADV_GUARD_INSTALL` makes a guard of the range; an error if the kernel has no memory for it.
///
/// Kernels before 6.13 refuse it, and all do where the program has locked its memory (`mlockall`). What
/// emulates a kernel may ignore advice, and say that all is well. So something is to be written into the
/// first guard.
///
/// # Safety
///
/// As for [`guard`].
#[cfg(target_os = "linux")]
unsafe fn guard_by_advice(start: *mut c_void, len: usize) -> io::Result<bool> {
    let at = start.expose_provenance();
    // SAFETY: as the caller promises.
    match unsafe { kernel::call(libc::SYS_madvise, [at, len, MADV_GUARD_INSTALL, 0, 0, 0]) } {
        // SAFETY: as the caller promises.
        Ok(_) => Ok(unsafe { BY_ADVICE.holds(at) }),
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What a way to make guards does, where it is not refused. Whoever finds it out, finds the same.
#[cfg(target_os = "linux")]
struct Effect(AtomicU8);

/// One guard by a call, and several.
#[cfg(target_os = "linux")]
static BY_ADVICE: Effect = Effect::new();
#[cfg(target_os = "linux")]
static AT_ONCE: Effect = Effect::new();

#[cfg(target_os = "linux")]
impl Effect {
    const UNKNOWN: u8 = 0;
    const HOLDS: u8 = 1;
    const NONE: u8 = 2;

    const fn new() -> Self {
        Self(AtomicU8::new(Self::UNKNOWN))
    }

    /// Whether guards hold that are made so. The first time it is tried: `at` is to be in one.
    ///
    /// # Safety
    ///
    /// Nothing that matters is there.
    unsafe fn holds(&self, at: usize) -> bool {
        if self.is(Self::UNKNOWN) {
            let how = libc::GRND_NONBLOCK as usize;
            // SAFETY: as the caller promises. The one byte that may be written is nobody's.
            let wrote = unsafe { kernel::call(libc::SYS_getrandom, [at, 1, how, 0, 0, 0]) };
            let holds = wrote.is_err_and(|error| error.raw_os_error() == Some(libc::EFAULT));
            self.0.store(if holds { Self::HOLDS } else { Self::NONE }, Ordering::Relaxed);
        }
        self.is(Self::HOLDS)
    }

    /// It was refused: nobody need try again.
    fn refused(&self) {
        self.0.store(Self::NONE, Ordering::Relaxed);
    }

    fn is(&self, effect: u8) -> bool {
        self.0.load(Ordering::Relaxed) == effect
    }
}

/// Makes any access to the range a fault; `true` if that took no mapping of its own.
///
/// # Safety
///
/// The range lies in one that `reserve` returned, and nothing that matters is in it.
pub(crate) unsafe fn guard(start: NonNull<u8>, len: usize) -> io::Result<bool> {
    let start = start.as_ptr().cast::<c_void>();
    #[cfg(target_os = "linux")]
    // SAFETY: as the caller promises.
    if unsafe { guard_by_advice(start, len)? } {
        return Ok(true);
    }
    // SAFETY: as the caller promises.
    unsafe { mprotect(start, len, MprotectFlags::empty())? };
    Ok(false)
}

/// How many guards one call makes, at most.
pub(crate) const GUARDS_MAX: usize = 32;

/// Makes guards of up to `n` ranges of `len` bytes, `stride` apart, by one call: how many, from `start` on. None
/// where there is no such call, or a guard takes a mapping, or there is no memory for the first: [`guard`] says
/// which.
///
/// # Safety
///
/// As for [`guard`], of each of them.
#[cfg(target_os = "linux")]
pub(crate) unsafe fn guard_several(
    start: NonNull<u8>,
    stride: usize,
    len: usize,
    n: usize,
) -> usize {
    /// Whoever calls, instead of a descriptor of its process (`PIDFD_SELF_THREAD`, Linux 6.15).
    const SELF: isize = -10_000;
    if !BY_ADVICE.is(Effect::HOLDS) || AT_ONCE.is(Effect::NONE) {
        return 0;
    }
    let start = start.as_ptr().expose_provenance();
    // As `struct iovec` is.
    let ranges: [[usize; 2]; GUARDS_MAX] = std::array::from_fn(|at| [start + at * stride, len]);
    let (ranges, n) = (ranges.as_ptr().expose_provenance(), n.min(GUARDS_MAX));
    let call = [SELF.cast_unsigned(), ranges, n, MADV_GUARD_INSTALL, 0, 0];
    // SAFETY: as the caller promises.
    match unsafe { kernel::call(libc::SYS_process_madvise, call) } {
        // SAFETY: as the caller promises.
        Ok(done) if done >= len && unsafe { AT_ONCE.holds(start) } => done / len,
        // For want of memory, at the moment.
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOMEM | libc::EAGAIN)) => 0,
        _ => {
            AT_ONCE.refused();
            0
        }
    }
}

/// Makes no guard: there is no such call.
///
/// # Safety
///
/// None.
#[cfg(not(target_os = "linux"))]
pub(crate) unsafe fn guard_several(_: NonNull<u8>, _: usize, _: usize, _: usize) -> usize {
    0
}

/// Makes the range zero: where the system can do so, by taking the memory behind its pages back.
///
/// # Safety
///
/// The range is of a static, which nobody looks at meanwhile, and for which zeros are a value.
pub(crate) unsafe fn wipe(start: NonNull<u8>, len: usize) {
    let zero = |from: usize, to: usize| {
        let n = to.saturating_sub(from);
        // SAFETY: within the range, which is the caller's.
        unsafe { start.as_ptr().add(from).write_bytes(0, n) };
    };
    let (address, page) = (start.addr().get(), page_size());
    let first = (address.next_multiple_of(page) - address).min(len);
    let end = ((address + len) / page * page).saturating_sub(address).max(first);
    zero(0, first);
    let pages = start.as_ptr().wrapping_add(first).cast::<c_void>();
    let wiped = cfg!(target_os = "linux")
        && end > first
        // SAFETY: as the caller promises; these are whole pages of the range.
        && unsafe { madvise(pages, end - first, DISCARD) }.is_ok();
    if !wiped {
        zero(first, end);
    }
    zero(end, len);
}

/// Takes the memory behind the range back; it reads as zero afterwards. What the program has locked stays.
///
/// # Safety
///
/// The range lies in one that `reserve` returned, and nothing that matters is in it.
pub(crate) unsafe fn discard(start: NonNull<u8>, len: usize) {
    let start = start.as_ptr().cast::<c_void>();
    // SAFETY: as the caller promises. A refusal leaves the memory where it was.
    let _ = unsafe { madvise(start, len, DISCARD) };
}

//! The number by which libc's locks know their owner: the `tid` in libc's record of the calling thread.
//!
//! A green thread has a record of its own with a number that the kernel hands out to nobody, an OS thread
//! has the kernel's. It is read by one instruction, from where libc's own locks have it: so what they and
//! those of this crate leave in an object means the same. A child of a fork has the kernel's number.
//!
//! # Numbers of threads that have ended
//!
//! The runtime numbers its records, and the next thread has that of one that has just ended. A program may
//! take the numbers of all threads that it has had for different ones, as the kernel's are for a long time.
//! So each thread of a whole program takes another number as it begins, and leaves the one that it has found
//! in its place: `POOL` is a ring of numbers, and each start takes its turn there. A number is always in one
//! place, a record or the ring, so no two threads that exist have the same one. A number that was given back
//! is used again when as many threads have begun as the ring has places.

use std::ffi::{CStr, c_void};
use std::ptr;
use std::sync::atomic::{AtomicIsize, AtomicU32, AtomicUsize, Ordering};

use libc::pid_t;

/// Where the number is, from the thread pointer; 0 until it is known. Whoever finds it finds the same.
static TID: AtomicIsize = AtomicIsize::new(0);

/// What the ring begins with: above all numbers of the kernel's, and below those of the runtime's records.
const FIRST: u32 = 1 << 22;
const N_PLACES: usize = 1 << 14;

/// The ring; a place that nobody has been at is 0, and has `FIRST` plus its own number.
static POOL: [AtomicU32; N_PLACES] = [const { AtomicU32::new(0) }; N_PLACES];
/// Whose turn is next.
static TURN: AtomicUsize = AtomicUsize::new(0);

/// Gives the calling thread, a green one that has just begun, another number.
pub(crate) fn renew() {
    let left = me();
    // Relaxed: a number is all that passes, by one exchange.
    let place = TURN.fetch_add(1, Ordering::Relaxed) % N_PLACES;
    let number = match POOL[place].swap(left, Ordering::Relaxed) {
        0 => FIRST + place as u32,
        number => number,
    };
    let tid = above().wrapping_add_signed(TID.load(Ordering::Relaxed));
    // SAFETY: libc's record of this thread, which has taken no lock yet.
    unsafe { ptr::with_exposed_provenance_mut::<u32>(tid).write(number) };
}

/// Whether it may be the number of a green thread: the kernel gives it to nobody.
pub(crate) fn is_green(number: pid_t) -> bool {
    number >= FIRST.cast_signed()
}

/// The calling thread's.
#[inline(always)]
pub(crate) fn me() -> u32 {
    read(offset())
}

#[inline(always)]
fn offset() -> isize {
    let offset = TID.load(Ordering::Relaxed);
    if offset == 0 { find() } else { offset }
}

#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn read(offset: isize) -> u32 {
    let tid: u32;
    // SAFETY: reads a word of libc's record of this thread.
    unsafe {
        std::arch::asm!("mov {:e}, fs:[{}]", out(reg) tid, in(reg) offset, options(nostack, readonly, preserves_flags));
    }
    tid
}

#[cfg(target_arch = "aarch64")]
#[inline(always)]
fn read(offset: isize) -> u32 {
    let tid: u32;
    // SAFETY: reads a word of libc's record of this thread.
    unsafe {
        std::arch::asm!("mrs {at}, tpidr_el0", "ldr {tid:w}, [{at}, {offset}]", at = out(reg) _, tid = lateout(reg) tid, offset = in(reg) offset, options(nostack, readonly, preserves_flags));
    }
    tid
}

/// Where libc has the number of an OS thread; the kernel clears it at the thread's end, and wakes who waits there.
pub(crate) fn of_os_thread(thread: libc::pthread_t) -> *const AtomicU32 {
    let offset = offset();
    // `pthread_t` is the record's address, which is the thread pointer or before it.
    let from_record = if cfg!(target_arch = "x86_64") { offset } else { offset + record_size() };
    ptr::with_exposed_provenance::<u8>(thread as usize).wrapping_offset(from_record).cast()
}

/// An address in the block of thread-locals of the calling thread, which is above all frames of a green one.
pub(crate) fn above() -> usize {
    let above: usize;
    // SAFETY: reads a register, or where its value is.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        std::arch::asm!("mov {}, fs:[0]", out(reg) above, options(nostack, readonly, preserves_flags));
        #[cfg(target_arch = "aarch64")]
        std::arch::asm!("mrs {}, tpidr_el0", out(reg) above, options(nostack, nomem, preserves_flags));
    }
    above
}

/// Looks up what libc tells debuggers of its record.
fn symbol<T>(name: &CStr) -> *const T {
    // SAFETY: looks a name up.
    let at: *const c_void = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
    assert!(!at.is_null(), "libc tells nothing of its threads");
    at.cast()
}

/// The size of the record.
fn record_size() -> isize {
    // SAFETY: data of this type in every libc that has it.
    unsafe { *symbol::<u32>(c"_thread_db_sizeof_pthread") as isize }
}

#[cold]
fn find() -> isize {
    // SAFETY: data of this type in every libc that has it: bits, number and offset.
    let offset = unsafe { (*symbol::<[u32; 3]>(c"_thread_db_pthread_tid"))[2] as isize };
    // The thread pointer is at the record's beginning, or behind its end.
    let offset = if cfg!(target_arch = "x86_64") { offset } else { offset - record_size() };
    TID.store(offset, Ordering::Relaxed);
    offset
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Barrier};

    #[test]
    fn an_os_thread_has_the_kernels_number() {
        // SAFETY: asks a question.
        assert_eq!(super::me().cast_signed(), unsafe { libc::gettid() });
    }

    #[test]
    fn green_threads_have_their_own() {
        // A number may be used again: both are there at the same time.
        let both = Arc::new(Barrier::new(2));
        let of_green = || {
            let both = Arc::clone(&both);
            sylvan::spawn(move || {
                let me = super::me();
                both.wait();
                me
            })
        };
        let (first, second) = (of_green(), of_green());
        let mut numbers = [super::me(), first.join().unwrap(), second.join().unwrap()];
        numbers.sort_unstable();
        assert!(numbers[0] != numbers[1] && numbers[1] != numbers[2]);
    }
}

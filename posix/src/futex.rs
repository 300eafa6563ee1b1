//! Futexes, by number: what std, libstdc++'s atomics and other languages' runtimes wait by.
//!
//! A private futex is the runtime's: green threads and OS threads wait in one table, by address
//! (`sylvan::wait`).
//!
//! - A waiter's set of bits is not kept. A thread that wakes some bits wakes all that wait at the word, and
//!   one that requeues wakes all that it would requeue. A futex may wake a thread for no reason, and the
//!   waiter looks again. The number that is returned is at most the one asked for.
//! - The word is read here, not by the kernel. An address that cannot be one is `EFAULT`; another one that
//!   is not mapped is a fault, as with any other access to it.
//!
//! # Shared ones
//!
//! Without `FUTEX_PRIVATE_FLAG` the word may be in memory that other processes share, and one of them may wake.
//! But most such calls are for memory of this process alone: older code, and libstdc++'s `future`. So:
//!
//! - A wake goes to the table, and if that has not had as many as it should, to the kernel.
//! - Before it waits, a thread asks the kernel whether the word's memory is shared (`PROCMAP_QUERY` of
//!   `/proc/self/maps`, Linux 6.11; before that the answer is that it may be). If it may be, it waits in the
//!   kernel, in a blocking section; else in the table.
//! - What moves waiters or compares two words is done for both, or in the kernel where it may be shared.
//!
//! All that has to do with the inheritance of priority, and `futex_waitv`, is the kernel's, in a blocking section.

use std::ffi::{c_int, c_long};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;

use libc::{
    CLOCK_MONOTONIC, CLOCK_REALTIME, FUTEX_CLOCK_REALTIME, FUTEX_CMP_REQUEUE, FUTEX_PRIVATE_FLAG,
    FUTEX_REQUEUE, FUTEX_WAIT, FUTEX_WAIT_BITSET, FUTEX_WAKE, FUTEX_WAKE_BITSET, FUTEX_WAKE_OP,
    timespec,
};
use sylvan::{Wait, WaitReason};

use crate::deadline::{self, Deadline};
use crate::errno::{fails, set_errno};
use crate::kernel;
use crate::wait::{self, Interrupted, Restart};

/// No address below it is ever mapped, nor above the other.
const LOWEST: usize = 4096;
const HIGHEST: usize = 1 << 56;

/// The calls that are made most, and how each ends is decided by their operation alone: what std waits by and wakes by.
const PRIVATE_WAIT: c_int = FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG;
const PRIVATE_WAKE: c_int = FUTEX_WAKE | FUTEX_PRIVATE_FLAG;

/// Makes a call of `futex`, for the words of this process.
///
/// # Safety
///
/// As for the kernel's: and what is an address is one of a word that is mapped, or one that cannot be.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "as the kernel takes them")]
#[expect(clippy::cast_sign_loss, reason = "as the kernel takes them")]
pub(crate) unsafe fn call(arguments: [c_long; 6]) -> c_long {
    let [address, operation, value, time, _, bits] = arguments;
    match operation as c_int {
        // SAFETY: as the caller promises.
        PRIVATE_WAIT if time == 0 && bits as u32 == u32::MAX => unsafe {
            wait_for_good(address, value as u32)
        },
        PRIVATE_WAKE => wake_private(address, value as u32),
        // SAFETY: as the caller promises.
        _ => unsafe { Call { arguments }.make() },
    }
}

/// A wait without a deadline. A function of its own, which has little to save and one frame: each frame above a switch
/// of stacks is a return that the processor does not predict.
///
/// # Safety
///
/// As for `call`.
#[inline(never)]
unsafe fn wait_for_good(address: c_long, expected: u32) -> c_long {
    match word_at(address) {
        // SAFETY: as the caller promises.
        Ok(word) => unsafe { wait_at(word, expected, None) },
        Err(error) => fails(error).into(),
    }
}

#[inline(never)]
fn wake_private(address: c_long, n: u32) -> c_long {
    match word_at(address) {
        Ok(word) => count(sylvan::wake(word, number(n))),
        Err(error) => fails(error).into(),
    }
}

/// Waits in the table.
///
/// # Safety
///
/// As for `call`.
#[inline(always)]
unsafe fn wait_at(word: *const AtomicU32, expected: u32, deadline: Deadline) -> c_long {
    // SAFETY: as the caller promises: it is mapped. All access is atomic.
    let word = unsafe { &*word };
    match wait::futex_inlined(word, expected, deadline, WaitReason::Futex, Restart::AsAsked) {
        Ok(Wait::Woken) => 0,
        end => fails(error_of(end)).into(),
    }
}

/// Why a wait has ended that nobody has woken.
#[cold]
fn error_of(end: Result<Wait, Interrupted>) -> c_int {
    match end {
        Ok(Wait::Changed) => libc::EAGAIN,
        Ok(Wait::TimedOut) => libc::ETIMEDOUT,
        Ok(Wait::Woken | Wait::Interrupted) | Err(Interrupted) => libc::EINTR,
    }
}

/// A call of `futex`.
#[derive(Clone, Copy)]
struct Call {
    arguments: [c_long; 6],
}

#[expect(clippy::cast_possible_truncation, reason = "as the kernel takes them, here and below")]
#[expect(clippy::cast_sign_loss, reason = "as the kernel takes them, here and below")]
impl Call {
    fn operation(&self) -> c_int {
        self.arguments[1] as c_int
    }

    fn command(&self) -> c_int {
        self.operation() & !(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME)
    }

    fn is_private(&self) -> bool {
        self.operation() & FUTEX_PRIVATE_FLAG != 0
    }

    fn value(&self) -> u32 {
        self.arguments[2] as u32
    }

    /// The second number of threads, where there is one: in the place of the time.
    fn value2(&self) -> u32 {
        self.arguments[3] as u32
    }

    fn value3(&self) -> u32 {
        self.arguments[5] as u32
    }

    /// # Safety
    ///
    /// As for `call`.
    #[inline(never)]
    unsafe fn make(self) -> c_long {
        match self.command() {
            // SAFETY: as the caller promises.
            FUTEX_WAIT | FUTEX_WAIT_BITSET => unsafe { self.wait() },
            FUTEX_WAKE => self.wake(),
            FUTEX_WAKE_BITSET if self.value3() == 0 => fails(libc::EINVAL).into(),
            FUTEX_WAKE_BITSET if self.value3() == u32::MAX => self.wake(),
            FUTEX_WAKE_BITSET => match word_at(self.arguments[0]) {
                Ok(word) => {
                    let asked = self.value() as c_int;
                    let woken = count(sylvan::wake(word, usize::MAX)).min(asked.into());
                    self.and_the_kernels(woken)
                }
                Err(error) => fails(error).into(),
            },
            // SAFETY: as the caller promises.
            FUTEX_REQUEUE | FUTEX_CMP_REQUEUE => unsafe { self.requeue() },
            // SAFETY: as above.
            FUTEX_WAKE_OP => unsafe { self.wake_by_operation() },
            // SAFETY: as above.
            _ => unsafe { self.in_kernel() },
        }
    }

    /// # Safety
    ///
    /// As for `call`.
    unsafe fn wait(self) -> c_long {
        let word = match word_at(self.arguments[0]) {
            Ok(word) => word,
            Err(error) => return fails(error).into(),
        };
        // SAFETY: as the caller promises.
        let deadline = match unsafe { self.deadline() } {
            Ok(deadline) => deadline,
            Err(deadline::Invalid) => return fails(libc::EINVAL).into(),
        };
        if self.command() == FUTEX_WAIT_BITSET && self.value3() == 0 {
            return fails(libc::EINVAL).into();
        }
        if !self.is_private() && may_be_shared(word) {
            // SAFETY: as the caller promises.
            return unsafe { self.in_kernel() };
        }
        // SAFETY: as the caller promises.
        unsafe { wait_at(word, self.value(), deadline) }
    }

    /// # Safety
    ///
    /// The time may be read, if there is one.
    unsafe fn deadline(&self) -> Result<Deadline, deadline::Invalid> {
        let time = self.arguments[3] as *const timespec;
        if time.is_null() {
            return Ok(None);
        }
        // SAFETY: as the caller promises.
        let time = unsafe { &*time };
        if self.command() == FUTEX_WAIT {
            return deadline::after(time);
        }
        let is_real_time = self.operation() & FUTEX_CLOCK_REALTIME != 0;
        if time.tv_sec < 0 {
            return Err(deadline::Invalid);
        }
        deadline::at(if is_real_time { CLOCK_REALTIME } else { CLOCK_MONOTONIC }, time)
    }

    fn wake(self) -> c_long {
        match word_at(self.arguments[0]) {
            Ok(word) => {
                let woken = count(sylvan::wake(word, number(self.value())));
                self.and_the_kernels(woken)
            }
            Err(error) => fails(error).into(),
        }
    }

    /// Has the kernel wake the rest of those that were to be woken, if some may wait there; how many are woken.
    #[inline]
    fn and_the_kernels(self, woken: c_long) -> c_long {
        let left = c_long::from(self.value() as c_int) - woken;
        if self.is_private() || left <= 0 {
            return woken;
        }
        let mut arguments = self.arguments;
        arguments[2] = left;
        // SAFETY: it takes the address as a key.
        let more = unsafe { kernel::enter(libc::SYS_futex, arguments) };
        woken + more.max(0)
    }

    /// Wakes those that it would requeue.
    ///
    /// # Safety
    ///
    /// As for `call`.
    unsafe fn requeue(self) -> c_long {
        let (word, _) = match (word_at(self.arguments[0]), word_at(self.arguments[4])) {
            (Ok(word), Ok(other)) => (word, other),
            (Err(error), _) | (_, Err(error)) => return fails(error).into(),
        };
        let (wakes, requeues) = (self.value() as c_int, self.value2() as c_int);
        if wakes < 0 || requeues < 0 {
            return fails(libc::EINVAL).into();
        }
        // SAFETY: as the caller promises. All access is atomic.
        if self.command() == FUTEX_CMP_REQUEUE && unsafe { &*word }.load(SeqCst) != self.value3() {
            return fails(libc::EAGAIN).into();
        }
        let most = number(self.value()).max(1).saturating_add(number(self.value2()));
        let woken = count(sylvan::wake(word, most));
        if self.is_private() || !may_be_shared(word) {
            return woken;
        }
        // SAFETY: as the caller promises.
        let more = unsafe { kernel::call(libc::SYS_futex, self.arguments) };
        if more < 0 { more } else { woken + more }
    }

    /// # Safety
    ///
    /// As for `call`.
    unsafe fn wake_by_operation(self) -> c_long {
        let (word, other) = match (word_at(self.arguments[0]), word_at(self.arguments[4])) {
            (Ok(word), Ok(other)) => (word, other),
            (Err(error), _) | (_, Err(error)) => return fails(error).into(),
        };
        let Some(operation) = Operation::decode(self.value3()) else {
            return fails(libc::ENOSYS).into();
        };
        // SAFETY: as the caller promises. All access is atomic.
        let before = operation.apply(unsafe { &*other });
        let mut woken = count(sylvan::wake(word, number(self.value())));
        let is_private = self.is_private();
        let wake_kernels = |address: c_long, n: c_long| {
            let wake = [address, FUTEX_WAKE.into(), n, 0, 0, 0];
            // SAFETY: it takes the address as a key.
            unsafe { kernel::enter(libc::SYS_futex, wake) }.max(0)
        };
        if !is_private {
            woken += wake_kernels(self.arguments[0], self.arguments[2] - woken);
        }
        if operation.holds(before) {
            let more = count(sylvan::wake(other, number(self.value2())));
            woken += more;
            if !is_private {
                woken += wake_kernels(self.arguments[4], self.arguments[3] - more);
            }
        }
        woken
    }

    /// Makes the call in the kernel, which may block.
    ///
    /// # Safety
    ///
    /// As for the kernel's.
    unsafe fn in_kernel(self) -> c_long {
        // SAFETY: as the caller promises.
        let result = wait::section(|| unsafe { kernel::enter(libc::SYS_futex, self.arguments) });
        if result < 0 {
            set_errno(-result as c_int);
            return -1;
        }
        result
    }
}

/// How many the kernel wakes if it is asked to wake `n`: one at least.
#[inline]
#[expect(clippy::cast_sign_loss, reason = "not below zero")]
fn number(n: u32) -> usize {
    n.cast_signed().max(1) as usize
}

#[inline]
fn count(n: usize) -> c_long {
    c_long::try_from(n).unwrap_or(c_long::MAX)
}

/// The word at an address, or why there is none.
#[inline]
fn word_at(address: c_long) -> Result<*const AtomicU32, c_int> {
    let address = address.cast_unsigned() as usize;
    if !address.is_multiple_of(align_of::<AtomicU32>()) {
        return Err(libc::EINVAL);
    }
    if !(LOWEST..HIGHEST).contains(&address) {
        return Err(libc::EFAULT);
    }
    Ok(std::ptr::with_exposed_provenance(address))
}

/// What `FUTEX_WAKE_OP` does to the second word, and what it then looks at: see the kernel's.
struct Operation {
    what: u32,
    comparison: u32,
    argument: i32,
    compared: i32,
}

impl Operation {
    fn decode(encoded: u32) -> Option<Self> {
        const SHIFT: u32 = 8;
        let sign_extended = |bits: u32| ((bits << 20).cast_signed()) >> 20;
        let (what, comparison) = (encoded >> 28, encoded >> 24 & 15);
        let argument = sign_extended(encoded >> 12 & 0xfff);
        let argument = if what & SHIFT != 0 {
            1_i32.wrapping_shl(argument.cast_unsigned() & 31)
        } else {
            argument
        };
        let this = Self {
            what: what & !SHIFT,
            comparison,
            argument,
            compared: sign_extended(encoded & 0xfff),
        };
        (this.what <= 4 && comparison <= 5).then_some(this)
    }

    /// What the word was.
    fn apply(&self, word: &AtomicU32) -> i32 {
        let argument = self.argument.cast_unsigned();
        let before = match self.what {
            0 => word.swap(argument, SeqCst),
            1 => word.fetch_add(argument, SeqCst),
            2 => word.fetch_or(argument, SeqCst),
            3 => word.fetch_and(!argument, SeqCst),
            _ => word.fetch_xor(argument, SeqCst),
        };
        before.cast_signed()
    }

    fn holds(&self, before: i32) -> bool {
        match self.comparison {
            0 => before == self.compared,
            1 => before != self.compared,
            2 => before < self.compared,
            3 => before <= self.compared,
            4 => before > self.compared,
            _ => before >= self.compared,
        }
    }
}

/// Whether other processes may have the memory of this word, too.
#[cold]
fn may_be_shared(word: *const AtomicU32) -> bool {
    /// `struct procmap_query`, its flags, and the call that takes it.
    #[repr(C)]
    #[derive(Default)]
    struct Query {
        size: u64,
        query_flags: u64,
        query_addr: u64,
        vma_start: u64,
        vma_end: u64,
        vma_flags: u64,
        rest: [u64; 7],
    }
    const VMA_SHARED: u64 = 8;
    const PROCMAP_QUERY: c_long = 0xc068_6611;
    let mut query = Query {
        size: size_of::<Query>() as u64,
        query_addr: word.addr() as u64,
        ..Query::default()
    };
    let open = [
        libc::AT_FDCWD.into(),
        c"/proc/self/maps".as_ptr() as c_long,
        (libc::O_RDONLY | libc::O_CLOEXEC).into(),
        0,
        0,
        0,
    ];
    // SAFETY: opens a file, asks it, and closes it. The question is as long as it says.
    let answer = unsafe {
        let maps = kernel::enter(libc::SYS_openat, open);
        if maps < 0 {
            return true;
        }
        let ask = [maps, PROCMAP_QUERY, (&raw mut query) as c_long, 0, 0, 0];
        let answer = kernel::enter(libc::SYS_ioctl, ask);
        kernel::enter(libc::SYS_close, [maps, 0, 0, 0, 0, 0]);
        answer
    };
    answer < 0 || query.vma_flags & VMA_SHARED != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_was_mapped_to_be_shared_may_be() {
        let map = |flags| {
            // SAFETY: new memory, which the process keeps.
            let at = unsafe {
                libc::mmap(
                    std::ptr::null_mut(),
                    4096,
                    libc::PROT_READ | libc::PROT_WRITE,
                    flags | libc::MAP_ANONYMOUS,
                    -1,
                    0,
                )
            };
            assert_ne!(at, libc::MAP_FAILED);
            at.cast::<AtomicU32>().cast_const()
        };
        assert!(may_be_shared(map(libc::MAP_SHARED)));
        // Where the kernel does not say it may be, whatever it is.
        let word = Box::new(AtomicU32::new(0));
        assert_eq!(may_be_shared(&raw const *word), may_be_shared(map(libc::MAP_PRIVATE)));
    }

    #[test]
    fn an_operation_is_decoded_as_the_kernel_does() {
        // FUTEX_OP(FUTEX_OP_ADD, -1, FUTEX_OP_CMP_EQ, 5)
        let word = AtomicU32::new(5);
        let operation = Operation::decode(1 << 28 | 0xfff << 12 | 5).unwrap();
        let before = operation.apply(&word);
        assert_eq!((before, word.into_inner()), (5, 4));
        assert!(operation.holds(before) && !operation.holds(4));
        // FUTEX_OP(FUTEX_OP_OR | FUTEX_OP_ARG_SHIFT, 4, FUTEX_OP_CMP_LT, -2)
        let word = AtomicU32::new(1);
        let operation = Operation::decode(10 << 28 | 2 << 24 | 4 << 12 | 0xffe).unwrap();
        assert_eq!((operation.apply(&word), word.into_inner()), (1, 17));
        assert!(operation.holds(-3) && !operation.holds(-2));
        assert!(Operation::decode(7 << 28).is_none());
    }
}

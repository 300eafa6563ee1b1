//! The stack of a thread that an OS thread runs.
//!
//! It takes that one's registers, and so a stop, as of a debugger's, that lasts some microseconds. A thread
//! that is in a call of the kernel's is stopped only if the kernel goes on with the call afterwards by
//! itself. Of others there is what the kernel says of each call, which leads to the frames as long as these
//! need no frame pointer.
//!
//! The OS thread is seized by an OS thread of ours that ends with the look. So the kernel lets it go whatever
//! happens here, a stop that comes too late included. One that another debugger has cannot be seized.

use std::mem;
use std::thread;
use std::time::{Duration, Instant};

use sylvan_sight::Procfs;
use sylvan_sight::procfs::Call;
use sylvan_sight::stacks::{Registers, Stack};
use sylvan_sight::threads::Thread;

use super::Process;
use super::live::Live;

/// So long is waited for the stop: until the kernel has given the OS thread a processor. Who does not stop is in a
/// call that cannot be interrupted.
const PATIENCE: Duration = Duration::from_millis(500);

/// What the kernel calls the set of general registers.
const GENERAL: usize = libc::NT_PRSTATUS as usize;

/// The stack of a thread that an OS thread runs, as far as it can be had.
pub(super) fn stack_of(
    process: &Process,
    live: &Live,
    os_thread: u32,
    thread: &Thread,
) -> Option<Stack> {
    let call = process.text(&format!("task/{os_thread}/syscall"))?;
    let goes_on = Call::parse(&call).is_none_or(|call| goes_on(process, call));
    if goes_on || live.state() == Some('T') {
        let read = |registers| Stack::read(live, thread, registers);
        if let Some(stack) = with_registers(os_thread, read) {
            return stack;
        }
    }
    // Where there are numbers, its stack pointer and where it is come last.
    let mut words = call.split_whitespace().rev();
    let mut word = || u64::from_str_radix(words.next()?.strip_prefix("0x")?, 16).ok();
    let (pc, stack_pointer) = (word()?, word()?);
    Stack::read(live, thread, Registers { pc, stack_pointer, ..Registers::default() })
}

/// Whether the kernel goes on with this call after a stop, as if there had been none.
fn goes_on(process: &Process, call: Call) -> bool {
    match call.number {
        libc::SYS_futex | libc::SYS_nanosleep | libc::SYS_clock_nanosleep => true,
        libc::SYS_wait4 | libc::SYS_waitid | libc::SYS_ppoll | libc::SYS_pselect6 => true,
        libc::SYS_flock | libc::SYS_openat | libc::SYS_restart_syscall => true,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll | libc::SYS_select => true,
        // It ends with `EINTR` at a socket that has a limit on its time.
        libc::SYS_read | libc::SYS_write | libc::SYS_readv | libc::SYS_writev => {
            let link = process.link(&format!("fd/{}", call.arguments[0]));
            link.is_some_and(|link| !link.starts_with("socket:"))
        }
        _ => false,
    }
}

/// Stops an OS thread, has `look` look at its registers, and lets it go on. `None` if it does not stop.
fn with_registers<T: Send>(os_thread: u32, look: impl FnOnce(Registers) -> T + Send) -> Option<T> {
    thread::scope(|scope| scope.spawn(|| stop(os_thread.cast_signed(), look)).join().ok()?)
}

fn stop<T>(os_thread: i32, look: impl FnOnce(Registers) -> T) -> Option<T> {
    if !request(libc::PTRACE_SEIZE, os_thread) || !request(libc::PTRACE_INTERRUPT, os_thread) {
        return None;
    }
    let begin = Instant::now();
    while !has_stopped(os_thread)? {
        if begin.elapsed() > PATIENCE {
            return None;
        }
        thread::sleep(Duration::from_micros(10));
    }
    let seen = registers_of(os_thread).map(look);
    // It goes on in any case, once this OS thread ends.
    request(libc::PTRACE_DETACH, os_thread);
    seen
}

/// Makes a request of `ptrace` that has no arguments.
fn request(request: libc::c_uint, os_thread: i32) -> bool {
    // SAFETY: these requests read and write no memory of ours.
    unsafe { libc::ptrace(request, os_thread, 0_usize, 0_usize) == 0 }
}

/// Whether it has; `None` if it has ended.
fn has_stopped(os_thread: i32) -> Option<bool> {
    let mut status = 0;
    // SAFETY: the status is ours to be written.
    match unsafe { libc::waitpid(os_thread, &mut status, libc::__WALL | libc::WNOHANG) } {
        0 => Some(false),
        n if n == os_thread => libc::WIFSTOPPED(status).then_some(true),
        _ => None,
    }
}

fn registers_of(os_thread: i32) -> Option<Registers> {
    const N: usize = size_of::<libc::user_regs_struct>() / size_of::<u64>();
    let mut words = [0_u64; N];
    let mut piece =
        libc::iovec { iov_base: words.as_mut_ptr().cast(), iov_len: mem::size_of_val(&words) };
    // SAFETY: the kernel writes up to `iov_len` bytes to `words`, which is as long.
    let read = unsafe { libc::ptrace(libc::PTRACE_GETREGSET, os_thread, GENERAL, &raw mut piece) };
    if read == 0 { registers(&words) } else { None }
}

/// Which of the general registers lead from frame to frame, in the order of the kernel's.
pub(super) fn registers(words: &[u64]) -> Option<Registers> {
    #[cfg(target_arch = "x86_64")]
    let [pc, stack_pointer, frame_pointer, link] = [Some(16), Some(19), Some(4), None];
    #[cfg(target_arch = "aarch64")]
    let [pc, stack_pointer, frame_pointer, link] = [Some(32), Some(31), Some(29), Some(30)];
    let word = |index: Option<usize>| index.map_or(Some(0), |index| words.get(index).copied());
    Some(Registers {
        pc: word(pc)?,
        stack_pointer: word(stack_pointer)?,
        frame_pointer: Some(word(frame_pointer)?),
        link: word(link)?,
    })
}

//! Jumps out of handlers of signals: `sigsetjmp`, which keeps the thread's mask, and what puts it back.
//!
//! libc keeps and puts back the mask of the kernel's, which is the OS thread's. That of a green thread, and
//! in which handlers it is, go beside it: into the part of the buffer that is there for masks longer than
//! the kernel's are. A jump to a place that has kept no mask is libc's, as it is: the mask stays the
//! handler's.

use std::arch::naked_asm;
use std::ffi::{c_int, c_void};

use crate::next::{Next, libcs};
use crate::signal::change_own;
use crate::signal::delivery::{alternate_stack, leave_handler};
use crate::signal::own::{Signals, own};

/// libc's buffer.
#[repr(C)]
#[derive(Debug)]
pub struct Buffer {
    registers: [u64; N_REGISTERS],
    has_mask: c_int,
    of_libc: [u64; 8],
    kept: Kept,
    rest: [u64; 5],
}

#[cfg(target_arch = "x86_64")]
const N_REGISTERS: usize = 8;
#[cfg(target_arch = "aarch64")]
const N_REGISTERS: usize = 22;

#[cfg(target_arch = "x86_64")]
const _: () = assert!(size_of::<Buffer>() == 200);
#[cfg(target_arch = "aarch64")]
const _: () = assert!(size_of::<Buffer>() == 312);

/// What a green thread keeps.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
struct Kept {
    mark: u64,
    mask: u64,
    depth: u64,
}

/// That something is kept: the buffer is the program's, and held anything before.
const MARK: u64 = 0x7379_6c76_616e_6a6d;

libcs! {
    siglongjmp(buffer: *mut Buffer, value: c_int) -> !;
    longjmp(buffer: *mut Buffer, value: c_int) -> !;
    _longjmp(buffer: *mut Buffer, value: c_int) -> !;
    __longjmp_chk(buffer: *mut Buffer, value: c_int) -> !;
}

/// The calling thread, if it is green.
fn this<'a>() -> Option<&'a Signals> {
    own().filter(|_| !sylvan::contract::signal::is_vfork_child())
}

static SIGSETJMP: Next = Next::new(c"__sigsetjmp");

/// Looks it up before the program begins: each thread's beginning calls it, and whoever waits for the thread may
/// have the loader's lock.
#[used]
// SAFETY: a function without arguments, as the entries of the section are.
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = {
    extern "C" fn look_up() {
        SIGSETJMP.get();
    }
    look_up
};

/// Keeps what belongs to a green thread; where libc's function is.
///
/// # Safety
///
/// As for `__sigsetjmp`.
unsafe extern "C" fn keep(buffer: *mut Buffer, keeps_mask: c_int) -> *mut c_void {
    if keeps_mask != 0 {
        let kept = match this() {
            Some(signals) => {
                Kept { mark: MARK, mask: signals.mask(), depth: signals.depth.get().into() }
            }
            None => Kept { mark: 0, mask: 0, depth: 0 },
        };
        // SAFETY: as the caller promises; a buffer that keeps a mask has room for one of libc's.
        unsafe { (&raw mut (*buffer).kept).write(kept) };
    }
    SIGSETJMP.get()
}

/// The calling thread is about to jump: what it has kept is put back.
///
/// # Safety
///
/// As for `siglongjmp`.
unsafe fn put_back(buffer: *const Buffer) {
    // SAFETY: as the caller promises. Without a mask the buffer may end here.
    if unsafe { (*buffer).has_mask } == 0 {
        return;
    }
    // SAFETY: as the caller promises.
    let kept = unsafe { (*buffer).kept };
    if kept.mark != MARK {
        return;
    }
    // Last, for it takes a system call.
    let Some(signals) = this() else { return };
    if u64::from(signals.depth.get()) > kept.depth {
        leave_handler(signals);
        signals.depth.set(kept.depth as u32);
        signals.alternate.set((kept.depth > 0).then(alternate_stack));
        signals.set_waits_for(0);
    }
    change_own(signals, kept.mask);
}

/// As that of libc: notes what a green thread keeps, and goes on there, for it returns once more.
///
/// # Safety
///
/// As that of libc.
#[unsafe(naked)]
pub unsafe extern "C" fn __sigsetjmp(buffer: *mut Buffer, keeps_mask: c_int) -> c_int {
    #[cfg(target_arch = "x86_64")]
    naked_asm!(
        "push rdi",
        "push rsi",
        "sub rsp, 8",
        "call {keep}",
        "add rsp, 8",
        "pop rsi",
        "pop rdi",
        "jmp rax",
        keep = sym keep,
    );
    #[cfg(target_arch = "aarch64")]
    naked_asm!(
        "stp x29, x30, [sp, #-32]!",
        "stp x0, x1, [sp, #16]",
        "bl {keep}",
        "mov x16, x0",
        "ldp x0, x1, [sp, #16]",
        "ldp x29, x30, [sp], #32",
        "br x16",
        keep = sym keep,
    );
}

macro_rules! jumps {
    ($($name:ident),+) => {$(
        /// As that of libc.
        ///
        /// # Safety
        ///
        /// As that of libc.
        pub unsafe extern "C-unwind" fn $name(buffer: *mut Buffer, value: c_int) -> ! {
            // SAFETY: as the caller promises.
            unsafe {
                put_back(buffer);
                libcs::$name(buffer, value)
            }
        }
    )+};
}

jumps! { longjmp, _longjmp, siglongjmp, __longjmp_chk }

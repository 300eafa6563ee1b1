//! Ends: of a thread by `pthread_exit`, and of the process after the last thread.
//!
//! # `pthread_exit`
//!
//! It is libc's: it unwinds the stack, and runs what C and C++ have to be cleaned up, up to a place that
//! libc knows of the thread. [`call`] makes that place, as libc itself does where an OS thread begins:
//! `__sigsetjmp` into a buffer, and `__pthread_register_cancel` with it. To who looks for a handler of an
//! exception the stack ends there.
//!
//! # The process
//!
//! It ends, with status 0, when the first thread has ended by `pthread_exit` and no other is left. libc counts
//! the runtime's OS threads, too, which never end. So threads that the program has begun are counted here,
//! and whoever is the last calls `exit`. The first thread is gone, and an OS thread has ended, when the
//! destructors of all others' keys have run: a key of ours says so, in the last of the rounds.

use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};

use super::create::Start;
use super::record::this;
use crate::next::Next;
use crate::program::calls_program;
use crate::{cancel, kernel, owner};

unsafe extern "C" {
    fn __sigsetjmp(buffer: *mut c_void, saves_mask: c_int) -> c_int;
    fn __pthread_register_cancel(buffer: *mut c_void);
    fn __pthread_unregister_cancel(buffer: *mut c_void);
}

unsafe extern "C-unwind" {
    /// Calls `start` with `argument`, and writes to `result` what it returns; if it exits nothing is
    /// written.
    #[link_name = "__sylvan_posix_call"]
    pub(super) fn call(start: Start, argument: *mut c_void, result: *mut *mut c_void);
}

// The buffer is glibc's `__pthread_unwind_buf_t`: a `__jmp_buf` of 8 words, the mask's flag, and four words.
#[cfg(target_arch = "x86_64")]
calls_program!(
    "__sylvan_posix_call",
    "__sylvan_posix_called",
    [
        ".cfi_undefined rip",
        "push rbx",
        "push r12",
        "push r13",
        "sub rsp, 112",
        ".cfi_adjust_cfa_offset 136",
        "mov rbx, rdi",
        "mov r12, rsi",
        "mov r13, rdx",
        "mov rdi, rsp",
        "xor esi, esi",
        "call {setjmp}@PLT",
        "test eax, eax",
        "jnz 2f",
        "mov rdi, rsp",
        "call {register}@PLT",
        "mov rdi, r12",
        "call rbx",
        "__sylvan_posix_called:",
        "mov [r13], rax",
        "mov rdi, rsp",
        "call {unregister}@PLT",
        "2:",
        "add rsp, 112",
        "pop r13",
        "pop r12",
        "pop rbx",
        "ret",
    ],
    setjmp = sym __sigsetjmp,
    register = sym __pthread_register_cancel,
    unregister = sym __pthread_unregister_cancel,
);

// As above, with a `__jmp_buf` of 22 words.
#[cfg(target_arch = "aarch64")]
calls_program!(
    "__sylvan_posix_call",
    "__sylvan_posix_called",
    [
        ".cfi_undefined x30",
        "stp x29, x30, [sp, #-48]!",
        "stp x19, x20, [sp, #16]",
        "str x21, [sp, #32]",
        "sub sp, sp, #224",
        ".cfi_adjust_cfa_offset 272",
        "mov x19, x0",
        "mov x20, x1",
        "mov x21, x2",
        "mov x0, sp",
        "mov w1, #0",
        "bl {setjmp}",
        "cbnz w0, 2f",
        "mov x0, sp",
        "bl {register}",
        "mov x0, x20",
        "blr x19",
        "__sylvan_posix_called:",
        "str x0, [x21]",
        "mov x0, sp",
        "bl {unregister}",
        "2:",
        "add sp, sp, #224",
        "ldr x21, [sp, #32]",
        "ldp x19, x20, [sp, #16]",
        "ldp x29, x30, [sp], #48",
        "ret",
    ],
    setjmp = sym __sigsetjmp,
    register = sym __pthread_register_cancel,
    unregister = sym __pthread_unregister_cancel,
);

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn pthread_exit(value: *mut c_void) -> ! {
    match this() {
        Some(this) => {
            this.leaves(value);
            cancel::is_over(this);
        }
        None if is_first() && BEGUN.load(Ordering::Relaxed) => tell_at_end(),
        None => {}
    }
    // SAFETY: as the caller promises.
    unsafe { unwind(value) }
}

static EXIT: Next = Next::new(c"pthread_exit");

/// Looks up what a thread's end and identity need: whoever makes the thread may have the loader's lock, in a
/// library's constructor, and wait for it there.
pub(super) fn prepare() {
    EXIT.get();
    owner::me();
}

/// Unwinds the calling thread's stack, to its beginning.
///
/// # Safety
///
/// No frame of Rust's above the thread's beginning has anything to drop.
pub(crate) unsafe fn unwind(value: *mut c_void) -> ! {
    type Function = unsafe extern "C-unwind" fn(*mut c_void) -> !;
    // SAFETY: libc's function of that name, which has this type.
    let next = unsafe { std::mem::transmute::<*mut c_void, Function>(EXIT.get()) };
    // SAFETY: as the caller promises.
    unsafe { next(value) }
}

/// How many threads there are that the program has begun, but for the first.
static LIVE: AtomicUsize = AtomicUsize::new(0);
/// Whether there has ever been one. By whoever begins it; orders nothing.
static BEGUN: AtomicBool = AtomicBool::new(false);
/// Whether the first one has ended. Sequentially consistent with `LIVE`: of the first and the last to end one
/// sees the other.
static FIRST_IS_GONE: AtomicBool = AtomicBool::new(false);

/// A thread begins.
pub(super) fn begins() {
    LIVE.fetch_add(1, Ordering::SeqCst);
    if !BEGUN.load(Ordering::Relaxed) {
        BEGUN.store(true, Ordering::Relaxed);
    }
}

/// A thread ends, or has not begun.
pub(super) fn ends() {
    if LIVE.fetch_sub(1, Ordering::SeqCst) == 1 && FIRST_IS_GONE.load(Ordering::SeqCst) {
        // SAFETY: ends the process, as libc does after its last thread.
        unsafe { libc::exit(0) };
    }
}

/// Whether the caller is the process's first thread.
fn is_first() -> bool {
    // SAFETY: asks for numbers.
    unsafe { kernel::enter(libc::SYS_gettid, [0; 6]) == kernel::enter(libc::SYS_getpid, [0; 6]) }
}

/// In how many rounds libc calls the destructors of keys.
const ROUNDS: usize = 4;

/// 0 until there is one; then the key's number and one.
static KEY: AtomicU32 = AtomicU32::new(0);

/// The calling OS thread says when it ends.
pub(super) fn tell_at_end() {
    let mut key = KEY.load(Ordering::Relaxed);
    if key == 0 {
        let mut made = 0;
        // SAFETY: a place for the key.
        if unsafe { libc::pthread_key_create(&raw mut made, Some(at_end)) } != 0 {
            return;
        }
        key = match KEY.compare_exchange(0, made + 1, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => made + 1,
            Err(other) => {
                // SAFETY: nobody has it.
                unsafe { libc::pthread_key_delete(made) };
                other
            }
        };
    }
    // SAFETY: a key that is never deleted.
    unsafe { libc::pthread_setspecific(key - 1, ptr::without_provenance(ROUNDS)) };
}

unsafe extern "C" fn at_end(rounds_left: *mut c_void) {
    let left = rounds_left.addr() - 1;
    if left > 0 {
        let key = KEY.load(Ordering::Relaxed) - 1;
        // SAFETY: a key that is never deleted.
        unsafe { libc::pthread_setspecific(key, ptr::without_provenance(left)) };
    } else if is_first() {
        FIRST_IS_GONE.store(true, Ordering::SeqCst);
        if LIVE.load(Ordering::SeqCst) == 0 {
            // SAFETY: as above.
            unsafe { libc::exit(0) };
        }
    } else {
        ends();
    }
}

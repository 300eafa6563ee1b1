//! The switch of stacks: one stack pointer for another.
//!
//! # The protocol
//!
//! A context has one word, `other`. While the context does not run, it is its stack pointer; while it does,
//! that of who has resumed it. So to resume and to suspend are one and the same: [`switch`] puts the stack
//! pointer there, and takes the one that was there. Whoever may run the context has the word: it is plain memory,
//! and what hands a task from one worker to the next orders it (`task`). A context that has left for good keeps
//! the other's stack pointer there, so the word never leads to what is no more.
//!
//! What a stack pointer in that word leads to, from below:
//!
//! ```text
//!                  where it goes on | frame pointer | rbx, x19 | (a gap, on aarch64) | whoever has switched
//!   stack pointer ^                                                                  ^ size
//! ```
//!
//! These are the registers that a compiler gives to nobody for a piece of assembly. It saves itself what else it
//! wants to find again, for all other registers are said to be lost. Who switches sees to how it computes
//! with floating point (`floating`). The signal mask is not moved.
//!
//! A context that has not begun looks the same: it goes on in `begin`, which finds its function in the
//! register, and what to call it with above.
//!
//! # Why it jumps
//!
//! The processor expects each return at where the last call has come from. Where a switch is a call one way and
//! a return the other, this fits as long as nothing is called in between. A thread that waits in a library does
//! so behind some calls. Then the switch's own return is mispredicted, and those of its callers as well.
//! With a jump nothing of it is used up: threads that wait in the same place return as each other. And since the
//! switch is inlined, each place that waits has a jump of its own to predict.
//!
//! # What an unwinder sees
//!
//! A stack ends with `begin`, which says that nobody has called it, and by a frame pointer of 0. What is not
//! caught by the context's function ends the process there. An unwinder that begins at `where it goes on`, with the
//! stack pointer above what is saved, finds the frame of whoever has switched as the compiler has described it.
//!
//! In between, the stack pointer is not where the compiler thinks it is. An unwinder that begins there, in a handler of
//! a signal, would take some word for an address of code, and look at what is there. So it is told that the stack ends
//! there (`from_here_nobody_calls`). Where a program is built to abort at panics there may be no tables to say so in.
//! `where it goes on` is behind an instruction that nobody comes to: debuggers look up what is before an address that
//! a call returns to.

use std::mem::offset_of;

use sylvan_sight::table::Saved;

pub(super) use arch::{leave, switch};

/// What is at the stack pointer of a context that does not run.
#[repr(C)]
#[cfg_attr(target_arch = "aarch64", repr(align(16)))]
struct Registers {
    pc: usize,
    frame_pointer: usize,
    /// `rbx`, `x19`.
    kept: usize,
}

/// The same for those who look from outside.
pub(crate) const REGISTERS: Saved = Saved {
    pc: offset_of!(Registers, pc) as u64,
    frame_pointer: offset_of!(Registers, frame_pointer) as u64,
    size: size_of::<Registers>() as u64,
};

/// What a stack begins with, at its top: what `begin` finds.
#[repr(C)]
struct First {
    registers: Registers,
    argument: usize,
}

/// Where every stack begins.
#[cfg(test)]
pub(super) fn begin_at() -> usize {
    arch::begin as *const () as usize
}

/// What a stack is aligned to where frames begin.
pub(crate) const STACK_ALIGNMENT: usize = 16;

/// The stack pointer of a context that has not begun, whose stack reaches up to `top`.
pub(super) fn first_stack_pointer(top: usize) -> usize {
    const { assert!(size_of::<First>().is_multiple_of(STACK_ALIGNMENT)) };
    top - size_of::<First>()
}

/// Makes ready a stack that reaches up to `top`, so that a switch there calls `main` with `argument`.
///
/// # Safety
///
/// Below `top`, which is aligned, is a stack that nobody uses.
pub(super) unsafe fn prepare(
    top: usize,
    main: unsafe extern "C" fn(*const ()) -> !,
    argument: *const (),
) {
    let registers =
        Registers { pc: arch::begin as *const () as usize, frame_pointer: 0, kept: main as usize };
    let first = First { registers, argument: argument.expose_provenance() };
    // SAFETY: as the caller promises.
    unsafe { (first_stack_pointer(top) as *mut First).write(first) };
}

/// For unwinders: from here up to `back_here` the stack ends with this frame.
#[cfg(all(panic = "unwind", not(target_vendor = "apple"), target_arch = "x86_64"))]
macro_rules! from_here_nobody_calls {
    () => {
        ".cfi_remember_state\n.cfi_undefined rip"
    };
}
#[cfg(all(panic = "unwind", not(target_vendor = "apple"), target_arch = "aarch64"))]
macro_rules! from_here_nobody_calls {
    () => {
        ".cfi_remember_state\n.cfi_undefined x30"
    };
}
#[cfg(all(panic = "unwind", not(target_vendor = "apple")))]
macro_rules! back_here {
    () => {
        ".cfi_restore_state"
    };
}
#[cfg(not(all(panic = "unwind", not(target_vendor = "apple"))))]
macro_rules! from_here_nobody_calls {
    () => {
        ""
    };
}
#[cfg(not(all(panic = "unwind", not(target_vendor = "apple"))))]
macro_rules! back_here {
    () => {
        ""
    };
}

#[cfg(target_arch = "x86_64")]
mod arch {
    use std::arch::{asm, naked_asm};

    /// See the module's header. `value` is what the other side gets.
    ///
    /// # Safety
    ///
    /// `other` is the word of a context that the caller runs, or may run.
    #[inline(always)]
    pub(in super::super) unsafe fn switch(other: *mut usize, value: usize) -> usize {
        let heard;
        // SAFETY: who is switched to switches back, as the caller promises, and finds what was pushed here. All
        // registers but these are said to be lost.
        unsafe {
            asm!(
                from_here_nobody_calls!(),
                "push rbx",
                "push rbp",
                "lea rax, [rip + 2f]",
                "push rax",
                "mov rax, [rsi]",
                "mov [rsi], rsp",
                "mov rsp, rax",
                "pop rax",
                "pop rbp",
                "pop rbx",
                "jmp rax",
                back_here!(),
                "nop",
                "2:",
                in("rsi") other,
                inlateout("rdi") value => heard,
                lateout("r12") _, lateout("r13") _, lateout("r14") _, lateout("r15") _,
                clobber_abi("sysv64"),
            );
        }
        heard
    }

    /// The same, for good: nothing is left to come back to, and the word stays as it is.
    ///
    /// # Safety
    ///
    /// `other` is the word of the context that the caller runs.
    #[inline(always)]
    pub(in super::super) unsafe fn leave(other: *const usize, value: usize) -> ! {
        // SAFETY: who has resumed the context waits for it, as above.
        unsafe {
            asm!(
                from_here_nobody_calls!(),
                "mov rsp, [rsi]",
                "pop rax",
                "pop rbp",
                "pop rbx",
                "jmp rax",
                back_here!(),
                in("rsi") other,
                in("rdi") value,
                options(noreturn),
            );
        }
    }

    /// Where a context begins: calls its function, on a stack that ends here.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn begin() -> ! {
        naked_asm!(
            ".cfi_startproc",
            ".cfi_undefined rip",
            "pop rdi",
            // What the last thread had in these is not to come to this one's stack: whoever looks there for what a
            // thread has (`sight`) would find it.
            "xor r12d, r12d",
            "xor r13d, r13d",
            "xor r14d, r14d",
            "xor r15d, r15d",
            // A call, but for what the processor would expect back: the function never returns.
            "lea rax, [rip + 2f]",
            "push rax",
            "jmp rbx",
            "2:",
            "ud2",
            ".cfi_endproc",
        )
    }
}

#[cfg(target_arch = "aarch64")]
mod arch {
    use std::arch::{asm, naked_asm};

    /// See the module's header. `value` is what the other side gets.
    ///
    /// # Safety
    ///
    /// `other` is the word of a context that the caller runs, or may run.
    #[inline(always)]
    pub(in super::super) unsafe fn switch(other: *mut usize, value: usize) -> usize {
        let heard;
        // SAFETY: who is switched to switches back, as the caller promises, and finds what was pushed here. All
        // registers but these are said to be lost.
        unsafe {
            asm!(
                from_here_nobody_calls!(),
                "adr x16, 2f",
                "stp x16, x29, [sp, #-32]!",
                "str x19, [sp, #16]",
                "mov x16, sp",
                "ldr x17, [x1]",
                "str x16, [x1]",
                "mov sp, x17",
                "ldr x19, [sp, #16]",
                "ldp x16, x29, [sp], #32",
                "br x16",
                back_here!(),
                "nop",
                "2:",
                in("x1") other,
                inlateout("x0") value => heard,
                lateout("x20") _, lateout("x21") _, lateout("x22") _, lateout("x23") _,
                lateout("x24") _, lateout("x25") _, lateout("x26") _, lateout("x27") _,
                lateout("x28") _,
                clobber_abi("C"),
            );
        }
        heard
    }

    /// The same, for good: nothing is left to come back to, and the word stays as it is.
    ///
    /// # Safety
    ///
    /// `other` is the word of the context that the caller runs.
    #[inline(always)]
    pub(in super::super) unsafe fn leave(other: *const usize, value: usize) -> ! {
        // SAFETY: who has resumed the context waits for it, as above.
        unsafe {
            asm!(
                from_here_nobody_calls!(),
                "ldr x17, [x1]",
                "mov sp, x17",
                "ldr x19, [sp, #16]",
                "ldp x16, x29, [sp], #32",
                "br x16",
                back_here!(),
                in("x1") other,
                in("x0") value,
                options(noreturn),
            );
        }
    }

    /// Where a context begins: calls its function, on a stack that ends here.
    #[unsafe(naked)]
    pub(super) unsafe extern "C" fn begin() -> ! {
        naked_asm!(
            ".cfi_startproc",
            ".cfi_undefined x30",
            "ldr x0, [sp], #16",
            // As on x86-64.
            "mov x20, xzr",
            "mov x21, xzr",
            "mov x22, xzr",
            "mov x23, xzr",
            "mov x24, xzr",
            "mov x25, xzr",
            "mov x26, xzr",
            "mov x27, xzr",
            "mov x28, xzr",
            // A call, but for what the processor would expect back: the function never returns.
            "mov x16, x19",
            "adr x30, 2f",
            "br x16",
            "2:",
            "brk #1",
            ".cfi_endproc",
        )
    }
}

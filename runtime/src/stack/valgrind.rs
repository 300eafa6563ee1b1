//! Tells Valgrind, if it runs the program, where stacks are. Otherwise this does nothing: the request is a
//! sequence of instructions that leaves all as it is.

use std::arch::asm;
use std::ops::Range;

/// `VG_USERREQ__STACK_REGISTER`.
const STACK_REGISTER: usize = 0x1501;

/// Registers these addresses as a stack, for good.
#[cold]
pub(super) fn register(stack: Range<usize>) {
    let request = [STACK_REGISTER, stack.start, stack.end - 1, 0, 0, 0];
    // SAFETY: four rotations that make up a full turn, and a move of a register to itself. Valgrind reads the request,
    // and writes what it answers to the one register.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        asm!(
            "rol rdi, 3",
            "rol rdi, 13",
            "rol rdi, 61",
            "rol rdi, 51",
            "xchg rbx, rbx",
            in("rax") request.as_ptr(),
            inlateout("rdx") 0_usize => _,
            options(nostack),
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        asm!(
            "ror x12, x12, #3",
            "ror x12, x12, #13",
            "ror x12, x12, #51",
            "ror x12, x12, #61",
            "orr x10, x10, x10",
            in("x4") request.as_ptr(),
            inlateout("x3") 0_usize => _,
            options(nostack),
        );
    }
}

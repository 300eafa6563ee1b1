//! Copies of stacks, with the registers of whoever is on them.
//!
//! A process that runs may resume a thread while its stack is read. So what leads to the stack is read before and
//! after, and a copy of a thread that has run meanwhile is dropped.

use crate::copies::Copies;
use crate::memory::{Copied, Memory, Piece};
use crate::table::Table;
use crate::threads::{Thread, saved};

/// No more of a stack is read than this: whoever recurses without end has more.
pub const LEN_MAX: u64 = 1 << 20;

/// What leads from frame to frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Registers {
    /// Where the thread goes on.
    pub pc: u64,
    /// Its stack pointer.
    pub stack_pointer: u64,
    /// Its frame pointer, if it is known.
    pub frame_pointer: Option<u64>,
    /// Where a function returns to that has saved that nowhere, on machines that have a register for it.
    pub link: u64,
}

/// A stack, from the stack pointer to the first frame.
#[derive(Clone, Debug)]
pub struct Stack {
    /// The registers.
    pub registers: Registers,
    /// What lies there.
    pub memory: Copied,
    /// The word that the first frame returns by.
    pub first_frame: u64,
    /// Whether the thread has left by the instruction before the one that it goes on with: a switch to another one, or a
    /// call of the kernel. So it is in the function of that, though what comes next may be another's, inlined there.
    pub has_left: bool,
}

impl Stack {
    /// Reads the stack of a thread that has these registers, if they are on it.
    pub fn read<M: Memory + ?Sized>(
        memory: &M,
        thread: &Thread,
        registers: Registers,
    ) -> Option<Self> {
        let (stack, first_frame) = (thread.stack.as_ref()?, thread.first_frame?);
        let start = registers.stack_pointer;
        let len = len(start, first_frame).filter(|_| stack.contains(&start))?;
        let mut bytes = vec![0; len];
        memory.read(start, &mut bytes).ok()?;
        let has_left = calls_kernel(memory, registers.pc);
        Some(Self { registers, memory: Copied { start, bytes }, first_frame, has_left })
    }
}

/// Whether the instruction before this one calls the kernel.
fn calls_kernel<M: Memory + ?Sized>(memory: &M, pc: u64) -> bool {
    #[cfg(target_arch = "x86_64")]
    const CALL: [u8; 2] = [0x0f, 0x05];
    #[cfg(target_arch = "aarch64")]
    const CALL: [u8; 4] = 0xd400_0001_u32.to_le_bytes();
    // No stack is walked there.
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    const CALL: [u8; 0] = [];
    let mut before = CALL.map(|byte| !byte);
    memory.read(pc.wrapping_sub(CALL.len() as u64), &mut before).is_ok() && before == CALL
}

/// How much is read of a stack between its stack pointer and the word of its first frame.
fn len(start: u64, first_frame: u64) -> Option<usize> {
    let len = first_frame.saturating_add(size_of::<u64>() as u64).checked_sub(start)?;
    usize::try_from(len.min(LEN_MAX)).ok()
}

/// Reads the stacks of these threads, in their order; of those that an OS thread runs, or has run meanwhile, none.
pub fn stacks<M: Memory + ?Sized>(
    memory: &M,
    table: &Table,
    threads: &[Thread],
) -> Vec<Option<Stack>> {
    let (places, n) = (|| threads.iter().map(|thread| thread.task), threads.len());
    let saved_now = || {
        let tasks = Copies::read(memory, &places().collect::<Vec<_>>(), table.task.size);
        let saved = |(thread, task): (&Thread, Option<_>)| {
            let (stack_pointer, first_frame) = saved(&table.task, task?, thread.stack.as_ref()?);
            Some((stack_pointer?, first_frame?))
        };
        threads.iter().zip(tasks.iter()).map(saved).collect::<Vec<_>>()
    };
    let before = saved_now();
    let mut bytes = vec![Vec::new(); n];
    for (bytes, saved) in bytes.iter_mut().zip(&before) {
        let len = saved.and_then(|(start, first_frame)| len(start, first_frame));
        bytes.resize(len.unwrap_or(0), 0);
    }
    let mut pieces: Vec<_> = before
        .iter()
        .zip(&mut bytes)
        .map(|(saved, into)| Piece { at: saved.map_or(0, |(start, _)| start), into })
        .collect();
    let are_read = memory.read_many(&mut pieces);
    let after = saved_now();
    before
        .into_iter()
        .zip(after)
        .zip(bytes.into_iter().zip(are_read))
        .map(|((before, after), (bytes, is_read))| {
            let (start, first_frame) = before.filter(|_| before == after && is_read)?;
            let memory = Copied { start, bytes };
            let saved = &table.saved;
            let registers = Registers {
                pc: memory.word(start.wrapping_add(saved.pc)).ok()?,
                stack_pointer: start.wrapping_add(saved.size),
                frame_pointer: Some(memory.word(start.wrapping_add(saved.frame_pointer)).ok()?),
                link: 0,
            };
            Some(Stack { registers, memory, first_frame, has_left: true })
        })
        .collect()
}

#[cfg(all(test, any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    use super::*;

    #[test]
    fn who_goes_on_behind_a_call_of_the_kernel_has_left_by_it() {
        // What calls the kernel, and what does nothing.
        #[cfg(target_arch = "x86_64")]
        let code = [[0x0f, 0x05], [0x66, 0x90]].concat();
        #[cfg(target_arch = "aarch64")]
        let code = [0xd400_0001_u32, 0xd503_201f].map(u32::to_le_bytes).concat();
        let (start, half) = (0x1000, code.len() as u64 / 2);
        let memory = Copied { start, bytes: code };
        assert!(calls_kernel(&memory, start + half));
        assert!(!calls_kernel(&memory, start + 2 * half));
        assert!(!calls_kernel(&memory, start), "what is before cannot be read");
    }
}

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
        Some(Self { registers, memory: Copied { start, bytes }, first_frame })
    }
}

/// How much is read of a stack between its stack pointer and the word of its first frame.
fn len(start: u64, first_frame: u64) -> Option<usize> {
    let len = (first_frame + size_of::<u64>() as u64).checked_sub(start)?;
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
                pc: memory.word(start + saved.pc).ok()?,
                stack_pointer: start + saved.size,
                frame_pointer: Some(memory.word(start + saved.frame_pointer).ok()?),
                link: 0,
            };
            Some(Stack { registers, memory, first_frame })
        })
        .collect()
}

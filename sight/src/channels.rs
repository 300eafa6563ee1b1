//! Which channel of the mirror's a receiver waits for, and how many senders that has.
//!
//! A receiver that waits without a deadline has left a pointer to its sleeper in the channel, with a bit set, and
//! has the sleeper and a pointer to the channel on its stack. So what says for sure that it is this channel is in
//! its memory already, and a wait costs nothing for it.

use std::ops::Range;

use crate::copies::{Copies, Record};
use crate::details::Detail;
use crate::hash::HashSet;
use crate::memory::Memory;
use crate::procfs::Procfs;
use crate::reason::Reason;
use crate::table::Table;
use crate::threads::Thread;
use crate::waits::{OsWait, Wait};

/// The bit that is set.
pub const PARKED: u64 = 2;
/// From the word with the pointer to the number of senders.
pub const SENDERS_AT: u64 = 16;

/// More threads than this are not looked at.
const THREADS_MAX: usize = 10_000;
/// The sleeper is so near to where the stack ends.
const DEPTH: u64 = 4096;
/// And the pointer so near to the sleeper.
const BEYOND: usize = 64;
/// From what such a pointer leads to, so far.
const WITHIN: u64 = 64;
const WORD: u64 = size_of::<u64>() as u64;

/// Finds those of green threads, and says so in `waits`.
pub(crate) fn find<M: Memory + ?Sized>(
    memory: &M,
    table: &Table,
    threads: &[Thread],
    waits: &mut [Wait],
) {
    let receives = |(thread, wait): &(&Thread, &mut Wait)| {
        thread.reason == Some(Reason::Channel) && wait.address.is_none()
    };
    let all = threads.iter().zip(waits);
    for (thread, wait) in all.filter(receives).take(THREADS_MAX) {
        if let (Some(start), Some(stack)) = (thread.stack_pointer, &thread.stack) {
            let words = words(memory, start..stack.end);
            // A pointer to the task, and a word that nobody has set.
            let is_sleeper = |pair: &[u64]| pair == [thread.task, 0];
            let at = words.windows(2).enumerate().filter(|(_, pair)| is_sleeper(pair));
            let at: Vec<_> = at.map(|(n, _)| n).collect();
            let sleepers: Vec<_> = at
                .iter()
                .map(|n| (start + *n as u64 * WORD).wrapping_sub(table.sleeper.task) | PARKED)
                .collect();
            let near = at.last().map_or(0, |last| last + BEYOND).min(words.len());
            say(memory, start..stack.end, &words[..near], &sleepers, wait);
        }
    }
}

/// Finds that of an OS thread, and says so in `it`.
pub(crate) fn find_of_os_thread<P: Procfs + ?Sized>(process: &P, os_thread: u32, it: &mut OsWait) {
    let (Some(Reason::Channel), Some(sleeper)) = (it.reason, it.sleeper) else { return };
    let Some(call) = process.call(os_thread) else { return };
    let stack = call.stack_pointer & !(WORD - 1)..call.stack_pointer.saturating_add(DEPTH);
    let words = words(process, stack.clone());
    say(process, stack, &words, &[sleeper | PARKED], &mut it.wait);
}

/// The words of a stack, near to where it ends.
fn words<M: Memory + ?Sized>(memory: &M, stack: Range<u64>) -> Vec<u64> {
    let len = stack.end.saturating_sub(stack.start).min(DEPTH) & !(WORD - 1);
    let mut bytes = vec![0; usize::try_from(len).unwrap_or(0)];
    if memory.read(stack.start, &mut bytes).is_err() {
        bytes.clear();
    }
    Record(&bytes).words(0, bytes.len() as u64).collect()
}

/// Says which channel leads to one of these sleepers, if a word of the stack leads to that.
fn say<M: Memory + ?Sized>(
    memory: &M,
    stack: Range<u64>,
    words: &[u64],
    sleepers: &[u64],
    wait: &mut Wait,
) {
    let pointers: HashSet<_> =
        words.iter().copied().filter(|it| *it > 1 << 16 && it % WORD == 0).collect();
    let pointers: Vec<_> = pointers.into_iter().collect();
    let copies = Copies::read(memory, &pointers, WITHIN);
    let mut found = pointers.iter().zip(copies.iter()).flat_map(|(pointer, copy)| {
        let words = copy.into_iter().flat_map(|copy| copy.words(0, WITHIN));
        let leads_there = |(_, word): &(u64, u64)| sleepers.contains(word);
        (*pointer..).step_by(WORD as usize).zip(words).filter(leads_there)
    });
    // Not what was pushed on the stack meanwhile, of the same value.
    if let Some((at, _)) = found.find(|(at, _)| !stack.contains(at)) {
        wait.address = Some(at);
        wait.detail = memory.word(at + SENDERS_AT).ok().map(Detail::Senders);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Copied;
    use crate::state_word;
    use crate::table::LEN;
    use crate::threads::State;

    #[test]
    fn the_channel_is_the_one_that_leads_to_the_sleeper() {
        // The stack from 4096 on, with the sleeper at 4104 and a pointer to the channel's counts at 4128; the
        // counts at 131072, the channel 16 bytes further, its senders 16 bytes after that.
        let (task, sleeper) = (0x7000_u64, 4104_u64);
        let mut bytes = vec![0; 131_072 + 256 - 4096];
        let mut put = |at: u64, word: u64| {
            let at = at as usize - 4096;
            bytes[at..at + 8].copy_from_slice(&word.to_ne_bytes());
        };
        put(4096, sleeper | PARKED);
        put(sleeper, task);
        put(4128, 131_072);
        put(131_072 + 16, sleeper | PARKED);
        put(131_072 + 16 + SENDERS_AT, 3);
        let memory = Copied { start: 4096, bytes };
        let zeros = vec![0_u8; LEN];
        let head = crate::table::Head::THIS;
        let mut words = zeros;
        for (n, word) in [head.magic, head.version, head.n_words].into_iter().enumerate() {
            words[8 * n..8 * n + 8].copy_from_slice(&word.to_ne_bytes());
        }
        let table = Table::parse(&words).unwrap();
        let thread = Thread {
            id: 1,
            name: None,
            state: State::Parked,
            state_word: state_word::PARKED,
            reason: Some(Reason::Channel),
            core: None,
            os_thread: None,
            stack: Some(4096..4096 + 4096),
            stack_pointer: Some(4096),
            first_frame: None,
            task,
            joiner: None,
            joined_at: None,
        };
        let mut waits = [Wait::default()];
        find(&memory, &table, std::slice::from_ref(&thread), &mut waits);
        let (address, detail) = (waits[0].address, waits[0].detail);
        assert_eq!((address, detail), (Some(131_088), Some(Detail::Senders(3))));
    }
}

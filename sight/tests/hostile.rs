//! What is read of another process is not to be trusted: whatever lies there, a look at it ends, without a panic.

use std::io::Read;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use sylvan_sight::procfs::Procfs;
use sylvan_sight::table::{self, LEN, NOTE, Table};
use sylvan_sight::threads::{self, Thread};
use sylvan_sight::{Account, Memory, Unreadable, deadlock, stacks};

/// A process whose memory has anything in it: each word is one of these, which the address decides.
#[derive(Debug)]
struct Hostile {
    words: Vec<u64>,
    /// Of so many places one cannot be read.
    unreadable: u64,
}

/// Any number, always the same.
fn number((at, n): (u64, u64)) -> u64 {
    (at.wrapping_add(8 * n) / 8).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29) >> 7
}

impl Memory for Hostile {
    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        if number((at, 1)).is_multiple_of(self.unreadable) {
            return Err(Unreadable { at });
        }
        for (piece, n) in into.chunks_mut(8).zip(0..) {
            let word = self.words[(number((at, n)) % self.words.len() as u64) as usize];
            piece.copy_from_slice(&word.to_ne_bytes()[..piece.len()]);
        }
        Ok(())
    }
}

impl Procfs for Hostile {
    fn open(&self, _: &str) -> Option<Box<dyn Read + '_>> {
        None
    }

    fn link(&self, _: &str) -> Option<String> {
        None
    }

    fn now_ns(&self) -> Option<u64> {
        Some(self.words[0])
    }

    fn numbers(&self, _: &str) -> Vec<u32> {
        vec![1, 2]
    }

    fn text(&self, name: &str) -> Option<String> {
        let word = |n: usize| self.words[n % self.words.len()];
        match name {
            "maps" => Some(format!("{:x}-{:x} rw-p 0 0:0 0\n", word(1), word(2))),
            // Each waits at a word of the kernel's.
            _ if name.ends_with("/syscall") => {
                let call = if cfg!(target_arch = "x86_64") { 202 } else { 98 };
                let (at, stack) = (word(3), word(4));
                Some(format!("{call} {at:#x} 0x80 0x0 0x0 0x0 0x0 {stack:#x} 0x1000\n"))
            }
            _ => None,
        }
    }
}

fn word() -> impl Strategy<Value = u64> {
    let near_the_end = (0_u64..64).prop_map(|n| u64::MAX - n);
    let address = (1_u64..64).prop_map(|n| 0x1000 + 8 * n);
    let some = select(vec![0, 1, 2, 3, 8, 16, 1 << 20, 1 << 31, 1 << 32, 1 << 47, 1 << 63]);
    prop_oneof![1 => some, 1 => near_the_end, 6 => address, 1 => any::<u64>()]
}

/// A table of this version with anything in it.
fn table_of(words: &[u64]) -> Vec<u8> {
    let head = table::Head::THIS;
    let head = [head.magic, head.version, head.n_words];
    head.iter().chain(words).flat_map(|word| word.to_ne_bytes()).collect()
}

const N_WORDS: usize = LEN / 8 - 3;

fn look_at(process: &Hostile, table: &Table) {
    let _ = Account::of(process, table).map(|it| it.list("it", "there".as_ref()));
    let _ = deadlock::look(process, table).map(|mut it| it.name_channels(process, table));
    let _ = threads::workers(process, table);
    let _ = threads::n_unreadable(process, table);
    let _ = (threads::n_shared(process, table), threads::n_apart(process, table));
    let found: Vec<Thread> = threads::threads(process, table).unwrap_or_default();
    let few = &found[..found.len().min(100)];
    let _ = stacks::stacks(process, table, few);
    let _ = threads::running(process, table, few);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// With layouts as they are, and memory with anything in it.
    #[test]
    fn a_look_ends_whatever_the_memory_says(
        roots in vec(word(), N_WORDS),
        sizes in vec(select(vec![0_u64, 1, 4, 8, 16, 24, 32, 64, 128]), N_WORDS),
        words in vec(word(), 8..64),
        unreadable in 2_u64..6,
    ) {
        // The roots come first.
        let all: Vec<_> = roots[..19].iter().chain(&sizes[19..]).copied().collect();
        if let Ok(table) = Table::parse(&table_of(&all)) {
            look_at(&Hostile { words, unreadable }, &table);
        }
    }

    /// Sizes that no runtime has make no table: nobody asks for that much memory.
    #[test]
    fn what_no_runtime_says_of_its_sizes_is_no_table(words in vec(word(), N_WORDS)) {
        if words[19..].iter().any(|word| *word > 1 << 20) {
            prop_assert_eq!(Table::parse(&table_of(&words)), Err(table::NoTable::None));
        }
    }

    #[test]
    fn notes_may_say_anything(notes in vec(any::<u8>(), 0..200), at in any::<u64>(), value in any::<i32>()) {
        let _ = table::find(&notes, at);
        let head = [7_u32, 4, NOTE].map(u32::to_ne_bytes).concat();
        let note = [&head[..], b"sylvan\0\0", &value.to_ne_bytes(), &notes].concat();
        prop_assert!(table::find(&note, at).is_some());
    }
}

//! What was read of memory, and words of it.

use crate::memory::{Memory, Piece};

/// More bytes are not read at once: who says that there are as many is not to be trusted.
const MOST: usize = 1 << 31;

/// Pieces of memory of one length, as they were read.
pub(crate) struct Copies {
    bytes: Vec<u8>,
    len: usize,
    are_read: Vec<bool>,
}

/// One of them.
#[derive(Clone, Copy)]
pub(crate) struct Record<'a>(pub(crate) &'a [u8]);

impl Copies {
    /// Reads `len` bytes at each place; nothing where that would be too much.
    pub(crate) fn read<M: Memory + ?Sized>(memory: &M, places: &[u64], len: u64) -> Self {
        let len = usize::try_from(len).unwrap_or(usize::MAX).max(1);
        let Some(n_bytes) = places.len().checked_mul(len).filter(|n_bytes| *n_bytes <= MOST) else {
            return Self { bytes: Vec::new(), len, are_read: vec![false; places.len()] };
        };
        let mut bytes = vec![0; n_bytes];
        let pieces = places.iter().zip(bytes.chunks_exact_mut(len));
        let mut pieces: Vec<_> = pieces.map(|(at, into)| Piece { at: *at, into }).collect();
        let are_read = memory.read_many(&mut pieces);
        Self { bytes, len, are_read }
    }

    /// Each, in the order of the places; `None` where one could not be read.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Option<Record<'_>>> {
        let record = |n: usize| Record(&self.bytes[n * self.len..][..self.len]);
        self.are_read.iter().enumerate().map(move |(n, is_read)| is_read.then(|| record(n)))
    }
}

impl<'a> Record<'a> {
    fn array<const N: usize>(self, at: u64) -> [u8; N] {
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let piece = self.0.get(at..).and_then(<[u8]>::first_chunk);
        *piece.unwrap_or(&[0; N])
    }

    /// Eight bytes of it; 0 where it ends before that, here and below.
    pub(crate) fn word(self, at: u64) -> u64 {
        u64::from_ne_bytes(self.array(at))
    }

    pub(crate) fn half(self, at: u64) -> u32 {
        u32::from_ne_bytes(self.array(at))
    }

    pub(crate) fn byte(self, at: u64) -> u8 {
        u8::from_ne_bytes(self.array(at))
    }

    /// The words from `at` on.
    pub(crate) fn words(self, at: u64, len: u64) -> impl Iterator<Item = u64> + use<'a> {
        (at..at.saturating_add(len)).step_by(size_of::<u64>()).map(move |at| self.word(at))
    }
}

//! How somebody's memory is read.

use std::fmt;
use std::io;
use std::iter;
use std::ptr;
use std::time::Duration;

use libc::iovec;

/// What cannot be read: nothing is mapped there, or whoever looks has no right to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The first address of what was asked for.
    pub at: u64,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the memory at {:#x} cannot be read", self.at)
    }
}

impl std::error::Error for Unreadable {}

/// A place to read, and where its bytes go.
#[derive(Debug)]
pub struct Piece<'a> {
    /// The first address.
    pub at: u64,
    /// As many bytes as this are read.
    pub into: &'a mut [u8],
}

/// The memory of a process, as somebody sees it who runs no code in it.
///
/// A process that runs changes what is read meanwhile: who reads checks what was found.
pub trait Memory {
    /// Reads all of `into`, from `at` on.
    ///
    /// # Errors
    ///
    /// Where any of it cannot be read. What is in `into` then means nothing.
    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Unreadable>;

    /// Reads many pieces in few calls. Which of them could be read, in their order.
    fn read_many(&self, pieces: &mut [Piece<'_>]) -> Vec<bool> {
        pieces.iter_mut().map(|piece| self.read(piece.at, piece.into).is_ok()).collect()
    }

    /// Waits for this long, if the process goes on meanwhile; whether it does. What is left of one does not.
    fn wait(&self, moment: Duration) -> bool {
        let _ = moment;
        false
    }

    /// Reads a number of eight bytes, in the order of this machine.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    fn word(&self, at: u64) -> Result<u64, Unreadable> {
        let mut bytes = [0; 8];
        self.read(at, &mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }
}

/// A memory that is read by calls which take many pieces, read them in their order, and stop at the first that
/// cannot be read.
pub trait Batched {
    /// Pieces in a call, at most: as many as the kernel takes.
    const PIECES_MAX: usize = 1024;

    /// Reads up to [`PIECES_MAX`](Self::PIECES_MAX) pieces by one call. How many bytes of them, from the first on.
    ///
    /// # Errors
    ///
    /// Where none can be read.
    fn read_batch(&self, pieces: &mut [Piece<'_>]) -> io::Result<usize>;

    /// Waits for this long: the process goes on meanwhile.
    fn wait(&self, moment: Duration);
}

impl<M: Batched> Memory for M {
    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let len = into.len();
        match self.read_batch(&mut [Piece { at, into }]) {
            Ok(n) if n == len => Ok(()),
            _ => Err(Unreadable { at }),
        }
    }

    fn read_many(&self, pieces: &mut [Piece<'_>]) -> Vec<bool> {
        read_in_batches(pieces, M::PIECES_MAX, |batch| self.read_batch(batch).unwrap_or(0))
    }

    fn wait(&self, moment: Duration) -> bool {
        Batched::wait(self, moment);
        true
    }
}

/// The vectors of a call that reads these pieces: where the bytes go, and whence they come.
pub fn vectors(pieces: &mut [Piece<'_>]) -> [Vec<iovec>; 2] {
    let vector = |iov_base, len| iovec { iov_base, iov_len: len };
    let theirs = pieces
        .iter()
        .map(|piece| vector(ptr::with_exposed_provenance_mut(piece.at as usize), piece.into.len()));
    let theirs = theirs.collect();
    let ours = pieces.iter_mut().map(|piece| {
        let len = piece.into.len();
        vector(piece.into.as_mut_ptr().cast(), len)
    });
    [ours.collect(), theirs]
}

/// Reads all pieces, up to `n_max` by each call of `read`. Which of them could be read.
fn read_in_batches(
    pieces: &mut [Piece<'_>],
    n_max: usize,
    mut read: impl FnMut(&mut [Piece<'_>]) -> usize,
) -> Vec<bool> {
    let mut are_read = Vec::with_capacity(pieces.len());
    let mut rest = pieces;
    while !rest.is_empty() {
        let batch = rest.len().min(n_max);
        let mut n_bytes = read(&mut rest[..batch]);
        let mut n = 0;
        for piece in &rest[..batch] {
            let Some(left) = n_bytes.checked_sub(piece.into.len()) else { break };
            n_bytes = left;
            n += 1;
        }
        are_read.extend(iter::repeat_n(true, n));
        if n < batch {
            // That is where it has stopped.
            are_read.push(false);
            n += 1;
        }
        rest = rest.split_at_mut(n).1;
    }
    are_read
}

/// A piece of memory that was copied, at the address that it had: for tests, and for what is read once.
#[derive(Clone, Debug)]
pub struct Copied {
    /// The address of the first byte.
    pub start: u64,
    /// What is there.
    pub bytes: Vec<u8>,
}

impl Memory for Copied {
    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        let piece = at
            .checked_sub(self.start)
            .and_then(|offset| self.bytes.get(usize::try_from(offset).ok()?..)?.get(..into.len()));
        into.copy_from_slice(piece.ok_or(Unreadable { at })?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_copied_is_read_at_its_address_and_nowhere_else() {
        let memory = Copied { start: 16, bytes: (0..16).collect() };
        assert_eq!(memory.word(24), Ok(u64::from_ne_bytes([8, 9, 10, 11, 12, 13, 14, 15])));
        assert_eq!(memory.word(25), Err(Unreadable { at: 25 }));
        assert_eq!(memory.word(8), Err(Unreadable { at: 8 }));
        let (mut a, mut b) = ([0; 2], [0; 2]);
        let mut pieces = [Piece { at: 31, into: &mut a }, Piece { at: 30, into: &mut b }];
        assert_eq!(memory.read_many(&mut pieces), [false, true]);
        assert_eq!(b, [14, 15]);
    }
}

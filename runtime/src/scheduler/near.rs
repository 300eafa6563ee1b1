//! Which core is near a socket's peer, on this machine.
//!
//! Who writes to a socket wakes the peer. Where the peer is on another processor that takes an interrupt there, and the
//! peer comes in the way of what runs there. OS threads and their peers come together by themselves: the kernel moves
//! either of the two to where it was woken. A worker has many peers, so they cannot all come to it, and it cannot come
//! to them. But their descriptors can: to the core whose worker runs on the peer's processor. The kernel spreads the
//! peers over the processors, and the descriptors follow.
//!
//! The kernel knows of a socket on which processor the last bytes came in. By the loopback, and between containers of
//! one machine, that is the one on which they were sent. Bytes from a network card come in where its interrupts do,
//! which says nothing of the peer; the kernel knows of these by a number of the card's queue.
//!
//! Each worker notes the processor that it runs on whenever one of its threads asks. So what is noted of others may be
//! old: then the descriptor goes to a core that is not near, as it was before. Nor is anything near that has more to do
//! than who asks: all peers may be on one processor.

use std::os::fd::BorrowedFd;

use super::Scheduler;
use super::core::Core;
use crate::context::tls::TlsMode;
use crate::primitive::{AtomicU32, Ordering};
use crate::sys::{processors, socket, thread};

/// The core whose worker was last seen on each processor. Orders nothing.
pub(super) struct Seats(Box<[AtomicU32]>);

const NOBODY: u32 = u32::MAX;

impl Seats {
    /// None at all where one core is all that there is.
    pub(super) fn new(n_cores: usize) -> Self {
        let n_processors = if n_cores > 1 { processors::N_MAX } else { 0 };
        Self((0..n_processors).map(|_| AtomicU32::new(NOBODY)).collect())
    }

    /// The worker of `core` is on that processor.
    fn note(&self, processor: usize, core: u32) {
        if let Some(seat) = self.0.get(processor)
            && seat.load(Ordering::Relaxed) != core
        {
            seat.store(core, Ordering::Relaxed);
        }
    }

    /// The core whose worker was last seen on that processor.
    fn core(&self, processor: usize) -> Option<u32> {
        let core = self.0.get(processor)?.load(Ordering::Relaxed);
        (core != NOBODY).then_some(core)
    }
}

impl Scheduler {
    /// The core that is near the peer of `fd`, for a green thread that runs on `core`; `None` if nobody can tell, and
    /// where the core does not matter.
    pub(super) fn near(&self, core: u32, fd: BorrowedFd<'_>) -> Option<u32> {
        if self.seats.0.is_empty() || self.tls_mode == TlsMode::Shared {
            return None;
        }
        let here = thread::processor()?;
        self.seats.note(here, core);
        let there = socket::received_on(fd)?;
        let near = if there == here { core } else { self.seats.core(there)? };
        let [near_core, own] = [near, core].map(|index| &self.cores[index as usize]);
        let is_busier = near_core.n_queued() > own.n_queued();
        let is_near = near == core || !is_busier && !super::is_unattended(near as usize);
        (is_near && !socket::is_from_card(fd)).then_some(near)
    }
}

impl Core {
    /// How many tasks there are that another core might run.
    fn n_queued(&self) -> usize {
        self.queue.len() + self.woken.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_seen_on_a_processor_counts() {
        let seats = Seats((0..2).map(|_| AtomicU32::new(NOBODY)).collect());
        assert_eq!(seats.core(1), None);
        seats.note(1, 0);
        seats.note(1, 3);
        assert_eq!((seats.core(1), seats.core(0)), (Some(3), None));
    }

    #[test]
    fn processors_that_were_not_there_have_nobody() {
        let seats = Seats::new(1);
        seats.note(5, 0);
        assert_eq!(seats.core(5), None);
    }
}

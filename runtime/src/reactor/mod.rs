//! The reactor: who waits for which descriptor, and what the kernel says of it.
//!
//! Each core has an event loop of the kernel (`sys::poller`). A descriptor is registered once, with
//! the core that its first waiter runs on, at its first `EAGAIN`, in both directions,
//! edge-triggered. It moves to another core if that one is to sleep (`scheduler::crowd`). What the
//! kernel says goes to the descriptor's entry in a table by number (`table`); an entry has the readers
//! and the writers that wait, oldest first (`entry`, `waiter`).
//!
//! A registration carries a generation, and so does every event: one that was meant for an earlier
//! owner of the number is recognized and dropped.

mod call;
mod entry;
mod flag;
mod options;
mod table;
mod waiter;

pub(crate) use call::Call;
pub use call::Interest;
pub(crate) use entry::{Seen, block_until_ready};
pub use options::Origin;
pub(crate) use table::entry;

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use crate::life::PerLife;
use crate::primitive::{AtomicBool, AtomicUsize, Ordering};
use crate::sys::poller::{Events, Poller};
use crate::task::list::List;

/// The event loop of a core.
#[derive(Debug)]
pub(crate) struct Loop {
    poller: Poller,
    n_registered: AtomicUsize,
}

static LOOPS: PerLife<Box<[Loop]>> = PerLife::new();

/// Makes event loops, one for each core, for `begin`.
pub(crate) fn make(n_cores: usize) -> io::Result<Box<[Loop]>> {
    let new = || Ok(Loop { poller: Poller::new()?, n_registered: AtomicUsize::new(0) });
    (0..n_cores).map(|_| new()).collect()
}

/// Puts the event loops of the cores to use.
pub(crate) fn begin(loops: Box<[Loop]>) {
    LOOPS.begin(loops);
}

/// In a child of a fork: lets go of the parent's event loops, and of all that was known of descriptors
/// but who has set `O_NONBLOCK`.
///
/// # Safety
///
/// The process has one thread, which is in none of the functions of this module.
pub(crate) unsafe fn forget() {
    for event_loop in LOOPS.forget().into_iter().flatten() {
        event_loop.poller.abandon();
    }
    table::forget();
    MAY_BE_COPIED.store(false, Ordering::Relaxed);
}

/// Whether a process may live that has been forked off this one, and with it copies of descriptors.
static MAY_BE_COPIED: AtomicBool = AtomicBool::new(false);

fn may_be_copied() -> bool {
    MAY_BE_COPIED.load(Ordering::Relaxed)
}

/// In the parent of a fork: the child has copies of all descriptors.
pub(crate) fn note_fork() {
    // Orders nothing: the files of descriptors that are made from here on are not the child's.
    MAY_BE_COPIED.store(true, Ordering::Relaxed);
}

fn event_loop(core: usize) -> &'static Loop {
    &LOOPS.get().expect("the runtime has started")[core]
}

fn register(core: usize, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
    let event_loop = event_loop(core);
    event_loop.poller.add(fd, token)?;
    event_loop.n_registered.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// One descriptor less. `known` is one that the kernel would go on to watch.
fn deregister(core: usize, known: Option<BorrowedFd<'_>>) {
    let event_loop = event_loop(core);
    if let Some(fd) = known {
        // Fails where the descriptor was closed behind our back: nothing is left to remove.
        let _ = event_loop.poller.remove(fd);
    }
    event_loop.n_registered.fetch_sub(1, Ordering::Relaxed);
}

/// Whether a core's event loop has any descriptor to watch.
pub(crate) fn has_registrations(core: usize) -> bool {
    event_loop(core).n_registered.load(Ordering::Relaxed) != 0
}

/// Looks at a core's event loop, for at most `timeout`: the tasks that can go on go into `ready`.
///
/// With thousands of connections an entry, and the stack of who waits there, are in no cache any
/// more. So all entries are asked for before the first one is read, and so is each stack when its
/// place is known: their ways from memory overlap.
pub(crate) fn poll(core: usize, timeout: Option<Duration>, events: &mut Events, ready: &mut List) {
    if let Err(error) = event_loop(core).poller.wait(events, timeout) {
        crate::report::fatal(format_args!("failed to wait for events: {error}"));
    }
    for event in events.iter() {
        entry(entry::from_token(event.token).0).prefetch();
    }
    for event in events.iter() {
        let (fd, generation) = entry::from_token(event.token);
        entry(fd).dispatch(generation, event, ready);
    }
}

/// Ends a core's `poll`, or the next one.
pub(crate) fn wake(core: usize) {
    event_loop(core).poller.wake();
}

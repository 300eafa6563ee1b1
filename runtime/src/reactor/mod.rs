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
//!
//! # An event loop that is lost
//!
//! The descriptors of the loops are hidden from the program (`hidden`, `numbers`). Where it closes them
//! all the same, by a system call of its own, the kernel says `EBADF`, or `EINVAL` once the number means
//! another file. To wake a loop is to modify what is registered there, so nothing is ever written to a
//! number that may be another file's. It fails when either of the two is lost. Whoever meets that makes a
//! new loop, under one lock for all of them, and has all who wait in the old one try again, by which they
//! register anew. A worker that sleeps in a lost loop, which it holds open, is woken by a signal. It may
//! still be on its way to sleep, with the old number: so no new one has that.

mod call;
mod entry;
mod family;
mod heir;
mod hidden;
mod onlooker;
mod options;
mod readiness;
pub(crate) mod table;
mod waiter;

pub(crate) use call::Call;
pub use call::Interest;
pub(crate) use entry::{Entry, block_until_ready, several};
pub(crate) use heir::Heir;
pub use hidden::Hidden;
pub(crate) use onlooker::Onlooker;
pub use options::Origin;
pub(crate) use options::note_setting_of_unknown;
pub(crate) use readiness::Seen;
/// Of who waits for a descriptor.
pub(crate) const WAITER: sylvan_sight::table::EntryWaiter = waiter::EntryWaiter::LAYOUT;
use table::bell;
pub(crate) use table::{
    disown, each_known, entry, entry_or_disowned, inherited, known, known_or, known_or_disowned,
    try_entry,
};

use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::time::Duration;

use rustix::io::Errno;

use crate::clock::{self, LastLook, Look};
use crate::life::PerLife;
use crate::lock::Lock;
use crate::primitive::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use crate::sys::poller::{Events, Poller};
use crate::sys::thread;
use crate::task::list::List;
use crate::task::state;
use crate::timer::{self, Until};

/// The event loop of a core.
#[derive(Debug)]
// Each in lines of its own, as its core writes to it with each look.
#[repr(align(128))]
pub(crate) struct Loop {
    poller: Poller,
    /// What the core has last seen of the clock.
    looked: LastLook,
    n_registered: AtomicUsize,
    /// Ends the wait of the OS thread that has the core.
    interrupt: fn(usize),
}

static LOOPS: PerLife<Box<[Loop]>> = PerLife::new();

/// The process in which they were made; 0 before. Whoever asks has been told of a descriptor, if it
/// matters: it orders nothing.
static PROCESS: AtomicU32 = AtomicU32::new(0);

/// Makes event loops, one for each core, for `begin`. `interrupt` ends the wait of the OS thread that has a
/// core, by other means than its event loop.
pub(crate) fn make(n_cores: usize, interrupt: fn(usize)) -> io::Result<Box<[Loop]>> {
    let new = || {
        let poller = Poller::new()?;
        poller.numbers().into_iter().try_for_each(|number| try_entry(number).map(drop))?;
        Ok(Loop { poller, looked: LastLook::new(), n_registered: AtomicUsize::new(0), interrupt })
    };
    (0..n_cores).map(|_| new()).collect()
}

/// Puts the event loops of the cores to use.
pub(crate) fn begin(loops: Box<[Loop]>) {
    for event_loop in &loops {
        event_loop.hide();
    }
    LOOPS.begin(loops);
    PROCESS.store(thread::process(), Ordering::Relaxed);
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
    // SAFETY: as the caller promises.
    unsafe {
        heir::forget();
        RENEWING.renew(());
        table::forget();
    }
    MAY_BE_COPIED.store(false, Ordering::Relaxed);
    PROCESS.store(0, Ordering::Relaxed);
}

/// Whether a process may live that has been forked off this one, and with it copies of descriptors.
static MAY_BE_COPIED: AtomicBool = AtomicBool::new(false);

fn may_be_copied() -> bool {
    MAY_BE_COPIED.load(Ordering::Relaxed)
}

/// Whether some duplicate of a descriptor is in no family (`family`).
static HAS_STRAYS: AtomicBool = AtomicBool::new(false);

/// A duplicate has come in, and one of the two has no entry to say so in.
pub(crate) fn note_stray() {
    // Orders nothing: whoever has the duplicate has it from who calls this.
    HAS_STRAYS.store(true, Ordering::Relaxed);
}

/// Where a duplicate may be in no family: all others of which something is known.
fn others(fd: RawFd) -> Option<Vec<RawFd>> {
    HAS_STRAYS.load(Ordering::Relaxed).then(|| {
        let mut all = Vec::new();
        each_known(0, RawFd::MAX, |number, _| all.push(number));
        all.retain(|number| *number != fd);
        all
    })
}

/// Before a fork: the child is going to have copies of all descriptors.
pub(crate) fn note_fork() {
    // The system call orders it: who closes a descriptor that the child has a copy of sees it.
    MAY_BE_COPIED.store(true, Ordering::Relaxed);
}

impl Loop {
    fn hide(&self) {
        for entry in self.poller.numbers().into_iter().filter_map(entry) {
            entry.hide();
        }
    }

    /// Whether the descriptors are what they were. Wakes the loop, which does no harm.
    fn is_whole(&self) -> bool {
        self.poller.wake().is_ok()
    }
}

/// Whether this is the process in which the runtime has started, or none where it has: a copy of it is
/// another one.
pub(crate) fn is_this_process() -> bool {
    let process = PROCESS.load(Ordering::Relaxed);
    process == 0 || process == thread::process()
}

fn event_loop(core: usize) -> &'static Loop {
    &LOOPS.get().expect("the runtime has started")[core]
}

/// The event loops and their cores, once there are any.
fn event_loops() -> impl Iterator<Item = (usize, &'static Loop)> {
    LOOPS.get().into_iter().flatten().enumerate()
}

fn register(core: usize, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
    let event_loop = event_loop(core);
    event_loop.poller.add(fd, token)?;
    event_loop.n_registered.fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// The kernel has refused a registration: whether that was because of the event loop, which is another
/// one now; else the error is the caller's. Without any lock.
#[cold]
fn on_refusal(core: usize, error: io::Error) -> io::Result<()> {
    if !is_of_lost(&error) || event_loop(core).is_whole() {
        return Err(error);
    }
    renew_lost();
    Ok(())
}

/// Whether the kernel says this of an event loop that is lost.
fn is_of_lost(error: &io::Error) -> bool {
    let lost = [Errno::BADF, Errno::INVAL].map(Errno::raw_os_error);
    error.raw_os_error().is_some_and(|error| lost.contains(&error))
}

/// One at a time makes loops anew. Orders the looks at what they are.
static RENEWING: Lock<()> = Lock::new(());

/// Makes those event loops anew that are lost. Without any lock.
#[cold]
fn renew_lost() {
    let renewing = RENEWING.lock();
    let lost: Vec<_> = event_loops().filter(|(_, event_loop)| !event_loop.is_whole()).collect();
    for (_, event_loop) in &lost {
        event_loop.poller.numbers().into_iter().filter_map(entry).for_each(Entry::reveal);
    }
    let numbers = event_loops().flat_map(|(_, event_loop)| event_loop.poller.numbers());
    let above = numbers.max().unwrap_or(0);
    for (_, event_loop) in &lost {
        if let Err(error) = event_loop.poller.renew(above) {
            let why = "failed to make an event loop in place of a lost one";
            crate::report::fatal(format_args!("{why}: {error}"));
        }
        event_loop.hide();
    }
    drop(renewing);
    for (core, event_loop) in lost {
        each_known(0, RawFd::MAX, |_, entry| entry.lose_registration(core));
        (event_loop.interrupt)(core);
    }
}

/// The number of one of the runtime's own descriptors is about to mean another file: what the program
/// could not have seen goes elsewhere.
pub(crate) fn make_way(fd: BorrowedFd<'_>, entry: &Entry) {
    for (_, event_loop) in event_loops() {
        if let Ok(true) = event_loop.poller.move_away(fd) {
            event_loop.hide();
        }
    }
    // Who waits for a file that is kept goes on with another descriptor of it.
    entry.detach(fd);
}

/// Whether a number that is hidden is the runtime's indeed. An event loop that was lost is made anew.
pub(crate) fn is_hidden(number: RawFd, entry: &Entry) -> bool {
    let its_loop = event_loops().find(|(_, it)| it.poller.numbers().contains(&number));
    if its_loop.is_some_and(|(_, event_loop)| !event_loop.is_whole()) {
        renew_lost();
    }
    entry.is_ours()
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

/// Looks at a core's event loop, for at most `timeout`: the tasks that can go on go into `ready`. The look at the
/// clock after the wait.
///
/// With thousands of connections an entry, and the stack of who waits there, are in no cache any
/// more. So all entries are asked for before the first one is read, and so is each stack when its
/// place is known: their ways from memory overlap.
pub(crate) fn poll(
    core: usize,
    timeout: Option<Duration>,
    events: &mut Events,
    ready: &mut List,
) -> Look {
    if let Err(error) = event_loop(core).poller.wait(events, timeout) {
        if !is_of_lost(&error) {
            crate::report::fatal(format_args!("failed to wait for events: {error}"));
        }
        renew_lost();
    }
    let look = Look::now();
    // Before anybody is woken.
    state::now::note(look.ns);
    for event in events.iter() {
        if let Some(entry) = entry(entry::from_token(event.token).0) {
            entry.prefetch();
        }
    }
    for event in events.iter() {
        let (fd, generation) = entry::from_token(event.token);
        if let Some(entry) = entry(fd) {
            entry.dispatch(generation, event, ready);
        }
    }
    look
}

/// Looks at the event loop of a core whose worker is busy, for that of another one: as `poll`, and does not wait.
pub(crate) fn poll_beside(core: usize, events: &mut Events, ready: &mut List) {
    poll(core, Some(Duration::ZERO), events, ready);
    if events.any_wake() {
        // It was for the worker, which has gone to sleep meanwhile.
        wake(core);
    }
}

/// Tells whose deadlines have passed on a core, which is awake: the tasks that can go on go into `due`. By the
/// core, after its look at the clock.
#[inline]
pub(crate) fn ring(core: usize, look: Look, due: &mut List) {
    event_loop(core).looked.note(look);
    if timer::shard(core).ring(look.ns, due) {
        ring_bells(core, look.ns, due);
    }
}

/// How long a core is to sleep.
#[inline]
pub(crate) fn left(core: usize, until: Until) -> Duration {
    if until.roughly { looked(core).left(until.ns) } else { clock::left(until.ns, clock::now_ns()) }
}

/// What a core has last seen of the clock.
#[inline]
pub(crate) fn looked(core: usize) -> &'static LastLook {
    &event_loop(core).looked
}

/// The same by anybody, whether the core sleeps or not.
pub(crate) fn ring_beside(core: usize, now_ns: u64, due: &mut List) {
    if timer::shard(core).ring_beside(now_ns, due) {
        ring_bells(core, now_ns, due);
    }
}

/// Tells those who wait for descriptors.
#[cold]
fn ring_bells(core: usize, now_ns: u64, due: &mut List) {
    /// As many at a time, for as long as the lock of the core's timers is held.
    const BATCH: usize = 32;
    let mut bells = [None; BATCH];
    loop {
        let n = timer::shard(core).rung(now_ns, &mut bells);
        for bell in bells.iter().take(n).flatten() {
            if let Some(entry) = entry(bell.number.cast_signed()) {
                entry.ring(bell, now_ns, due);
            }
        }
        if n < BATCH {
            return;
        }
    }
}

/// Ends a core's `poll`, or the next one.
pub(crate) fn wake(core: usize) {
    if !event_loop(core).is_whole() {
        renew_lost();
    }
}

#[cfg(all(test, not(sylvan_loom)))]
#[allow(clippy::disallowed_methods, reason = "the tests block OS threads on purpose")]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;
    use crate::scheduler;

    #[test]
    fn a_wake_up_that_is_found_beside_is_passed_on() {
        crate::thread::spawn(|| {}).join().unwrap();
        let over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let (mut events, mut ready) = (Events::new(), List::new());
                while !over.load(Ordering::Relaxed) {
                    for (core, _) in event_loops() {
                        poll_beside(core, &mut events, &mut ready);
                    }
                    while let Some(task) = ready.pop_front() {
                        scheduler::schedule(task);
                    }
                }
            });
            let ends = (0..5_000).all(|_| {
                let (tell, told) = mpsc::channel();
                drop(crate::thread::spawn(move || tell.send(()).unwrap()));
                told.recv_timeout(Duration::from_secs(10)).is_ok()
            });
            over.store(true, Ordering::Relaxed);
            assert!(ends, "a wake-up is lost");
        });
    }
}

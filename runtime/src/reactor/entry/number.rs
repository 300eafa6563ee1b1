//! Whose number it is: descriptors come in, are doubled, lent and go out, while others wait.
//!
//! # What is known of a number
//!
//! | flag | meaning |
//! |---|---|
//! | KNOWN | there is something to forget when it is closed |
//! | ANNOUNCED | the descriptor has come in by a word to the runtime: what is registered under the number is it |
//! | OURS | the runtime's own: for the program there is no such descriptor |
//! | DOUBTED | the program may have set options by the number that sockets accepted here take over |
//! | PASSES_ON | it has |
//! | KIND | what its file is to whoever calls, in four bits of theirs; 0 until they have said so |
//!
//! # A number that comes in while others wait
//!
//! The program may have made a second owner of the same number, so the file is most likely the same. It is
//! registered anew, which is an edge if there is something, and threads wait where it is registered. One that
//! this process has *just made* is another file than that of those who wait: its number was closed without a
//! word. They are told so.
//!
//! # A number that goes out while others wait
//!
//! One that is only handed over (`release`, as by `into_raw_fd`) still means the file, which may have another
//! owner: whoever waits does so where it is.
//!
//! The kernel's calls go by the file: who waits in one when the number is closed, or made to mean
//! another file by `dup2`, waits on for the file that it called for. So does a green thread: the runtime
//! keeps a descriptor of the file (`heir`), and whoever waits goes on with that one. Whoever has been
//! woken, or is about to wait, is told `EBADF`; it never tries the number again, which may be
//! anybody's.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::Duration;

use super::super::family::Family;
use super::super::options::{Options, Origin};
use super::super::readiness::Seen;
use super::super::waiter::{EntryWaiter, Outside, schedule, schedule_remote};
use super::super::{Interest, deregister, entry, heir, may_be_copied};
use super::home::Home;
use super::{Entry, State};
use crate::primitive::Ordering;
use crate::ring::Ring;
use crate::sys::socket;
use crate::task::list::List;

const KNOWN: u32 = 1;
const ANNOUNCED: u32 = 2;
const OURS: u32 = 4;
const DOUBTED: u32 = 8;
const PASSES_ON: u32 = 16;
const KIND_SHIFT: u32 = 8;
const KIND: u32 = 0xf << KIND_SHIFT;

impl Entry {
    /// What is known of the number. Changed under the lock; without it a hint, for whoever asks about a
    /// number must see to it that it stays what it is.
    fn about(&self) -> u32 {
        self.about.load(Ordering::Relaxed)
    }

    fn set_about(&self, about: u32) {
        self.about.store(about, Ordering::Relaxed);
    }

    /// Whether there is anything to forget when the number is closed.
    pub(crate) fn is_known(&self) -> bool {
        self.about() & KNOWN != 0
    }

    /// Something is to be forgotten when the number is closed. Under the lock.
    pub(super) fn note_known(&self) {
        self.set_about(self.about() | KNOWN);
    }

    /// What whoever calls has said of the file; 0 if nothing.
    #[inline]
    pub(crate) fn kind(&self) -> u32 {
        (self.about() & KIND) >> KIND_SHIFT
    }

    /// Takes note of what the file is to whoever calls, who has looked at it after `seen`. It is forgotten
    /// when the number goes out, or comes in.
    pub(crate) fn note_kind(&self, seen: Seen, kind: u32) {
        let _state = self.state.lock();
        if !self.read.is_other_file(seen) {
            self.set_about(self.about() & !KIND | KNOWN | kind << KIND_SHIFT & KIND);
        }
    }

    /// Whether the descriptor has come in by a word to the runtime.
    pub(crate) fn is_announced(&self) -> bool {
        self.about() & ANNOUNCED != 0
    }

    /// Whether the number is one of the runtime's own.
    pub(crate) fn is_ours(&self) -> bool {
        self.about() & OURS != 0
    }

    /// The number is one of the runtime's own from now on, until it goes out. The word is for
    /// `is_still`.
    pub(crate) fn hide(&self) -> Seen {
        let _state = self.state.lock();
        self.set_about(self.about() | KNOWN | OURS);
        self.read.look()
    }

    /// The number is none of the runtime's own any more.
    pub(crate) fn reveal(&self) {
        let _state = self.state.lock();
        self.set_about(self.about() & !OURS);
    }

    /// Whether the number means the file that it meant then.
    pub(crate) fn is_still(&self, interest: Interest, seen: Seen) -> bool {
        !self.side(interest).is_other_file(seen)
    }

    /// In a child of a fork: a new entry for a descriptor that has this one in the parent.
    #[cfg(not(sylvan_loom))]
    pub(in crate::reactor) fn inherit(&self) -> Self {
        let new = Self::new();
        if self.is_ours() || !self.is_known() {
            return new;
        }
        // The child may set options, too, before it knows this one.
        new.set_about(self.about() | DOUBTED);
        if self.state.is_free() {
            let state = self.state.lock();
            let (family, options) = state.family.inherit(state.options);
            let mut new = new.state.lock();
            (new.family, new.options) = (family, options);
        }
        if self.is_distrusted() {
            new.distrust();
        }
        new.read.set_marked(self.read.is_marked());
        new
    }

    /// In a child of a fork: what the parent knew here is of another file than the number means from now on.
    #[cfg(not(sylvan_loom))]
    pub(in crate::reactor) fn disown(&self) {
        self.set_about(0);
    }

    /// In a child of a fork: the child has set how much reads of a socket wait for that has this entry in the parent.
    pub(crate) fn note_inherited_mark(&self, fd: BorrowedFd<'_>) {
        self.read.set_marked(is_marked(fd));
    }

    /// A descriptor comes in under this number.
    pub(crate) fn attach(&self, fd: BorrowedFd<'_>, origin: Origin) {
        let adopted = origin == Origin::Adopted;
        let is_stream = !adopted || socket::is_stream(fd);
        let marked = adopted && is_stream && socket::has_mark(fd);
        let (mut ready, mut outside) = (List::new(), Outside::default());
        let mut state = self.state.lock();
        let is_known = self.is_known();
        let home = state.registered.take();
        if let Some(home) = home {
            // Whatever file is registered: it is to be so anew, under the next generation.
            deregister(home.core() as usize, adopted.then_some(fd));
        }
        self.begin(&mut state, !adopted && is_known);
        state.options.reset(origin);
        self.set_about(KNOWN | ANNOUNCED | if adopted { DOUBTED } else { 0 });
        if !is_stream {
            self.distrust();
        }
        self.read.set_marked(marked);
        if self.is_awaited() {
            let core = home.filter(|_| adopted).map(Home::core);
            if core.is_none_or(|core| self.register(&mut state, core, fd).is_err()) {
                self.wake_all(&mut state, 0, &mut ready, &mut outside);
            }
        }
        drop(state);
        schedule(ready, outside);
    }

    /// As `attach`, for a connection that was accepted just now at `listener`, whose entry is `of`.
    pub(crate) fn attach_accepted(
        &self,
        fd: BorrowedFd<'_>,
        of: Option<&Self>,
        listener: BorrowedFd<'_>,
    ) {
        let passes_on = of.is_none_or(|of| of.passes_on(listener));
        self.attach(fd, Origin::Fresh);
        if passes_on {
            let marked = socket::has_mark(fd);
            let mut state = self.state.lock();
            state.options.doubt();
            self.read.set_marked(marked);
        }
    }

    /// Whether sockets that are accepted here have timeouts, or a mark, from the start. Linux hands
    /// those of the listener on.
    fn passes_on(&self, listener: BorrowedFd<'_>) -> bool {
        if self.about() & DOUBTED != 0 {
            let any = socket::timeouts(listener) != [None; 2] || socket::has_mark(listener);
            let _state = self.state.lock();
            let about = self.about() & !(DOUBTED | PASSES_ON);
            self.set_about(about | if any { PASSES_ON } else { 0 });
        }
        self.about() & PASSES_ON != 0
    }

    /// A duplicate of `original`, whose entry is `of`, comes in as `fd` under this number.
    pub(crate) fn attach_duplicate(&self, fd: RawFd, of: &Entry, original: RawFd) {
        let mut state = of.state.lock();
        let options = state.options;
        let family = state.family.join(original, fd, options);
        let is_distrusted = of.is_distrusted();
        let is_marked = of.read.is_marked();
        let passes_on = of.about() & (DOUBTED | PASSES_ON);
        drop(state);
        let (mut ready, mut outside) = (List::new(), Outside::default());
        let mut state = self.state.lock();
        self.wake_all(&mut state, 0, &mut ready, &mut outside);
        if let Some(home) = state.registered.take() {
            deregister(home.core() as usize, None);
        }
        self.begin(&mut state, true);
        state.family = family;
        state.take_options();
        self.set_about(KNOWN | ANNOUNCED | passes_on);
        if is_distrusted {
            self.distrust();
        }
        self.read.set_marked(is_marked);
        drop(state);
        schedule(ready, outside);
    }

    /// The descriptor is about to be closed, or its number to mean another file.
    pub(crate) fn detach(&self, fd: BorrowedFd<'_>) {
        // Before the lock, since it has a number, and so an entry, of its own.
        let kept = if self.is_awaited() { heir::keep(fd, self) } else { None };
        let (mut ready, mut outside) = (List::new(), Outside::default());
        let mut state = self.state.lock();
        if let Some(home) = state.registered.take() {
            // The kernel forgets a file with its last descriptor.
            let is_last = state.family.is_none() && !state.options.is_lent() && !may_be_copied();
            let known = (!is_last).then_some(fd);
            deregister(home.core() as usize, known);
        }
        state.family.leave(fd.as_raw_fd());
        let heir = kept.as_ref().map_or(0, |heir| heir.share(self.n_all_waiting(&mut state)));
        self.wake_all(&mut state, heir, &mut ready, &mut outside);
        self.begin(&mut state, true);
        self.set_about(0);
        drop(state);
        schedule(ready, outside);
    }

    /// The descriptor goes out of the runtime's care, as open as it was: whoever calls, or waits, goes on
    /// by its number.
    pub(crate) fn release(&self, fd: BorrowedFd<'_>) {
        let mut state = self.state.lock();
        state.family.leave(fd.as_raw_fd());
        state.family = Family::NONE;
        state.options.reset(Origin::Adopted);
        // Whoever closes it is to be heard, on account of those who go on.
        self.set_about(KNOWN | DOUBTED);
        self.forget_if_unused(&mut state, fd);
    }

    /// How many wait, in both directions.
    fn n_all_waiting(&self, state: &mut State) -> u32 {
        let mut n = |interest| self.with_waiters(state, interest, |queue| queue.len());
        n(Interest::Read) + n(Interest::Write)
    }

    /// Takes all waiters out; they go on with `heir`, if there is one.
    fn wake_all(&self, state: &mut State, heir: u32, ready: &mut List, outside: &mut Outside) {
        for interest in [Interest::Read, Interest::Write] {
            while let Some(waiter) = self.with_waiters(state, interest, Ring::pop_front) {
                // SAFETY: as in `wake`, here and below.
                unsafe { waiter.as_ref() }.set_heir(heir);
                // SAFETY: the lock is held, by `state`.
                unsafe { EntryWaiter::wake(waiter, ready, outside) };
            }
        }
    }

    /// Begins a new generation: nothing is known, nothing registered.
    fn begin(&self, state: &mut State, is_other_file: bool) {
        state.generation = state.generation.wrapping_add(1);
        state.family = Family::NONE;
        state.options.reset(Origin::Adopted);
        for side in [&self.read, &self.write] {
            if is_other_file {
                side.next_file();
            } else {
                side.begin();
            }
        }
    }

    /// Nothing is EMPTY from now on, until the descriptor goes out. Under the lock.
    fn distrust(&self) {
        self.read.distrust();
        self.write.distrust();
    }

    fn is_distrusted(&self) -> bool {
        self.read.is_distrusted()
    }

    /// What is registered under a number that was never announced may be an earlier file of it: it is
    /// to be registered anew. Under the lock.
    pub(super) fn doubt_registration(&self, state: &mut State, fd: BorrowedFd<'_>) {
        if self.about() & ANNOUNCED != 0 {
            return;
        }
        self.note_known();
        if let Some(home) = state.registered.take() {
            deregister(home.core() as usize, Some(fd));
        }
    }

    /// The event loop of a core is lost: if the descriptor is registered there, whoever waits tries
    /// again and registers anew.
    pub(crate) fn lose_registration(&self, core: usize) {
        let (mut ready, mut outside) = (List::new(), Outside::default());
        let mut state = self.state.lock();
        if state.registered.map(Home::core) == u32::try_from(core).ok() {
            state.registered = None;
            deregister(core, None);
            state.generation = state.generation.wrapping_add(1);
            self.read.edge(false, false);
            self.write.edge(false, false);
            self.wake_all(&mut state, 0, &mut ready, &mut outside);
        }
        drop(state);
        // A worker may be here in the midst of a look at its event loop.
        schedule_remote(ready, outside);
    }

    /// The program gets the descriptor's number: what it sets by that the runtime may not see.
    pub(crate) fn lend(&self, fd: BorrowedFd<'_>) {
        self.change_options(fd, |options| options.lend(fd));
        let _state = self.state.lock();
        self.set_about(self.about() | DOUBTED);
    }

    /// The program has set whether calls block, by the number.
    pub(crate) fn note_flag(&self, fd: BorrowedFd<'_>) {
        self.change_options(fd, Options::note_setting);
    }

    /// The program has set by the number how much reads wait for.
    pub(crate) fn note_mark(&self, fd: BorrowedFd<'_>) {
        self.take_mark(is_marked(fd));
        for number in self.siblings(fd.as_raw_fd()) {
            if let Some(sibling) = entry(number) {
                // SAFETY: nothing is read, written or closed by it. If it is not open it has no mark.
                let fd = unsafe { BorrowedFd::borrow_raw(number) };
                sibling.take_mark(is_marked(fd));
            }
        }
    }

    fn take_mark(&self, marked: bool) {
        let _state = self.state.lock();
        self.set_about(self.about() | DOUBTED);
        self.read.set_marked(marked);
    }

    /// Changes what is known of the options, and tells the other descriptors of the file.
    fn change_options<T>(&self, fd: BorrowedFd<'_>, change: impl FnOnce(&mut Options) -> T) -> T {
        let mut state = self.state.lock();
        let result = state.with_options(change);
        let siblings = state.family.siblings(fd.as_raw_fd());
        drop(state);
        for sibling in siblings.into_iter().filter_map(entry) {
            sibling.state.lock().take_options();
        }
        result
    }

    /// Sets `O_NONBLOCK` for the program.
    pub(crate) fn set_nonblocking(&self, fd: BorrowedFd<'_>, on: bool) -> io::Result<()> {
        self.change_options(fd, |options| options.set_nonblocking(fd, on))
    }

    /// Takes note of a timeout that the program has set.
    pub(crate) fn set_timeout(
        &self,
        fd: BorrowedFd<'_>,
        interest: Interest,
        timeout: Option<Duration>,
    ) {
        self.change_options(fd, |options| options.set_timeout(interest, timeout));
        let _state = self.state.lock();
        self.set_about(self.about() | DOUBTED);
    }

    /// For calls that have no flag of their own: makes the descriptor non-blocking, unless somebody
    /// might notice. Whether calls do not block now.
    pub(crate) fn make_nonblocking(&self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        let mut state = self.state.lock();
        Ok(state.with_options(|options| options.is_nonblocking_by_us())
            || !state.block(fd)?
            || state.with_options(|options| options.make_nonblocking(fd))?)
    }

    /// As `make_nonblocking`, and without asking the kernel anything: whether the flag is the runtime's
    /// own now.
    pub(crate) fn is_made_nonblocking(&self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        let mut state = self.state.lock();
        if state.with_options(|options| options.is_lent()) || !state.block(fd)? {
            return Ok(false);
        }
        state.with_options(|options| options.make_nonblocking(fd))
    }

    /// Whether a call that would block has failed because of a flag that the runtime has set.
    pub(crate) fn is_nonblocking_by_us(&self) -> bool {
        self.state.lock().with_options(|options| options.is_nonblocking_by_us())
    }

    /// Whether the program has set `O_NONBLOCK`.
    pub(crate) fn is_nonblocking_by_program(&self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        self.state.lock().with_options(|options| options.is_nonblocking_by_program(fd))
    }
}

/// Whether reads of a descriptor have to wait for more than something.
fn is_marked(fd: BorrowedFd<'_>) -> bool {
    socket::is_stream(fd) && socket::has_mark(fd)
}

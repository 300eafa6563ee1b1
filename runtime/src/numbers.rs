//! What a program does to descriptors by their numbers, past everybody who has them: for whoever stands
//! in the place of libc's functions.
//!
//! Each of these is to be called before the kernel is. All take any number, and cost a look into a table
//! where the runtime knows nothing of it; no memory is taken, and no lock.
//!
//! # In a child
//!
//! A child that a fork has made, and which has not begun to use the runtime itself, closes copies of
//! descriptors that are its parent's. One that was made by `vfork` or `clone` even shares the parent's
//! memory, and the table with it. So nothing is done for a process that is not the one in which the
//! runtime started: there the kernel's own call is all.

use std::os::fd::{BorrowedFd, RawFd};
use std::time::Duration;

use rustix::io::fcntl_getfd;

use crate::moment::Moment;
use crate::reactor::{self, Entry, Interest, Origin};

/// Says that a number is about to be closed: whether it is the program's to close. If it is not, there is
/// no such descriptor (`EBADF`).
pub fn closing(number: RawFd) -> bool {
    let _moment = Moment::begin();
    let Some(entry) = goes_out(number) else { return true };
    if entry.is_ours() && reactor::is_hidden(number, entry) {
        return false;
    }
    entry.detach(borrow(number));
    true
}

/// Says that the numbers from `first` to `last` are about to be closed, and calls `close` with the first
/// and last of each run of them that is the program's to close.
pub fn closing_range(first: RawFd, last: RawFd, mut close: impl FnMut(RawFd, RawFd)) {
    let _moment = Moment::begin();
    let mut hidden = Vec::new();
    if reactor::is_this_process() {
        reactor::disown(first, last);
        reactor::each_known(first, last, |number, _| {
            if !closing(number) {
                hidden.push(number);
            }
        });
    }
    let mut next = Some(first);
    for number in hidden {
        if let Some(first) = next.filter(|first| *first < number) {
            close(first, number - 1);
        }
        next = number.checked_add(1);
    }
    if let Some(first) = next.filter(|first| *first <= last) {
        close(first, last);
    }
}

/// Says that a number is about to mean the file of another descriptor, if there is that one.
pub fn replacing(number: RawFd, by: RawFd) {
    let _moment = Moment::begin();
    let is_replaced = number != by && by >= 0 && fcntl_getfd(borrow(by)).is_ok();
    match is_replaced.then(|| goes_out(number)).flatten() {
        Some(entry) if entry.is_ours() => reactor::make_way(borrow(number), entry),
        Some(entry) => entry.detach(borrow(number)),
        None => {}
    }
}

/// Whether a number is one of the runtime's own: for the program there is no such descriptor.
pub fn is_hidden(number: RawFd) -> bool {
    entry(number).is_some_and(Entry::is_ours)
}

/// Says that whether calls on a descriptor block was set by its number (`O_NONBLOCK`), just now.
pub fn flag_was_set(number: RawFd) {
    let _moment = Moment::begin();
    if let Some(entry) = entry(number) {
        entry.note_flag(borrow(number));
    }
}

/// Says that a timeout of a socket was set by its number, just now; `None`: that it has none.
pub fn timeout_was_set(number: RawFd, interest: Interest, timeout: Option<Duration>) {
    let _moment = Moment::begin();
    if let Some(entry) = entry(number) {
        entry.set_timeout(borrow(number), interest, timeout);
    }
}

/// Says that it was set by a socket's number, just now, how much reads wait for.
pub fn mark_was_set(number: RawFd) {
    let _moment = Moment::begin();
    let amend = |inherited: &Entry| inherited.note_inherited_mark(borrow(number));
    if let Some(entry) = of_this_process(reactor::known_or(number, amend)) {
        entry.note_mark(borrow(number));
    }
}

/// Says that a number has come in by a call that opens: what was known of it is of an earlier file, which was
/// closed without a word.
pub fn opened(number: RawFd) {
    let _moment = Moment::begin();
    if let Some(entry) = goes_out(number).filter(|entry| !entry.is_ours()) {
        entry.detach(borrow(number));
    }
}

/// As [`opened`], of a descriptor that shares its file with nobody, blocks, and has no timeouts; and as
/// [`learn_kind`] of it.
pub fn made(number: RawFd, kind: u32) {
    let _moment = Moment::begin();
    if reactor::is_this_process()
        && let Some(entry) = reactor::entry_or_disowned(number)
    {
        entry.attach(borrow(number), Origin::Fresh);
        entry.note_kind(entry.look(Interest::Read), kind);
    }
}

/// As [`opened`], of a duplicate of another one.
pub fn duplicated(number: RawFd, original: RawFd) {
    let _moment = Moment::begin();
    match entry(original).filter(|of| number != original && !of.is_ours()) {
        Some(of) => match reactor::entry_or_disowned(number) {
            Some(entry) => {
                let kind = of.kind();
                entry.attach_duplicate(number, of, original);
                entry.note_kind(entry.look(Interest::Read), kind);
            }
            None => {
                of.lend(borrow(original));
                reactor::note_stray();
            }
        },
        None if number != original => {
            opened(number);
            if reactor::inherited(original).is_some() {
                reactor::note_stray();
            }
        }
        None => {}
    }
}

/// As [`made`], of a connection that was accepted at `listener`.
pub fn accepted(number: RawFd, listener: RawFd, kind: u32) {
    let _moment = Moment::begin();
    if reactor::is_this_process()
        && let Some(entry) = reactor::entry_or_disowned(number)
    {
        entry.attach_accepted(borrow(number), reactor::entry(listener), borrow(listener));
        entry.note_kind(entry.look(Interest::Read), kind);
    }
}

/// What the caller of [`learn_kind`] has said of a number's file, if the number means it still.
///
/// For a green thread, in the process in which the runtime started.
#[inline]
pub fn kind(number: RawFd) -> u32 {
    reactor::known(number).map_or(0, Entry::kind)
}

/// Has `look` find out what a number's file is, and keeps it: below 16, and not 0. It says, too, whether the
/// kernel tells when the file is ready; then the runtime takes the descriptor in, if it has not been told of
/// it yet. `None` from it is passed on: there is no such descriptor.
pub fn learn_kind(number: RawFd, look: impl Fn() -> Option<(u32, bool)>) -> Option<u32> {
    let _moment = Moment::begin();
    let may_keep = reactor::is_this_process();
    if may_keep && is_hidden(number) {
        return None;
    }
    if !may_keep || !reactor::known(number).is_some_and(Entry::is_announced) {
        let (kind, is_told) = look()?;
        if !may_keep {
            return Some(kind);
        }
        match reactor::entry(number) {
            Some(entry) if is_told => entry.attach(borrow(number), Origin::Adopted),
            Some(_) => {}
            None => return Some(kind),
        }
    }
    let entry = reactor::entry(number)?;
    let seen = entry.look(Interest::Read);
    // What was seen before may have been another file.
    let (kind, _) = look()?;
    entry.note_kind(seen, kind);
    Some(kind)
}

/// The entry of a number of which this process's runtime knows something.
fn entry(number: RawFd) -> Option<&'static Entry> {
    of_this_process(reactor::known(number))
}

/// The same of a number that means another file from now on, or none.
fn goes_out(number: RawFd) -> Option<&'static Entry> {
    of_this_process(reactor::known_or_disowned(number))
}

fn of_this_process(entry: Option<&'static Entry>) -> Option<&'static Entry> {
    // The process comes last: it takes a system call.
    entry.filter(|_| reactor::is_this_process())
}

fn borrow<'a>(number: RawFd) -> BorrowedFd<'a> {
    // SAFETY: not negative, or nothing would be known of it. Nothing is read, written or closed by it.
    unsafe { BorrowedFd::borrow_raw(number) }
}

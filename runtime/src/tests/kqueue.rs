//! A model of `kqueue(2)` on Linux: what the manuals of FreeBSD and macOS say of the calls that the
//! kqueue backend makes, so that the backend itself, and all that stands on it, runs under test where
//! there is no BSD.
//!
//! It is a model. It has the names and types of `rustix::event::kqueue` as far as `sys/kqueue.rs` uses
//! them, and stands in their place under `--cfg sylvan_kqueue`.
//!
//! # What it is made of
//!
//! A queue is an epoll descriptor (*outer*), so that it can be watched, duplicated and closed as any
//! descriptor. In it are three more: an epoll for the read filters, another for the write filters, and an
//! eventfd for the user filters. Two, since an edge of one direction must not be told as one of the
//! other: epoll tells all that is so with each edge, kqueue tells by filter.
//!
//! The number of a queue may change (`high`), and may be another one's later. So a queue is found by
//! asking the kernel whether its eventfd is in the epoll of that number (`EEXIST`).
//!
//! # What the manuals say, and where
//!
//! | | here |
//! |---|---|
//! | `EV_ADD` of what is there modifies it, and tells what is so | `EPOLL_CTL_MOD`, which is an edge again |
//! | `EV_CLEAR`: told once, until there is more | edge-triggered |
//! | without it: told as long as it is so | level-triggered |
//! | `EV_DELETE` of what is not there | `ENOENT` |
//! | a descriptor that is closed leaves all queues | what epoll still tells of the file is dropped: the number is not the file's any more |
//! | `EV_EOF`: with what is left to read | on hang-ups, with the event |
//! | `EVFILT_WRITE` of a pipe whose reader is gone | `EPIPE` |
//! | `EVFILT_WRITE` of what is open for reading alone | see [`System`] |
//! | `EVFILT_WRITE` of a queue | `EINVAL` |
//! | `EVFILT_USER` with `NOTE_TRIGGER`, `EV_CLEAR` or `EV_ONESHOT` | a set of those triggered |
//! | a queue is not inherited by a child of a fork | closed there |
//!
//! # Where the systems differ
//!
//! `SYLVAN_KQUEUE=freebsd|macos` says which one is played; [`System`] says what that changes.
//!
//! # What it cannot play
//!
//! Linux wakes at most 500 event loops within event loops for one file, and 100 where there is one level
//! more. So a file has that many registrations here, and an error (`EINVAL`) for the next; the systems
//! have no such bound. A fork closes what it finds of queues; those that a test counts it counts
//! three times.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::ffi::c_void;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};
use rustix::io::{Errno, fcntl_dupfd_cloexec};

use crate::lock::{Guard, Lock};

/// Which system is played.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum System {
    /// A pipe has both directions, whatever a descriptor of it is open for. A FIFO that is open for reading
    /// alone has no write filter: `EINVAL`. Urgent data is told as any other.
    FreeBsd,
    /// A descriptor that is open for reading alone has no write filter: `EINVAL`. Urgent data is marked: `EV_OOBAND`.
    MacOs,
}

fn system() -> System {
    static SYSTEM: OnceLock<System> = OnceLock::new();
    *SYSTEM.get_or_init(|| match std::env::var("SYLVAN_KQUEUE").as_deref() {
        Ok("macos") => System::MacOs,
        Ok("freebsd") | Err(_) => System::FreeBsd,
        Ok(other) => panic!("SYLVAN_KQUEUE is {other}, which is neither freebsd nor macos"),
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventFlags(u16);

impl EventFlags {
    pub(crate) const ADD: Self = Self(0x1);
    pub(crate) const DELETE: Self = Self(0x2);
    pub(crate) const ONESHOT: Self = Self(0x10);
    pub(crate) const CLEAR: Self = Self(0x20);
    pub(crate) const ERROR: Self = Self(0x4000);
    pub(crate) const EOF: Self = Self(0x8000);
    /// macOS alone has it.
    const OOBAND: Self = Self(0x2000);

    pub(crate) const fn empty() -> Self {
        Self(0)
    }

    pub(crate) const fn from_bits_retain(bits: u16) -> Self {
        Self(bits)
    }

    pub(crate) const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl std::ops::BitOr for EventFlags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UserFlags(u32);

impl UserFlags {
    pub(crate) const NOINPUT: Self = Self(0);
    pub(crate) const TRIGGER: Self = Self(0x0100_0000);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UserDefinedFlags(u32);

impl UserDefinedFlags {
    pub(crate) fn new(flags: u32) -> Self {
        Self(flags)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventFilter {
    Read(RawFd),
    Write(RawFd),
    User { ident: isize, flags: UserFlags, user_flags: UserDefinedFlags },
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Event {
    filter: EventFilter,
    flags: EventFlags,
    udata: *mut c_void,
}

impl Event {
    pub(crate) fn new(filter: EventFilter, flags: EventFlags, udata: *mut c_void) -> Self {
        Self { filter, flags, udata }
    }

    pub(crate) fn flags(&self) -> EventFlags {
        self.flags
    }

    pub(crate) fn udata(&self) -> *mut c_void {
        self.udata
    }

    pub(crate) fn filter(&self) -> EventFilter {
        self.filter
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Direction {
    Read,
    Write,
}

/// A filter that is in a queue.
struct Knote {
    flags: EventFlags,
    udata: usize,
    /// Which file the number meant: its device and its inode.
    file: (u64, u64),
}

#[derive(Default)]
struct State {
    knotes: HashMap<(RawFd, Direction), Knote>,
    users: HashMap<isize, (EventFlags, usize)>,
    triggered: HashSet<isize>,
}

struct Queue {
    read: OwnedFd,
    write: OwnedFd,
    user: OwnedFd,
    state: Lock<State>,
}

/// The queues of the process, each with a number that it had when it was looked for last.
static QUEUES: Lock<Vec<(RawFd, Arc<Queue>)>> = Lock::new(Vec::new());

/// The largest data of an epoll event that is no descriptor's number.
const OF_QUEUE: u64 = u64::MAX;

/// Out of the way of those that a test counts on.
fn high(fd: OwnedFd) -> Result<OwnedFd, Errno> {
    let moved = fcntl_dupfd_cloexec(&fd, 700).or_else(|_| fcntl_dupfd_cloexec(&fd, 0));
    // SAFETY: owned.
    unsafe { rustix::io::close(fd.into_raw_fd()) };
    moved
}

/// As that of the system.
pub(crate) fn kqueue() -> Result<OwnedFd, Errno> {
    static AT_FORK: OnceLock<()> = OnceLock::new();
    // SAFETY: functions without arguments, which stay.
    AT_FORK.get_or_init(|| unsafe {
        libc::pthread_atfork(Some(before_fork), Some(in_parent), Some(in_child));
    });
    let outer = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let queue = Queue {
        read: high(epoll::create(epoll::CreateFlags::CLOEXEC)?)?,
        write: high(epoll::create(epoll::CreateFlags::CLOEXEC)?)?,
        user: high(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)?,
        state: Lock::new(State::default()),
    };
    for inner in [&queue.read, &queue.write, &queue.user] {
        let data = epoll::EventData::new_u64(OF_QUEUE);
        epoll::add(&outer, inner, data, epoll::EventFlags::IN)?;
    }
    let mut queues = QUEUES.lock();
    queues.retain(|(number, queue)| is_at(queue, *number));
    queues.push((outer.as_raw_fd(), Arc::new(queue)));
    Ok(outer)
}

type Held = Guard<'static, Vec<(RawFd, Arc<Queue>)>>;

thread_local! {
    /// The lock of the queues, over a fork.
    static HELD: Cell<Option<Held>> = const { Cell::new(None) };
}

unsafe extern "C" fn before_fork() {
    HELD.set(Some(QUEUES.lock()));
}

unsafe extern "C" fn in_parent() {
    drop(HELD.take());
}

/// A queue is not handed down.
unsafe extern "C" fn in_child() {
    let Some(mut queues) = HELD.take() else { return };
    for (number, queue) in queues.drain(..) {
        let is_open = is_at(&queue, number);
        // Its own descriptors are closed by its end.
        drop(queue);
        if is_open {
            // SAFETY: the number of a queue, which the parent still has.
            unsafe { rustix::io::close(number) };
        }
    }
}

/// Whether that is a number of the queue.
fn is_at(queue: &Queue, number: RawFd) -> bool {
    if number < 0 {
        return false;
    }
    // SAFETY: not -1. If it is not open, or no epoll, the call fails.
    let outer = unsafe { BorrowedFd::borrow_raw(number) };
    let nothing = epoll::EventFlags::empty();
    match epoll::add(outer, &queue.user, epoll::EventData::new_u64(OF_QUEUE), nothing) {
        Err(Errno::EXIST) => true,
        // Another queue.
        Ok(()) => {
            // It was put there a moment ago.
            let _ = epoll::delete(outer, &queue.user);
            false
        }
        Err(_) => false,
    }
}

/// The queue of a number.
fn queue_at(number: RawFd) -> Result<Arc<Queue>, Errno> {
    let mut queues = QUEUES.lock();
    let known = queues.iter().position(|(known, queue)| *known == number && is_at(queue, number));
    let at = known.or_else(|| queues.iter().position(|(_, queue)| is_at(queue, number)));
    let (known, queue) = queues.get_mut(at.ok_or(Errno::BADF)?).ok_or(Errno::BADF)?;
    *known = number;
    Ok(Arc::clone(queue))
}

/// Where a call puts events.
pub(crate) trait Room {
    fn room(&self) -> usize;
    fn put(&mut self, event: Event);
}

impl Room for &mut [Event] {
    fn room(&self) -> usize {
        assert!(self.is_empty(), "the backend asks for events into a vector alone");
        0
    }

    fn put(&mut self, _: Event) {
        unreachable!("there is no room");
    }
}

impl Room for &mut Vec<Event> {
    fn room(&self) -> usize {
        self.capacity() - self.len()
    }

    fn put(&mut self, event: Event) {
        self.push(event);
    }
}

/// In the place of that of `rustix::buffer`.
pub(crate) fn spare_capacity(events: &mut Vec<Event>) -> &mut Vec<Event> {
    events
}

/// As that of the system: makes the changes, then waits for events if there is room for any.
///
/// # Safety
///
/// As that of `rustix`: the descriptors of the changes stay open, or are taken out before.
pub(crate) unsafe fn kevent(
    queue: impl AsFd,
    changes: &[Event],
    mut events: impl Room,
    timeout: Option<Duration>,
) -> Result<usize, Errno> {
    let outer = queue.as_fd();
    let queue = queue_at(outer.as_raw_fd())?;
    for change in changes {
        queue.change(*change)?;
    }
    if events.room() == 0 {
        return Ok(0);
    }
    let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
    loop {
        let n = queue.take(&mut events)?;
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if n != 0 || left == Some(Duration::ZERO) {
            return Ok(n);
        }
        let left = left.map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        let mut found = Vec::with_capacity(1);
        epoll::wait(outer, rustix::buffer::spare_capacity(&mut found), left.as_ref())?;
    }
}

impl Queue {
    fn change(&self, change: Event) -> Result<(), Errno> {
        match change.filter {
            EventFilter::Read(fd) => self.change_filter(fd, Direction::Read, change),
            EventFilter::Write(fd) => self.change_filter(fd, Direction::Write, change),
            EventFilter::User { ident, flags, .. } => {
                let mut state = self.state.lock();
                if change.flags.contains(EventFlags::DELETE) {
                    state.triggered.remove(&ident);
                    return state.users.remove(&ident).map(drop).ok_or(Errno::NOENT);
                }
                if change.flags.contains(EventFlags::ADD) {
                    state.users.insert(ident, (change.flags, change.udata.expose_provenance()));
                } else if !state.users.contains_key(&ident) {
                    return Err(Errno::NOENT);
                }
                if flags == UserFlags::TRIGGER {
                    state.triggered.insert(ident);
                    rustix::io::write(&self.user, &1_u64.to_ne_bytes())?;
                }
                Ok(())
            }
        }
    }

    fn epoll(&self, direction: Direction) -> &OwnedFd {
        match direction {
            Direction::Read => &self.read,
            Direction::Write => &self.write,
        }
    }

    fn change_filter(&self, fd: RawFd, direction: Direction, change: Event) -> Result<(), Errno> {
        let mut state = self.state.lock();
        let key = (fd, direction);
        if fd < 0 {
            return Err(Errno::BADF);
        }
        // SAFETY: not -1; the kernel says so if it is not open.
        let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
        let epoll = self.epoll(direction);
        if change.flags.contains(EventFlags::DELETE) {
            file_of(borrowed)?;
            let known = state.knotes.remove(&key).ok_or(Errno::NOENT)?;
            // What was closed has left.
            let is_same = file_of(borrowed) == Ok(known.file);
            let taken_out = epoll::delete(epoll, borrowed);
            return if is_same { taken_out } else { Err(Errno::NOENT) };
        }
        let file = file_of(borrowed)?;
        if direction == Direction::Write {
            may_write(borrowed)?;
        }
        let known = state.knotes.get(&key).is_some_and(|known| known.file == file);
        if !known && !change.flags.contains(EventFlags::ADD) {
            return Err(Errno::NOENT);
        }
        let mut wanted = match direction {
            Direction::Read => epoll::EventFlags::IN | epoll::EventFlags::RDHUP,
            Direction::Write => epoll::EventFlags::OUT,
        };
        if direction == Direction::Read && system() == System::MacOs {
            wanted |= epoll::EventFlags::PRI;
        }
        if change.flags.contains(EventFlags::CLEAR) {
            wanted |= epoll::EventFlags::ET;
        }
        let data = epoll::EventData::new_u64(u64::from(fd.cast_unsigned()));
        match epoll::add(epoll, borrowed, data, wanted) {
            Err(Errno::EXIST) => epoll::modify(epoll, borrowed, data, wanted)?,
            other => other?,
        }
        let udata = change.udata.expose_provenance();
        state.knotes.insert(key, Knote { flags: change.flags, udata, file });
        Ok(())
    }

    /// What there is to tell now.
    fn take(&self, events: &mut impl Room) -> Result<usize, Errno> {
        let mut state = self.state.lock();
        let mut n = 0;
        let mut count = [0; 8];
        if rustix::io::read(&self.user, &mut count).is_ok() {
            let triggered: Vec<_> = state.triggered.drain().collect();
            for ident in triggered {
                let Some(&(flags, udata)) = state.users.get(&ident) else { continue };
                if flags.contains(EventFlags::ONESHOT) {
                    state.users.remove(&ident);
                }
                let filter = EventFilter::User {
                    ident,
                    flags: UserFlags::TRIGGER,
                    user_flags: UserDefinedFlags::new(0),
                };
                events.put(Event::new(filter, flags, ptr::with_exposed_provenance_mut(udata)));
                n += 1;
            }
        }
        for direction in [Direction::Read, Direction::Write] {
            // Half of the room for each: one must not keep the other out.
            let room = (events.room() / 2).max(1).min(events.room());
            if room == 0 {
                break;
            }
            let mut found = Vec::with_capacity(room);
            let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
            let epoll = self.epoll(direction);
            epoll::wait(epoll, rustix::buffer::spare_capacity(&mut found), Some(&at_once))?;
            for told in found {
                let fd = told.data.u64() as RawFd;
                if let Some(event) = state.event(fd, direction, told.flags) {
                    events.put(event);
                    n += 1;
                }
            }
        }
        Ok(n)
    }
}

impl State {
    fn event(&self, fd: RawFd, direction: Direction, told: epoll::EventFlags) -> Option<Event> {
        let knote = self.knotes.get(&(fd, direction))?;
        // SAFETY: registered, so not -1; if it is closed by now the kernel says so.
        let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
        if file_of(borrowed) != Ok(knote.file) {
            return None;
        }
        let hung_up = epoll::EventFlags::HUP;
        let is_pipe = is_pipe(borrowed);
        let eof = match direction {
            Direction::Read => told.intersects(hung_up | epoll::EventFlags::RDHUP),
            Direction::Write => {
                told.intersects(hung_up) || is_pipe && told.intersects(epoll::EventFlags::ERR)
            }
        };
        let eof = if eof { EventFlags::EOF } else { EventFlags::empty() };
        let urgent = told.intersects(epoll::EventFlags::PRI);
        let urgent = if urgent { EventFlags::OOBAND } else { EventFlags::empty() };
        let filter = match direction {
            Direction::Read => EventFilter::Read(fd),
            Direction::Write => EventFilter::Write(fd),
        };
        let udata = ptr::with_exposed_provenance_mut(knote.udata);
        Some(Event::new(filter, knote.flags | eof | urgent, udata))
    }
}

/// Which file a number means.
fn file_of(fd: BorrowedFd<'_>) -> Result<(u64, u64), Errno> {
    let stat = fstat(fd)?;
    Ok((stat.st_dev, stat.st_ino))
}

fn is_pipe(fd: BorrowedFd<'_>) -> bool {
    fstat(fd).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
}

/// Whether there is a write filter of this file; the system's error if not.
fn may_write(fd: BorrowedFd<'_>) -> Result<(), Errno> {
    if queue_at(fd.as_raw_fd()).is_ok() {
        return Err(Errno::INVAL);
    }
    let reads_alone = fcntl_getfl(fd)? & OFlags::ACCMODE == OFlags::RDONLY;
    if !is_pipe(fd) {
        return Ok(());
    }
    match system() {
        System::MacOs if reads_alone => Err(Errno::INVAL),
        // Both have it of a pipe whose other end is closed.
        _ if hung_up(fd) => Err(Errno::PIPE),
        _ => Ok(()),
    }
}

/// Whether the other end of a pipe is closed.
fn hung_up(fd: BorrowedFd<'_>) -> bool {
    let mut asked =
        [rustix::event::PollFd::from_borrowed_fd(fd, rustix::event::PollFlags::empty())];
    let over = rustix::event::PollFlags::HUP | rustix::event::PollFlags::ERR;
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut asked, Some(&at_once)).is_ok() && asked[0].revents().intersects(over)
}

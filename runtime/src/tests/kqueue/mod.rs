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
//! | a descriptor that is closed leaves all queues | see [`Ways`](ways::Ways) |
//! | `EV_EOF` on hang-ups | see [`Ways`](ways::Ways) |
//! | `EVFILT_WRITE` of a pipe whose reader is gone | `EPIPE` |
//! | `EVFILT_WRITE` of what is open for reading alone | see [`Ways`](ways::Ways) |
//! | `EVFILT_WRITE` of a queue | `EINVAL` |
//! | `EVFILT_USER` with `NOTE_TRIGGER`, `EV_CLEAR` or `EV_ONESHOT` | a set of those triggered; see [`Ways`](ways::Ways) |
//! | `EVFILT_PROC` with `NOTE_EXIT`: told once, and the filter is gone | a pidfd among the read filters; see [`Ways`](ways::Ways) |
//! | the same of a process that has been waited for | `ESRCH` |
//! | a queue is not inherited by a child of a fork | closed there |
//!
//! What is not here cannot be used: the backend would not compile. So it relies neither on the `data` of
//! an event, such as a listener's, nor on vnodes and timers.
//!
//! # Where the systems differ
//!
//! [`Ways`](ways::Ways) are switches. `SYLVAN_KQUEUE` has the name of a system, `freebsd` or `macos`, which sets all of them,
//! and may have words behind it, after commas, each of which turns one.
//!
//! # What it cannot play
//!
//! Linux wakes at most 500 event loops within event loops for one file, and 100 where there is one level
//! more. So a file has that many registrations here, and an error (`EINVAL`) for the next; the systems
//! have no such bound. A fork closes what it finds of queues; those that a test counts it counts
//! three times.

mod names;
mod ways;

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, epoll, eventfd, poll};
use rustix::fs::{FileType, OFlags, fcntl_getfl, fstat};
use rustix::io::{Errno, fcntl_dupfd_cloexec, ioctl_fionread};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

pub(crate) use self::names::*;
pub(crate) use self::ways::inherits_nonblocking;
use self::ways::ways;
use crate::lock::{Guard, Lock};

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Direction {
    Read,
    Write,
}

/// A filter that is in a queue.
struct Knote {
    fd: RawFd,
    flags: EventFlags,
    udata: usize,
    /// Which file the number meant: its device and its inode.
    file: (u64, u64),
    /// What was left to read is told, and the end is to be.
    owes_eof: bool,
}

/// A process whose end is to be told.
struct Exit {
    pid: Pid,
    flags: EventFlags,
    udata: usize,
    /// Readable once there is something to tell; closed when it is told, and with it out of the queue.
    _watch: OwnedFd,
}

#[derive(Default)]
struct State {
    /// By what epoll has of them.
    knotes: HashMap<u64, Knote>,
    /// In the epoll of the read filters, too.
    exits: HashMap<u64, Exit>,
    /// Those of a number: the last that was added.
    of_number: HashMap<(RawFd, Direction), u64>,
    n_added: u64,
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
    unsafe { crate::sys::file::close(fd.into_raw_fd()) };
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
    queues.retain_mut(|(number, queue)| {
        // Its owner may have moved it, and not have called since.
        if !is_at(queue, *number) {
            *number = numbers().find(|number| is_at(queue, *number)).unwrap_or(-1);
        }
        *number != -1
    });
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
            unsafe { crate::sys::file::close(number) };
        }
    }
}

/// The numbers that are open.
fn numbers() -> impl Iterator<Item = RawFd> {
    let names = std::fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    names.filter_map(|name| name.file_name().to_str()?.parse().ok())
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
        match change.filter() {
            EventFilter::Read(fd) => self.change_filter(fd, Direction::Read, change),
            EventFilter::Write(fd) => self.change_filter(fd, Direction::Write, change),
            EventFilter::Proc { pid, .. } => self.add_exit(pid, change),
            EventFilter::User { ident, flags, .. } => {
                let mut state = self.state.lock();
                if change.flags().contains(EventFlags::DELETE) {
                    state.triggered.remove(&ident);
                    return state.users.remove(&ident).map(drop).ok_or(Errno::NOENT);
                }
                let is_new = !state.users.contains_key(&ident);
                if change.flags().contains(EventFlags::ADD) {
                    state.users.insert(ident, (change.flags(), change.udata().expose_provenance()));
                } else if is_new {
                    return Err(Errno::NOENT);
                }
                if flags == UserFlags::TRIGGER && (!is_new || ways().adding_triggers) {
                    state.triggered.insert(ident);
                    rustix::io::write(&self.user, &1_u64.to_ne_bytes())?;
                }
                Ok(())
            }
        }
    }

    fn add_exit(&self, pid: Pid, change: Event) -> Result<(), Errno> {
        assert_eq!(change.flags(), EventFlags::ADD, "the backend closes a queue to take it back");
        let mut watch = pidfd_open(pid, PidfdFlags::empty())?;
        if !ways().exited_is_told && is_readable(&watch) {
            return Err(Errno::SRCH);
        }
        if ways().exit_is_early {
            watch = eventfd(1, EventfdFlags::CLOEXEC)?;
        }
        let watch = high(watch)?;
        let mut state = self.state.lock();
        state.n_added += 1;
        let id = state.n_added;
        epoll::add(&self.read, &watch, epoll::EventData::new_u64(id), epoll::EventFlags::IN)?;
        let udata = change.udata().expose_provenance();
        state.exits.insert(id, Exit { pid, flags: change.flags(), udata, _watch: watch });
        Ok(())
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
        if change.flags().contains(EventFlags::DELETE) {
            file_of(borrowed)?;
            let id = state.of_number.remove(&key).ok_or(Errno::NOENT)?;
            let known = state.knotes.remove(&id).ok_or(Errno::NOENT)?;
            // What was closed has left.
            let is_same = file_of(borrowed) == Ok(known.file);
            let taken_out = epoll::delete(epoll, borrowed);
            return if is_same { taken_out } else { Err(Errno::NOENT) };
        }
        let file = file_of(borrowed)?;
        if direction == Direction::Write {
            may_write(borrowed)?;
        }
        let id = state.of_number.get(&key).copied();
        let known = id.filter(|id| state.knotes.get(id).is_some_and(|known| known.file == file));
        if known.is_none() && !change.flags().contains(EventFlags::ADD) {
            return Err(Errno::NOENT);
        }
        if let Some(id) = id.filter(|_| known.is_none() && ways().closing_deletes) {
            state.knotes.remove(&id);
        }
        let wanted = wanted(direction, change.flags());
        let id = known.unwrap_or_else(|| {
            state.n_added += 1;
            state.n_added
        });
        let data = epoll::EventData::new_u64(id);
        match epoll::add(epoll, borrowed, data, wanted) {
            Err(Errno::EXIST) if known.is_some() && !ways().adding_again_tells => {}
            Err(Errno::EXIST) => epoll::modify(epoll, borrowed, data, wanted)?,
            other => other?,
        }
        let udata = change.udata().expose_provenance();
        let knote = Knote { fd, flags: change.flags(), udata, file, owes_eof: false };
        state.knotes.insert(id, knote);
        state.of_number.insert(key, id);
        Ok(())
    }

    /// A filter for reading tells what is so once more.
    fn tell_again(&self, id: u64, state: &State) -> Result<(), Errno> {
        let knote = &state.knotes[&id];
        // SAFETY: as in `State::event`.
        let fd = unsafe { BorrowedFd::borrow_raw(knote.fd) };
        let wanted = wanted(Direction::Read, knote.flags);
        epoll::modify(&self.read, fd, epoll::EventData::new_u64(id), wanted)
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
                let id = told.data.u64();
                let Some(event) = state.event(id, direction, told.flags) else { continue };
                events.put(event);
                n += 1;
                if state.knotes.get(&id).is_some_and(|knote| knote.owes_eof) {
                    // One more edge.
                    self.tell_again(id, &state)?;
                }
            }
        }
        Ok(n)
    }
}

impl State {
    fn event(&mut self, id: u64, direction: Direction, told: epoll::EventFlags) -> Option<Event> {
        if let Some(exit) = self.exits.remove(&id) {
            let filter = EventFilter::Proc { pid: exit.pid, flags: ProcessEvents::EXIT };
            let udata = ptr::with_exposed_provenance_mut(exit.udata);
            let flags = exit.flags | EventFlags::EOF | EventFlags::ONESHOT;
            return Some(Event::new(filter, flags, udata));
        }
        let knote = self.knotes.get_mut(&id)?;
        let fd = knote.fd;
        // SAFETY: registered, so not -1; if it is closed by now the kernel says so.
        let borrowed = unsafe { BorrowedFd::borrow_raw(fd) };
        let is_its = file_of(borrowed) == Ok(knote.file);
        if !is_its && ways().closing_deletes {
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
        let is_left = || ioctl_fionread(borrowed).is_ok_and(|n| n > 0);
        knote.owes_eof = ways().eof_is_apart
            && eof
            && is_its
            && direction == Direction::Read
            && !knote.owes_eof
            && is_left();
        let eof = if eof && !knote.owes_eof { EventFlags::EOF } else { EventFlags::empty() };
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

/// What epoll is asked for.
fn wanted(direction: Direction, flags: EventFlags) -> epoll::EventFlags {
    let mut wanted = match direction {
        Direction::Read => epoll::EventFlags::IN | epoll::EventFlags::RDHUP,
        Direction::Write => epoll::EventFlags::OUT,
    };
    if direction == Direction::Read && ways().urgent_is_marked {
        wanted |= epoll::EventFlags::PRI;
    }
    if flags.contains(EventFlags::CLEAR) {
        wanted |= epoll::EventFlags::ET;
    }
    wanted
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
    if reads_alone && !ways().pipes_write_both_ways {
        return Err(Errno::INVAL);
    }
    // Both have it of a pipe whose other end is closed.
    if hung_up(fd) { Err(Errno::PIPE) } else { Ok(()) }
}

/// Whether the other end of a pipe is closed.
fn hung_up(fd: BorrowedFd<'_>) -> bool {
    let over = PollFlags::HUP | PollFlags::ERR;
    polled(fd, PollFlags::empty()).intersects(over)
}

fn is_readable(fd: &OwnedFd) -> bool {
    polled(fd.as_fd(), PollFlags::IN).intersects(PollFlags::IN)
}

/// What the kernel says of `fd` now.
fn polled(fd: BorrowedFd<'_>, wanted: PollFlags) -> PollFlags {
    let mut asked = [PollFd::from_borrowed_fd(fd, wanted)];
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    match poll(&mut asked, Some(&at_once)) {
        Ok(_) => asked[0].revents(),
        Err(_) => PollFlags::empty(),
    }
}

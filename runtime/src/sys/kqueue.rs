//! `kqueue`, edge-triggered (`EV_CLEAR`), with a user event to wake a wait.
//!
//! The system refuses a write filter of a pipe whose reader is gone (`EPIPE`). It is no error: whoever
//! reads is to find the end, and whoever writes is to be told. So the direction is told to be over by a
//! user event of the descriptor's own, once. It is added, and then triggered: FreeBSD forgets a trigger that comes
//! with the event itself.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

#[cfg(sylvan_kqueue)]
use super::kqueue_model::{
    Event as KEvent, EventFilter, EventFlags, ProcessEvents, UserDefinedFlags, UserFlags, kevent,
    kqueue, spare_capacity,
};
#[cfg(not(sylvan_kqueue))]
use rustix::buffer::spare_capacity;
#[cfg(not(sylvan_kqueue))]
use rustix::event::kqueue::{
    Event as KEvent, EventFilter, EventFlags, ProcessEvents, UserDefinedFlags, UserFlags, kevent,
    kqueue,
};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::process::Pid;

use super::{BATCH, Event, file, high};
use crate::primitive::{AtomicI32, Ordering};

/// The identity of the wake-up event among the user events.
const WAKE: isize = 0;

/// macOS's mark of a socket that has urgent data (`EV_OOBAND`), which `rustix` has no name for. FreeBSD does
/// not tell.
const OUT_OF_BAND: u16 = 0x2000;

/// One event loop of the kernel. Once the runtime has started it lasts to the end of the process.
#[derive(Debug)]
pub(crate) struct Poller {
    /// The number of the descriptor, which may change.
    queue: AtomicI32,
}

/// An event loop within the event loop: a descriptor that is readable while one of those in it is
/// ready, by their levels.
#[derive(Debug)]
pub(crate) struct Nested(OwnedFd);

impl Nested {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(new_queue()?))
    }

    /// Puts `fd` in, with the `events` of `poll`; `false` if it is not open.
    ///
    /// # Errors
    ///
    /// `Unsupported` for what the filters for reading and writing would not tell, or not alone.
    pub(crate) fn add(&self, fd: BorrowedFd<'_>, events: i16) -> io::Result<bool> {
        const READ: i16 = libc::POLLIN | libc::POLLRDNORM;
        const WRITE: i16 = libc::POLLOUT | libc::POLLWRNORM;
        if events & (READ | WRITE) == 0 || events & !(READ | WRITE) != 0 {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let fd = fd.as_raw_fd();
        for (asked, filter) in [(READ, EventFilter::Read(fd)), (WRITE, EventFilter::Write(fd))] {
            if events & asked == 0 {
                continue;
            }
            let change = KEvent::new(filter, EventFlags::ADD, ptr::null_mut());
            // SAFETY: the caller borrows the descriptor, and the queue is closed before whoever
            // closes it could mind.
            match unsafe {
                kevent(&self.0, &[change], &mut [] as &mut [KEvent], Some(Duration::ZERO))
            } {
                Ok(_) => {}
                Err(Errno::BADF) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(true)
    }

    pub(crate) fn into_fd(self) -> OwnedFd {
        self.0
    }
}

/// A descriptor that is readable once the process of this number has ended, or is about to: a queue of its
/// own, with nothing else in it.
///
/// The systems tell of the end a moment before the parent can wait for it. It is told once, and so nobody
/// takes it out of the queue.
///
/// # Errors
///
/// What the system says: `ESRCH` if there is no such process, or (macOS) if it has ended, or is about to.
pub fn watch_exit(process: u32) -> io::Result<OwnedFd> {
    let pid = Pid::from_raw(process.cast_signed()).ok_or(Errno::SRCH)?;
    let queue = new_queue()?;
    let filter = EventFilter::Proc { pid, flags: ProcessEvents::EXIT };
    change(queue.as_fd(), &[KEvent::new(filter, EventFlags::ADD, ptr::null_mut())])?;
    Ok(queue)
}

fn new_queue() -> Result<OwnedFd, Errno> {
    let queue = kqueue()?;
    fcntl_setfd(&queue, FdFlags::CLOEXEC)?;
    Ok(queue)
}

/// Where a wait puts what it found.
pub(crate) struct Events(Vec<KEvent>);

impl Events {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(BATCH))
    }

    /// How many the last wait has found, calls of `wake` included.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the last wait has found that somebody calls `wake`.
    pub(crate) fn any_wake(&self) -> bool {
        self.0.iter().any(|event| matches!(event.filter(), EventFilter::User { .. }))
    }

    /// What the last wait has found.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Event> {
        self.0.iter().filter_map(|event| {
            let (readable, writable, closed) = match event.filter() {
                EventFilter::Read(_) => (true, false, event.flags().contains(EventFlags::EOF)),
                EventFilter::Write(_) => (false, true, event.flags().contains(EventFlags::EOF)),
                EventFilter::User { ident, .. } if ident != WAKE => (false, true, true),
                _ => return None,
            };
            let unsteady = EventFlags::ERROR | EventFlags::from_bits_retain(OUT_OF_BAND);
            Some(Event {
                token: event.udata().addr() as u64,
                readable,
                writable,
                read_closed: readable && closed,
                write_closed: writable && closed,
                unsteady: event.flags().intersects(unsteady),
            })
        })
    }
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let queue = AtomicI32::new(Self::make(0)?.into_raw_fd());
        Ok(Self { queue })
    }

    /// The descriptor, under a number above that one if it can be had.
    fn make(above: RawFd) -> io::Result<OwnedFd> {
        let queue = high::moved_above(new_queue()?, above);
        let wake = wake_event(UserDefinedFlags::new(0), EventFlags::ADD | EventFlags::CLEAR);
        change(queue.as_fd(), &[wake])?;
        Ok(queue)
    }

    /// Makes the descriptor anew: it is lost. `above` is the highest number that any of them had: a call
    /// that is on its way with an old number must not meet a new one.
    pub(crate) fn renew(&self, above: RawFd) -> io::Result<()> {
        self.queue.store(Self::make(above)?.into_raw_fd(), Ordering::Relaxed);
        Ok(())
    }

    /// The number that the program is to be kept from.
    pub(crate) fn numbers(&self) -> [RawFd; 1] {
        [self.queue.load(Ordering::Relaxed)]
    }

    /// If this is the descriptor, has another number for it from now on: whether it is.
    pub(crate) fn move_away(&self, fd: BorrowedFd<'_>) -> io::Result<bool> {
        let is_it = self.numbers().contains(&fd.as_raw_fd());
        if is_it {
            self.queue.store(high::duplicate(fd)?.into_raw_fd(), Ordering::Relaxed);
        }
        Ok(is_it)
    }

    /// What can be polled for whether a wait would find anything.
    pub(crate) fn pollable(&self) -> BorrowedFd<'_> {
        self.queue()
    }

    fn queue(&self) -> BorrowedFd<'_> {
        // SAFETY: not -1. Where the number is not this queue's any more, what is asked of it fails.
        unsafe { BorrowedFd::borrow_raw(self.queue.load(Ordering::Relaxed)) }
    }

    /// In a child of a fork: a queue is not handed down, so there is nothing to close.
    pub(crate) fn abandon(&self) {}

    /// Asks for edges of `fd` in both directions; a direction that is ready now is an edge.
    pub(crate) fn add(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let flags = EventFlags::ADD | EventFlags::CLEAR;
        let udata =
            ptr::without_provenance_mut(usize::try_from(token).expect("64-bit targets only"));
        let fd = fd.as_raw_fd();
        self.change(&[KEvent::new(EventFilter::Read(fd), flags, udata)])?;
        match change(self.queue(), &[KEvent::new(EventFilter::Write(fd), flags, udata)]) {
            // A descriptor that can only be read (the end of a pipe) has no such filter.
            Err(Errno::INVAL) => Ok(()),
            Err(Errno::PIPE) => {
                let ident = WAKE + 1 + fd as isize;
                let user_flags = UserDefinedFlags::new(0);
                let once = EventFlags::ADD | EventFlags::ONESHOT;
                let steps = [(UserFlags::NOINPUT, once), (UserFlags::TRIGGER, EventFlags::empty())];
                self.change(&steps.map(|(flags, how)| {
                    KEvent::new(EventFilter::User { ident, flags, user_flags }, how, udata)
                }))
            }
            other => Ok(other?),
        }
    }

    /// Takes back `add`.
    pub(crate) fn remove(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        let fd = fd.as_raw_fd();
        let read =
            self.change(&[KEvent::new(EventFilter::Read(fd), EventFlags::DELETE, ptr::null_mut())]);
        let write = self.change(&[KEvent::new(
            EventFilter::Write(fd),
            EventFlags::DELETE,
            ptr::null_mut(),
        )]);
        read.and(write)
    }

    /// Waits for events, for at most `timeout` (`None`: without limit). An interrupted wait is an empty
    /// one.
    pub(crate) fn wait(&self, events: &mut Events, timeout: Option<Duration>) -> io::Result<()> {
        events.0.clear();
        // SAFETY: no change is passed, so no descriptor has to stay open on its behalf.
        let waited = unsafe { kevent(self.queue(), &[], spare_capacity(&mut events.0), timeout) };
        match waited {
            Err(Errno::INTR) => Ok(()),
            other => Ok(other.map(drop)?),
        }
    }

    /// Ends the wait that is going on, or the next one. An error: the descriptor is lost.
    pub(crate) fn wake(&self) -> io::Result<()> {
        self.change(&[wake_event(UserDefinedFlags::new(0), EventFlags::empty())])
    }

    fn change(&self, changes: &[KEvent]) -> io::Result<()> {
        Ok(change(self.queue(), changes)?)
    }
}

fn change(queue: BorrowedFd<'_>, changes: &[KEvent]) -> Result<(), Errno> {
    // SAFETY: the callers borrow the descriptors that they name for the length of the call, and whoever
    // closes one later removes it first or bears stale events by their generation.
    unsafe { kevent(queue, changes, &mut [] as &mut [KEvent], Some(Duration::ZERO))? };
    Ok(())
}

impl Drop for Poller {
    /// Of one that was made in vain: the program has not had time for its numbers.
    fn drop(&mut self) {
        for number in self.numbers() {
            // SAFETY: owned, and not used after this.
            unsafe { file::close(number) };
        }
    }
}

fn wake_event(user_flags: UserDefinedFlags, flags: EventFlags) -> KEvent {
    let trigger = if flags.is_empty() { UserFlags::TRIGGER } else { UserFlags::NOINPUT };
    KEvent::new(
        EventFilter::User { ident: WAKE, flags: trigger, user_flags },
        flags,
        ptr::null_mut(),
    )
}

#[cfg(test)]
mod tests {
    use std::io::{Write, pipe};
    use std::os::unix::net::UnixStream;
    use std::process::{Child, Command, Stdio};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::process::{WaitId, WaitIdOptions, waitid};

    use super::*;

    const SHORTLY: Duration = Duration::from_millis(50);

    /// What is told of `token` until nothing is any more.
    fn told(poller: &Poller, token: u64) -> Vec<Event> {
        let (mut events, mut told) = (Events::new(), Vec::new());
        loop {
            poller.wait(&mut events, Some(SHORTLY)).expect("a wait");
            let found = events.iter().filter(|event| event.token == token).count();
            told.extend(events.iter().filter(|event| event.token == token));
            if found == 0 {
                return told;
            }
        }
    }

    #[test]
    fn a_wake_ends_the_next_wait_and_no_other() {
        let poller = Poller::new().expect("a queue");
        let mut events = Events::new();
        poller.wake().expect("a wake");
        poller.wait(&mut events, None).expect("a wait");
        assert!(events.any_wake());
        poller.wait(&mut events, Some(Duration::ZERO)).expect("a wait");
        assert!(!events.any_wake());
    }

    #[test]
    fn who_writes_to_a_pipe_that_nobody_reads_is_told_once() {
        let poller = Poller::new().expect("a queue");
        let (reader, writer) = pipe().expect("a pipe");
        drop(reader);
        poller.add(writer.as_fd(), 7).expect("a registration");
        let told = told(&poller, 7);
        let closed = told.iter().filter(|event| event.writable && event.write_closed);
        assert_eq!(closed.count(), 1, "{told:?}");
    }

    #[test]
    fn the_end_of_a_stream_is_told_whatever_is_left() {
        for left in [&b""[..], b"left"] {
            let poller = Poller::new().expect("a queue");
            let (near, mut far) = UnixStream::pair().expect("two sockets");
            poller.add(near.as_fd(), 7).expect("a registration");
            assert!(told(&poller, 7).iter().all(|event| event.writable && !event.write_closed));
            far.write_all(left).expect("room");
            drop(far);
            let told = told(&poller, 7);
            assert!(told.iter().any(|event| event.read_closed), "{told:?}");
        }
    }

    #[test]
    fn a_direction_that_is_ready_when_it_is_added_is_told_and_then_when_more_comes() {
        let poller = Poller::new().expect("a queue");
        let (near, mut far) = UnixStream::pair().expect("two sockets");
        far.write_all(b"a").expect("room");
        poller.add(near.as_fd(), 7).expect("a registration");
        let readable = |told: &[Event]| told.iter().filter(|event| event.readable).count();
        assert_eq!(readable(&told(&poller, 7)), 1);
        far.write_all(b"b").expect("room");
        assert_eq!(readable(&told(&poller, 7)), 1);
    }

    #[test]
    fn what_is_told_of_a_number_after_it_was_closed_says_whose_it_was() {
        let poller = Poller::new().expect("a queue");
        let (near, mut far) = UnixStream::pair().expect("two sockets");
        let (next, mut next_far) = UnixStream::pair().expect("two sockets");
        let number = near.as_raw_fd();
        poller.add(near.as_fd(), 7).expect("a registration");
        let kept = near.try_clone().expect("a duplicate");
        drop(told(&poller, 7));
        // SAFETY: a descriptor of this test's own takes the number over.
        assert_eq!(unsafe { libc::dup2(next.as_raw_fd(), number) }, number);
        poller.add(near.as_fd(), 8).expect("a registration");
        assert!(told(&poller, 8).iter().all(|event| event.writable));
        far.write_all(b"for the first").expect("room");
        next_far.write_all(b"for the second").expect("room");
        assert!(told(&poller, 8).iter().any(|event| event.readable));
        drop(kept);
        poller.remove(near.as_fd()).expect("it is there");
        next_far.write_all(b"more").expect("room");
        assert_eq!(told(&poller, 8).len(), 0);
    }

    /// A child that ends when its input does.
    fn cat() -> Child {
        Command::new("cat").stdin(Stdio::piped()).spawn().expect("a child")
    }

    fn is_readable(fd: &OwnedFd) -> bool {
        let mut asked = [PollFd::new(fd, PollFlags::IN)];
        poll(&mut asked, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).expect("an answer") == 1
    }

    #[test]
    fn the_end_of_a_child_is_an_edge_of_a_queue_within_the_queue() {
        let poller = Poller::new().expect("a queue");
        let mut child = cat();
        let watch = watch_exit(child.id()).expect("a queue");
        poller.add(watch.as_fd(), 7).expect("a registration");
        assert_eq!(told(&poller, 7).len(), 0);
        assert!(!is_readable(&watch));
        drop(child.stdin.take());
        let mut events = Events::new();
        while events.iter().all(|event| event.token != 7) {
            poller.wait(&mut events, None).expect("a wait");
        }
        assert!(events.iter().all(|event| event.readable));
        assert!(is_readable(&watch));
        assert_eq!(told(&poller, 7).len(), 0, "once");
        assert!(child.wait().expect("a status").success());
        assert!(is_readable(&watch), "nobody has read it");
    }

    #[test]
    fn the_end_of_a_child_that_is_there_is_told_or_refused() {
        let mut child = cat();
        let (id, number) = (Pid::from_child(&child), child.id());
        drop(child.stdin.take());
        waitid(WaitId::Pid(id), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).expect("its end");
        match watch_exit(number) {
            Ok(watch) => assert!(is_readable(&watch)),
            Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ESRCH)),
        }
        assert!(child.wait().expect("a status").success());
        let error = watch_exit(number).expect_err("it was waited for");
        assert_eq!(error.raw_os_error(), Some(libc::ESRCH));
    }
}

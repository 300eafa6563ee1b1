//! `kqueue`, edge-triggered (`EV_CLEAR`), with a user event to wake a wait.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use rustix::event::kqueue::{
    Event as KEvent, EventFilter, EventFlags, UserDefinedFlags, UserFlags, kevent, kqueue,
};
use rustix::io::{Errno, FdFlags, fcntl_setfd};

use super::{BATCH, Event};

/// The identity of the wake-up event among the user events.
const WAKE: isize = 0;

/// One event loop of the kernel.
#[derive(Debug)]
pub(crate) struct Poller {
    queue: OwnedFd,
}

/// An event loop within the event loop: a descriptor that is readable while one of those in it is
/// ready, by their levels.
#[derive(Debug)]
pub(crate) struct Nested(OwnedFd);

impl Nested {
    pub(crate) fn new() -> io::Result<Self> {
        let queue = kqueue()?;
        fcntl_setfd(&queue, FdFlags::CLOEXEC)?;
        Ok(Self(queue))
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

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// Where a wait puts what it found.
pub(crate) struct Events(Vec<KEvent>);

impl Events {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(BATCH))
    }

    /// What the last wait has found.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Event> {
        self.0.iter().filter_map(|event| {
            let closed = event.flags().contains(EventFlags::EOF);
            let (readable, writable) = match event.filter() {
                EventFilter::Read(_) => (true, false),
                EventFilter::Write(_) => (false, true),
                _ => return None,
            };
            Some(Event {
                token: event.udata().addr() as u64,
                readable,
                writable,
                read_closed: readable && closed,
                write_closed: writable && closed,
                unsteady: event.flags().contains(EventFlags::ERROR),
            })
        })
    }
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let queue = kqueue()?;
        fcntl_setfd(&queue, FdFlags::CLOEXEC)?;
        let poller = Self { queue };
        poller
            .change(&[wake_event(UserDefinedFlags::new(0), EventFlags::ADD | EventFlags::CLEAR)])?;
        Ok(poller)
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
        // A descriptor that can only be read (the end of a pipe) has no such filter.
        match self.change(&[KEvent::new(EventFilter::Write(fd), flags, udata)]) {
            Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => Ok(()),
            other => other,
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
        let waited = unsafe {
            kevent(&self.queue, &[], rustix::buffer::spare_capacity(&mut events.0), timeout)
        };
        match waited {
            Err(Errno::INTR) => Ok(()),
            other => Ok(other.map(drop)?),
        }
    }

    /// Ends the wait that is going on, or the next one.
    pub(crate) fn wake(&self) {
        // Fails only when the kernel is out of memory for a change that needs none.
        let _ = self.change(&[wake_event(UserDefinedFlags::new(0), EventFlags::empty())]);
    }

    fn change(&self, changes: &[KEvent]) -> io::Result<()> {
        // SAFETY: the callers borrow the descriptors that they name for the length of the call, and
        // whoever closes one later removes it first or bears stale events by their generation.
        unsafe { kevent(&self.queue, changes, &mut [] as &mut [KEvent], Some(Duration::ZERO))? };
        Ok(())
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

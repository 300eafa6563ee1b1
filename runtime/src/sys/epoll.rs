//! `epoll`, edge-triggered, with an `eventfd` to wake a wait.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::Errno;

use super::Event;

/// The token of the wake-up descriptor; no registration has it.
const WAKE: u64 = u64::MAX;

/// How many events one wait takes over.
const BATCH: usize = 256;

/// One event loop of the kernel.
#[derive(Debug)]
pub(crate) struct Poller {
    epoll: OwnedFd,
    wake: OwnedFd,
}

/// Where a wait puts what it found.
pub(crate) struct Events(Vec<epoll::Event>);

impl Events {
    pub(crate) fn new() -> Self {
        Self(Vec::with_capacity(BATCH))
    }
}

impl Poller {
    pub(crate) fn new() -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        // Edge-triggered, so that nobody has to read the counter back: each write is an edge.
        let flags = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, &wake, epoll::EventData::new_u64(WAKE), flags)?;
        Ok(Self { epoll, wake })
    }

    /// Asks for edges of `fd` in both directions; a direction that is ready now is an edge.
    pub(crate) fn add(&self, fd: BorrowedFd<'_>, token: u64) -> io::Result<()> {
        let flags = epoll::EventFlags::IN
            | epoll::EventFlags::OUT
            | epoll::EventFlags::RDHUP
            | epoll::EventFlags::PRI
            | epoll::EventFlags::ET;
        match epoll::add(&self.epoll, fd, epoll::EventData::new_u64(token), flags) {
            // The same open file under the same number, left over from an owner that has gone
            // without saying so: it is ours now.
            Err(Errno::EXIST) => {
                epoll::modify(&self.epoll, fd, epoll::EventData::new_u64(token), flags)?;
            }
            other => other?,
        }
        Ok(())
    }

    /// Takes back `add`.
    pub(crate) fn remove(&self, fd: BorrowedFd<'_>) -> io::Result<()> {
        Ok(epoll::delete(&self.epoll, fd)?)
    }

    /// Waits for events, for at most `timeout` (`None`: without limit), and hands each to `on_event`.
    /// An interrupted wait is an empty one.
    pub(crate) fn wait(
        &self,
        events: &mut Events,
        timeout: Option<Duration>,
        mut on_event: impl FnMut(Event),
    ) -> io::Result<()> {
        let timeout = timeout.map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        });
        events.0.clear();
        match epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(&mut events.0),
            timeout.as_ref(),
        ) {
            Err(Errno::INTR) => return Ok(()),
            other => other?,
        };
        for event in &events.0 {
            let token = event.data.u64();
            if token == WAKE {
                continue;
            }
            let flags = event.flags;
            let has = |any| flags.intersects(any);
            let (hung_up, failed) = (epoll::EventFlags::HUP, epoll::EventFlags::ERR);
            let shut = epoll::EventFlags::RDHUP | hung_up;
            on_event(Event {
                token,
                readable: has(epoll::EventFlags::IN | epoll::EventFlags::PRI | shut | failed),
                writable: has(epoll::EventFlags::OUT | hung_up | failed),
                read_closed: has(shut),
                write_closed: has(hung_up),
                unsteady: has(epoll::EventFlags::PRI | failed),
            });
        }
        Ok(())
    }

    /// Ends the wait that is going on, or the next one.
    pub(crate) fn wake(&self) {
        // Fails only when the counter is full: then the edge is there already.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

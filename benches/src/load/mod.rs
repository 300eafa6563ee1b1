//! The load: one thread, one epoll, on a processor of its own.
//!
//! A closed loop keeps each connection at one exchange: a request goes out when the reply to the
//! one before is complete, so the pace is the server's. An open loop sends at a set rate whatever
//! the server does, and counts a request's time from the moment it was due, so that a server's
//! pause shows in every request it has held up.
//!
//! - [`fleet`]: connections that stay, for echo, HTTP and the idle scene
//! - [`churn`]: connections that live for one exchange
//! - [`chat`]: connections that hear each other

pub(crate) mod chat;
pub(crate) mod churn;
pub(crate) mod fleet;
mod histogram;

use std::io;
use std::time::{Duration, Instant};

use crate::child::Server;
use crate::failure::{Failure, failed};
pub(crate) use histogram::Histogram;

/// How long a load may see no reply at all before the run counts as failed.
const STALL: Duration = Duration::from_secs(3);

/// How long to warm up, and how long to measure after that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

impl Span {
    /// Nothing is measured.
    const NONE: Span = Span { warm_up: Duration::ZERO, measured: Duration::ZERO };
}

/// What a load has seen in the measured interval.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    /// What was completed: requests, connections or deliveries.
    pub(crate) done: u64,
    /// The length of the interval.
    pub(crate) elapsed: Duration,
    /// The processor time that the server used in it.
    pub(crate) server_cpu: Duration,
    /// How long the exchanges took that ended in it, in nanoseconds.
    pub(crate) latency: Histogram,
}

impl Outcome {
    /// Nothing, in no time.
    pub(crate) fn new() -> Outcome {
        let (elapsed, server_cpu) = (Duration::ZERO, Duration::ZERO);
        Outcome { done: 0, elapsed, server_cpu, latency: Histogram::new() }
    }

    /// Adds what was seen in another interval.
    pub(crate) fn add(&mut self, other: &Outcome) {
        self.done += other.done;
        self.elapsed += other.elapsed;
        self.server_cpu += other.server_cpu;
        self.latency.add(&other.latency);
    }
}

/// Keeps a run's time: warm-up, measured interval, end; and notices when nothing moves.
struct Watch<'a> {
    server: &'a Server,
    span: Span,
    start: Instant,
    /// The beginning of the measured interval and the server's processor time there.
    measured_from: Option<(Instant, Duration)>,
    done: u64,
    latency: Histogram,
    progress: Instant,
}

impl<'a> Watch<'a> {
    fn new(server: &'a Server, span: Span) -> Watch<'a> {
        let start = Instant::now();
        let latency = Histogram::new();
        Watch { server, span, start, measured_from: None, done: 0, latency, progress: start }
    }

    /// Nanoseconds since the start.
    fn now(&self) -> u64 {
        self.start.elapsed().as_nanos() as u64
    }

    /// Counts `done` and a time, if the measured interval has begun.
    fn record(&mut self, done: u64, latency: u64) {
        self.done += done;
        if self.measured_from.is_some() {
            self.latency.record(latency);
        }
    }

    /// Counts what has no time of its own.
    fn count(&mut self, done: u64) {
        self.done += done;
    }

    /// Fails when nothing has moved for too long; `moved` says whether anything has right now.
    fn expect(&mut self, moved: bool) -> Result<Instant, Failure> {
        let now = Instant::now();
        if moved {
            self.progress = now;
        } else if now - self.progress > STALL {
            return Err(failed(format!("no reply for {} s", STALL.as_secs())));
        }
        Ok(now)
    }

    /// To be asked after each batch of events: the outcome once the time is over.
    fn check(&mut self, moved: bool) -> Result<Option<Outcome>, Failure> {
        let now = self.expect(moved)?;
        match self.measured_from {
            None if now - self.start >= self.span.warm_up => {
                self.measured_from = Some((now, self.server.cpu_time()?));
                self.done = 0;
                Ok(None)
            }
            Some((from, cpu)) if now - from >= self.span.measured => Ok(Some(Outcome {
                done: self.done,
                elapsed: now - from,
                server_cpu: self.server.cpu_time()? - cpu,
                latency: self.latency.clone(),
            })),
            _ => Ok(None),
        }
    }
}

/// What a call on a socket that does not block says: a count, or nothing for now.
fn now_or_later(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
        result => result.map(Some),
    }
}

//! What is measured: scenes, each a few cases, each case one table.
//!
//! A case is run once per peer and round, and yields one number per column. It starts its peer
//! afresh every time, so nothing carries over from one run to the next. A peer that measures
//! itself runs from its start to its end; servers stand side by side, and the load goes round
//! them in short turns ([`turns`]).

mod beside;
mod chat;
mod churn;
mod compute;
mod micro;
mod serve;
mod sleepers;
mod syscalls;
pub(crate) mod turns;
mod wrk;

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use crate::child::Start;
use crate::load::{Outcome, Span};
use crate::peer::Peer;
use crate::sys;
use turns::Turns;

/// Why there is no number.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The peer has no such scene.
    Unsupported,
    /// It has, and this went wrong.
    Failed(String),
}

pub(crate) fn failed(why: impl Into<String>) -> Failure {
    Failure::Failed(why.into())
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        failed(error.to_string())
    }
}

/// One quantity of a case.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    pub(crate) title: Cow<'static, str>,
    pub(crate) role: Role,
}

/// How a quantity is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// With its spread and its ratio; less is better.
    Cost,
    /// With its spread and its ratio; more is better.
    Yield,
    /// By its median alone.
    Aside,
}

const fn cost(title: &'static str) -> Column {
    Column { title: Cow::Borrowed(title), role: Role::Cost }
}

const fn gain(title: &'static str) -> Column {
    Column { title: Cow::Borrowed(title), role: Role::Yield }
}

const fn aside(title: &'static str) -> Column {
    Column { title: Cow::Borrowed(title), role: Role::Aside }
}

/// One number per column.
pub(crate) type Sample = Vec<f64>;

/// Runs a peer from its start to its end.
type Alone = Box<dyn Fn(&Bench, &Peer) -> Result<Sample, Failure>>;

/// How a case runs its peers.
pub(crate) enum Run {
    /// One after the other.
    Alone(Alone),
    /// In turns, as many at a time as there are seats.
    InTurns(Turns),
}

impl Run {
    fn alone(run: impl Fn(&Bench, &Peer) -> Result<Sample, Failure> + 'static) -> Run {
        Run::Alone(Box::new(run))
    }
}

/// One table.
pub(crate) struct Case {
    pub(crate) scene: &'static str,
    pub(crate) title: String,
    pub(crate) columns: &'static [Column],
    /// In how many rounds it takes part at most.
    pub(crate) rounds: usize,
    pub(crate) run: Run,
}

/// For cases that are cheap enough to take part in every round.
const EVERY: usize = usize::MAX;

/// For cases that take several seconds a peer, or that count instead of timing.
const ONCE: usize = 1;

/// A name to ask for, and its cases.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Whether a quick run has it without being asked for it by name.
    pub(crate) quick: bool,
    /// A program that it cannot do without.
    pub(crate) needs: Option<&'static str>,
    pub(crate) cases: fn(&Bench) -> Vec<Case>,
}

/// All scenes, the most important ones first.
pub(crate) const ALL: &[Scene] = &[
    serve::ECHO_TCP,
    micro::YIELD,
    micro::SPAWN,
    micro::BATCH,
    micro::CHANNEL,
    micro::MUTEX,
    micro::CONDVAR,
    micro::PARK,
    micro::TIMER,
    micro::LOOKUP,
    micro::FILE,
    sleepers::SLEEPERS,
    churn::CHURN,
    serve::HTTP,
    wrk::HTTP_WRK,
    serve::ECHO_UDP,
    serve::ECHO_UNIX,
    chat::CHAT,
    serve::IDLE,
    serve::ECHO_RATE,
    compute::CPU,
    beside::BESIDE,
    beside::FORK_JOIN,
    syscalls::SYSCALLS,
];

/// How everything is run.
#[derive(Clone, Debug)]
pub(crate) struct Bench {
    /// Short intervals and fewer cases.
    pub(crate) quick: bool,
    /// The processors there are.
    pub(crate) processors: Vec<usize>,
    pub(crate) span: Span,
    /// How long a measurement inside a peer lasts.
    pub(crate) target: Duration,
    /// How many descriptors a process may have.
    pub(crate) descriptors: usize,
}

/// Descriptors of a process that are not connections: listeners, event loops, standard streams.
const OTHER_DESCRIPTORS: usize = 200;

/// As many connections as any case has.
const MOST_CONNECTIONS: usize = 10_000;

/// From so many connections on the measured interval grows with their number: each of them is to
/// have its turn several times.
const MANY: u32 = 4_000;

impl Bench {
    /// The processors of a server with so many workers, and those of the load: apart where there
    /// are enough of them, all for both otherwise.
    fn places(&self, workers: usize) -> (&[usize], &[usize]) {
        if workers < self.processors.len() {
            self.processors[..=workers].split_at(workers)
        } else {
            (&self.processors, &self.processors)
        }
    }

    /// Puts the load where it belongs, and returns how to start `peer` beside it.
    fn start<'a>(
        &'a self,
        peer: &'a Peer,
        scene: &'a str,
        workers: usize,
        settings: Vec<(&'static str, String)>,
    ) -> Result<Start<'a>, Failure> {
        let (processors, load) = self.places(workers);
        sys::pin(load)?;
        let patience = Duration::from_secs(10);
        Ok(Start { peer, scene, workers, settings, processors, patience })
    }

    /// How many connections a case has that would like to have `wanted`: server and load need a
    /// descriptor for each.
    fn connections(&self, wanted: usize) -> usize {
        wanted.min(self.descriptors.saturating_sub(OTHER_DESCRIPTORS))
    }

    /// Says so when no case can have as many connections as it would like.
    pub(crate) fn warn_of_limits(&self) {
        let limit = self.connections(usize::MAX);
        if limit < MOST_CONNECTIONS {
            eprintln!(
                "suite: {} descriptors a process leave room for {limit} connections: cases that \
                 have more will have as many",
                self.descriptors
            );
        }
    }

    /// How long to measure with so many busy connections.
    fn span(&self, connections: usize) -> Span {
        let times = (connections as u32 / MANY).max(1);
        Span { measured: self.span.measured * times, ..self.span }
    }

    /// How many processes the descriptors suffice for, if each has so many connections.
    fn seats(&self, connections: usize) -> usize {
        (self.connections(usize::MAX) / connections.max(1)).max(1)
    }

    /// How a title says where the server runs.
    fn placement(&self, workers: usize) -> String {
        let plural = if workers == 1 { "" } else { "s" };
        let apart = if workers < self.processors.len() { "" } else { " beside the load" };
        format!("{workers} worker{plural}{apart}")
    }
}

/// What is said of a server under load.
const SERVED: &[Column] = &[
    cost("CPU/req µs"),
    gain("req/s"),
    aside("p50 µs"),
    aside("p99 µs"),
    aside("max ms"),
    aside("server %"),
];

/// The numbers of [`SERVED`].
fn served(outcome: &Outcome) -> Result<Sample, Failure> {
    if outcome.done == 0 {
        return Err(failed("no request was completed in the interval"));
    }
    let (done, elapsed) = (outcome.done as f64, outcome.elapsed.as_secs_f64());
    let cpu = outcome.server_cpu.as_secs_f64();
    Ok(vec![
        cpu / done * 1e6,
        done / elapsed,
        outcome.latency.quantile(0.5) as f64 / 1e3,
        outcome.latency.quantile(0.99) as f64 / 1e3,
        outcome.latency.max() as f64 / 1e6,
        cpu / elapsed * 100.0,
    ])
}

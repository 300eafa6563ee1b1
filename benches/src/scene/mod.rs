//! What is measured: scenes, each a few cases, each case one table.
//!
//! A case is run once per peer and round, and yields one number per column. It starts its peer
//! afresh every time, so nothing carries over from one run to the next.

mod chat;
mod churn;
mod compute;
mod micro;
mod serve;
mod sleepers;
mod syscalls;

use std::io;
use std::time::Duration;

use crate::child::Start;
use crate::load::{Outcome, Span};
use crate::peer::Peer;
use crate::sys;

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
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
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
    Column { title, role: Role::Cost }
}

const fn gain(title: &'static str) -> Column {
    Column { title, role: Role::Yield }
}

const fn aside(title: &'static str) -> Column {
    Column { title, role: Role::Aside }
}

/// One number per column.
pub(crate) type Sample = Vec<f64>;

type Run = Box<dyn Fn(&Bench, &Peer) -> Result<Sample, Failure>>;

/// One table.
pub(crate) struct Case {
    pub(crate) scene: &'static str,
    pub(crate) title: String,
    pub(crate) columns: &'static [Column],
    pub(crate) run: Run,
}

/// A name to ask for, and its cases.
pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    /// Whether it runs without being asked for by name.
    pub(crate) standard: bool,
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
    sleepers::SLEEPERS,
    churn::CHURN,
    serve::HTTP,
    serve::ECHO_UDP,
    serve::ECHO_UNIX,
    chat::CHAT,
    serve::IDLE,
    serve::ECHO_RATE,
    compute::CPU,
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
}

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

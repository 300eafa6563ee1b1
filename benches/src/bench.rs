//! How everything is run: where, for how long, and with how much.

use std::time::Duration;

use crate::child::Start;
use crate::failure::Failure;
use crate::load::Span;
use crate::peer::Peer;
use crate::sys;

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
    pub(crate) fn places(&self, workers: usize) -> (&[usize], &[usize]) {
        if workers < self.processors.len() {
            self.processors[..=workers].split_at(workers)
        } else {
            (&self.processors, &self.processors)
        }
    }

    /// Puts the load where it belongs, and returns how to start `peer` beside it.
    pub(crate) fn start<'a>(
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
    pub(crate) fn connections(&self, wanted: usize) -> usize {
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
    pub(crate) fn span(&self, connections: usize) -> Span {
        let times = (connections as u32 / MANY).max(1);
        Span { measured: self.span.measured * times, ..self.span }
    }

    /// How many processes the descriptors suffice for, if each has so many connections.
    pub(crate) fn seats(&self, connections: usize) -> usize {
        (self.connections(usize::MAX) / connections.max(1)).max(1)
    }

    /// How a title says where the server runs.
    pub(crate) fn placement(&self, workers: usize) -> String {
        let plural = if workers == 1 { "" } else { "s" };
        let apart = if workers < self.processors.len() { "" } else { " beside the load" };
        format!("{workers} worker{plural}{apart}")
    }
}

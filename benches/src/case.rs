//! What a scene consists of: cases, each one table.

use crate::bench::Bench;
use crate::column::{Column, Sample};
use crate::failure::Failure;
use crate::peer::Peer;
use crate::turns::Turns;

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
    pub(crate) fn alone(run: impl Fn(&Bench, &Peer) -> Result<Sample, Failure> + 'static) -> Run {
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
pub(crate) const EVERY: usize = usize::MAX;

/// For cases that take several seconds a peer, or that count instead of timing.
pub(crate) const ONCE: usize = 1;

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

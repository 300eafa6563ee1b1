//! Servers that stand side by side while the load goes round them.
//!
//! On a machine that others use, too, what an echo takes changes by a tenth within seconds, and
//! two servers that are measured one after the other differ by that alone. So all servers of a
//! case are started and connected first, and wait. Then each is under load for a short turn, again
//! and again, until it has been for as long as it is to be: what slows the machine down meets all
//! of them alike.
//!
//! A turn is a run of its own: it warms up, is measured, and leaves nothing under way. It lasts
//! long enough for each connection to be served many times. Where server and load share their
//! processors there is one turn only: who runs where takes a while to settle there.

use std::time::Duration;

use crate::bench::Bench;
use crate::child::Server;
use crate::column::{Column, Sample, aside, cost, gain};
use crate::failure::{Failure, failed};
use crate::load::{Outcome, Span};
use crate::peer::Peer;

/// What is said of a server under load.
pub(crate) const SERVED: &[Column] = &[
    cost("CPU/req µs"),
    gain("req/s"),
    aside("p50 µs"),
    aside("p99 µs"),
    aside("max ms"),
    aside("server %"),
];

/// The numbers of [`SERVED`].
pub(crate) fn served(outcome: &Outcome) -> Result<Sample, Failure> {
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

/// Who comes first, second and so on in a round, of so many: another one begins in every other round,
/// and the round after that goes backwards. So nobody always follows the same one, and with thousands
/// of connections it is an advantage to start late.
pub(crate) fn order(count: usize, round: usize) -> Vec<usize> {
    let forwards = (0..count).map(|place| (place + round / 2) % count);
    if round.is_multiple_of(2) { forwards.collect() } else { forwards.rev().collect() }
}

/// A turn is measured for at least as long.
const TURN_LEAST: Duration = Duration::from_millis(50);

/// And for as long for each connection.
const TURN_EACH: Duration = Duration::from_micros(100);

/// Starts a peer, and opens its connections.
type Stand = Box<dyn Fn(&Bench, &Peer) -> Result<Standing, Failure>>;

/// Puts a server under load for a turn.
type Load = Box<dyn FnMut(&Server, Span) -> Result<Outcome, Failure>>;

/// A case whose peers take turns.
pub(crate) struct Turns {
    stand: Stand,
    /// How long a turn is.
    span: Span,
    /// How many turns each peer has.
    count: u32,
    /// How many peers may stand at a time.
    seats: usize,
}

/// A server that has its connections, and what it has shown so far.
pub(crate) struct Standing {
    server: Server,
    load: Load,
    seen: Outcome,
}

impl Turns {
    /// Turns of servers with `workers` and so many busy `connections`.
    pub(crate) fn new(
        bench: &Bench,
        workers: usize,
        connections: usize,
        stand: impl Fn(&Bench, &Peer) -> Result<Standing, Failure> + 'static,
    ) -> Turns {
        let Span { warm_up, measured } = bench.span(connections);
        let turn = (TURN_EACH * connections as u32).max(TURN_LEAST);
        let apart = workers < bench.processors.len();
        let count = if apart { (measured.as_millis() / turn.as_millis()).max(1) as u32 } else { 1 };
        let span = Span { warm_up: warm_up / count, measured: measured / count };
        Turns { stand: Box::new(stand), span, count, seats: bench.seats(connections) }
    }

    /// Lets `peers` take their turns, as many of them at a time as there are seats.
    pub(crate) fn take(&self, bench: &Bench, peers: &[&Peer]) -> Vec<Result<Sample, Failure>> {
        peers.chunks(self.seats).flat_map(|group| self.take_together(bench, group)).collect()
    }

    fn take_together(&self, bench: &Bench, peers: &[&Peer]) -> Vec<Result<Sample, Failure>> {
        let mut standing: Vec<_> = peers.iter().map(|peer| (self.stand)(bench, peer)).collect();
        for turn in 0..self.count as usize {
            for place in order(peers.len(), turn) {
                let seat = &mut standing[place];
                if let Ok(server) = seat
                    && let Err(failure) = server.turn(self.span)
                {
                    *seat = Err(failure);
                }
            }
        }
        standing.into_iter().map(|standing| served(&standing?.seen)).collect()
    }
}

impl Standing {
    /// A `server`, and what puts it under load for a turn.
    pub(crate) fn new(
        server: Server,
        load: impl FnMut(&Server, Span) -> Result<Outcome, Failure> + 'static,
    ) -> Standing {
        Standing { server, load: Box::new(load), seen: Outcome::new() }
    }

    fn turn(&mut self, span: Span) -> Result<(), Failure> {
        let Standing { server, load, seen } = self;
        let outcome = server.under(|server| load(server, span))?;
        seen.add(&outcome);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The turns of servers with so many workers and connections, on two processors: how many and
    /// how long, and how many servers stand at a time.
    fn turns(workers: usize, connections: usize) -> (u32, Duration, usize) {
        let span = Span { warm_up: Duration::ZERO, measured: Duration::from_millis(400) };
        let target = Duration::ZERO;
        let bench =
            Bench { quick: false, processors: vec![0, 1], span, target, descriptors: 20_000 };
        let turns = Turns::new(&bench, workers, connections, |_, _| Err(Failure::Unsupported));
        (turns.count, turns.span.measured, turns.seats)
    }

    #[test]
    fn a_turn_is_longer_with_more_connections_and_all_of_them_are_as_long_as_asked_for() {
        assert_eq!(turns(1, 64), (8, Duration::from_millis(50), 309));
        assert_eq!(turns(1, 1_000), (4, Duration::from_millis(100), 19));
        assert_eq!(turns(1, 8_000), (1, Duration::from_millis(800), 2));
    }

    #[test]
    fn there_is_one_turn_where_server_and_load_share_their_processors() {
        assert_eq!(turns(2, 64), (1, Duration::from_millis(400), 309));
    }

    #[test]
    fn where_descriptors_are_short_each_server_stands_alone() {
        assert_eq!(turns(1, 30_000).2, 1);
        assert_eq!(turns(1, 0).2, 19_800);
    }

    #[test]
    fn everybody_begins_and_nobody_always_follows_the_same_one() {
        assert_eq!(order(3, 0), [0, 1, 2]);
        assert_eq!(order(3, 1), [2, 1, 0]);
        assert_eq!(order(3, 2), [1, 2, 0]);
        assert_eq!(order(3, 5), [1, 0, 2]);
    }
}

//! Short connections: accept, one request, close.

use crate::bench::Bench;
use crate::case::{Case, EVERY, Run, Scene};
use crate::column::{Column, aside, cost, gain};
use crate::load::churn;
use crate::peer::Peer;
use crate::turns::{Standing, Turns};

pub(super) const CHURN: Scene = Scene {
    name: "accept",
    about: "connections that live for one request, 64 at a time",
    quick: true,
    needs: None,
    cases: |bench| {
        let workers: &[usize] = if bench.quick { &[1] } else { &[1, 2] };
        let main = workers.iter().map(|&workers| accept(bench, workers, "main"));
        main.chain([accept(bench, 1, "thread")]).collect()
    },
};

const COLUMNS: &[Column] = &[
    cost("CPU/conn µs"),
    gain("conn/s"),
    aside("p50 µs"),
    aside("p99 µs"),
    aside("max ms"),
    aside("server %"),
];

/// `acceptor` is who accepts where there are threads: `main`, which is an OS thread, or another one.
fn accept(bench: &Bench, workers: usize, acceptor: &'static str) -> Case {
    let under_way = 64;
    let by = if acceptor == "main" { "" } else { "accepted by a thread, " };
    let placement = bench.placement(workers);
    let title = format!("{under_way} connections at a time, 64 B, {by}{placement}");
    let stand = move |bench: &Bench, peer: &Peer| {
        let settings = vec![("acceptor", acceptor.to_owned())];
        let server = bench.start(peer, "echo-tcp", workers, settings)?.server()?;
        Ok(Standing::new(server, move |server, span| churn::run(server, under_way, 64, span)))
    };
    let turns = Turns::new(bench, workers, under_way, stand);
    Case { scene: "accept", title, columns: COLUMNS, rounds: EVERY, run: Run::InTurns(turns) }
}

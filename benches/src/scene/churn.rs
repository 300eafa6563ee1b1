//! Short connections: accept, one request, close.

use super::{Bench, Case, Column, EVERY, Scene, aside, cost, gain, served};
use crate::load::churn;
use crate::peer::Peer;

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
    let run = move |bench: &Bench, peer: &Peer| {
        bench
            .start(peer, "echo-tcp", workers, vec![("acceptor", acceptor.to_owned())])?
            .serve(|server| served(&churn::run(server, under_way, 64, bench.span)?))
    };
    Case { scene: "accept", title, columns: COLUMNS, rounds: EVERY, run: Box::new(run) }
}

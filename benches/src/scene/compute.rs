//! Work for all processors: what the scheduler adds to it, and whether it spreads it.

use crate::bench::Bench;
use crate::case::{Case, EVERY, Run, Scene};
use crate::column::{Column, cost};
use crate::peer::Peer;

pub(super) const CPU: Scene = Scene {
    name: "cpu",
    about: "fifteen sums of remainders on all processors",
    quick: true,
    needs: None,
    cases: |bench| vec![sums(bench)],
};

const COLUMNS: &[Column] = &[cost("ms"), cost("CPU ms")];

fn sums(bench: &Bench) -> Case {
    let rounds = if bench.quick { 1_000_000 } else { 10_000_000 };
    let workers = bench.processors.len();
    let title = format!("15 sums of {rounds} terms, {workers} workers");
    let run = move |bench: &Bench, peer: &Peer| {
        let settings = vec![("shares", 15.to_string()), ("rounds", rounds.to_string())];
        let found = bench.start(peer, "cpu", workers, settings)?.measure()?;
        let millis = |key: &str| found.get(key).copied().unwrap_or(f64::NAN) / 1e6;
        Ok(vec![millis("ns"), millis("cpu_ns")])
    };
    Case { scene: "cpu", title, columns: COLUMNS, rounds: EVERY, run: Run::alone(run) }
}

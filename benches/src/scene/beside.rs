//! Latency beside work: an idle processor is to help a busy one.

use super::micro::{on, per_operation};
use crate::bench::Bench;
use crate::case::{Case, EVERY, Run, Scene};
use crate::column::{Column, aside, cost};
use crate::peer::Peer;

pub(super) const BESIDE: Scene = Scene {
    name: "beside",
    about: "eight clients that ask for echoes beside threads that compute",
    quick: true,
    needs: None,
    cases: |bench| {
        let in_step = [(1, 5), (2, 5), (1, 8), (0, 0)].map(|(n, ms)| beside(bench, n, ms, false));
        let drifting = [(0, 0), (1, 5), (2, 5)].map(|(n, ms)| beside(bench, n, ms, true));
        in_step.into_iter().chain(drifting).collect()
    },
};

const BESIDE_COLUMNS: &[Column] =
    &[cost("p90 µs"), cost("p99 µs"), aside("p50 µs"), aside("max ms")];

/// Clients that began together and pause for the same time each ask in step; if they are `drifting`, they do not.
fn beside(bench: &Bench, burners: usize, burst: usize, drifting: bool) -> Case {
    let work = match burners {
        0 => "nothing".to_owned(),
        1 => format!("1 thread, {burst} ms bursts"),
        _ => format!("{burners} threads, {burst} ms bursts"),
    };
    let clients = if drifting { "clients that drift, " } else { "" };
    let title = format!("beside {work}, {clients}{}", on(bench, 2));
    let run = move |bench: &Bench, peer: &Peer| {
        let target = bench.target.as_millis().to_string();
        let settings = vec![
            ("burners", burners.to_string()),
            ("burst", burst.to_string()),
            ("drifting", u8::from(drifting).to_string()),
            ("target", target),
        ];
        let found = bench.start(peer, "beside", 2, settings)?.measure()?;
        let micros = |key: &str| found.get(key).copied().unwrap_or(f64::NAN) / 1e3;
        Ok(vec![micros("p90"), micros("p99"), micros("p50"), micros("max") / 1e3])
    };
    Case { scene: "beside", title, columns: BESIDE_COLUMNS, rounds: EVERY, run: Run::alone(run) }
}

pub(super) const FORK_JOIN: Scene = Scene {
    name: "fork-join",
    about: "a thread and its parent compute, each as long as the other",
    quick: true,
    needs: None,
    cases: |bench| [1, 3, 10].map(|ms| fork_join(bench, ms)).into(),
};

const FORK_JOIN_COLUMNS: &[Column] = &[cost("ms"), aside("CPU ms")];

fn fork_join(bench: &Bench, burst: usize) -> Case {
    let title = format!("{burst} ms each, {}", on(bench, 2));
    let run = move |bench: &Bench, peer: &Peer| {
        let target = bench.target.as_millis().to_string();
        let settings =
            vec![("burst", burst.to_string()), ("start", "8".into()), ("target", target)];
        let found = bench.start(peer, "fork-join", 2, settings)?.measure()?;
        Ok(["ns", "cpu_ns"].map(|key| per_operation(&found, key) / 1e6).into())
    };
    let columns = FORK_JOIN_COLUMNS;
    Case { scene: "fork-join", title, columns, rounds: EVERY, run: Run::alone(run) }
}

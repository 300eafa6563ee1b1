//! Threads that only stand there: the time to start them and the memory they take.

use super::{Bench, Case, Column, EVERY, Failure, ONCE, Sample, Scene, aside, cost};
use crate::peer::Peer;

pub(super) const SLEEPERS: Scene = Scene {
    name: "sleepers",
    about: "many sleeping threads: time to start, memory of each",
    quick: true,
    needs: None,
    cases: |bench| {
        let counts: &[usize] = if bench.quick { &[10_000] } else { &[10_000, 1_000_000] };
        counts.iter().map(|&count| asleep(count)).collect()
    },
};

/// Kernel memory (an OS thread's stack there is 16 KiB) is not in these.
const COLUMNS: &[Column] = &[
    cost("KiB each"),
    cost("ns to start"),
    aside("resident KiB"),
    aside("page tables KiB"),
    aside("CPU ns"),
];

fn asleep(count: usize) -> Case {
    let title = format!("{count} threads, 1 worker");
    let run = move |bench: &Bench, peer: &Peer| -> Result<Sample, Failure> {
        peer.holds(count)?;
        let settings = vec![("count", count.to_string())];
        bench.start(peer, "sleepers", 1, settings)?.serve(|server| {
            let nanoseconds: f64 = server.address().parse().unwrap_or(f64::NAN);
            let each = |total: f64| total / count as f64;
            let (resident, tables) = server.memory_kib()?;
            let cpu = server.cpu_time()?.as_secs_f64() * 1e9;
            let (resident, tables) = (each(resident), each(tables));
            Ok(vec![resident + tables, each(nanoseconds), resident, tables, each(cpu)])
        })
    };
    let rounds = if count > 10_000 { ONCE } else { EVERY };
    Case { scene: "sleepers", title, columns: COLUMNS, rounds, run: Box::new(run) }
}

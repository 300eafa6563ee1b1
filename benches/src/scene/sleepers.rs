//! Threads that only stand there: the time to start them and the memory they take.

use std::time::Duration;

use crate::bench::Bench;
use crate::case::{Case, EVERY, ONCE, Run, Scene};
use crate::child::Start;
use crate::column::{Column, Sample, aside, cost};
use crate::failure::Failure;
use crate::machine;
use crate::peer::Peer;

pub(super) const SLEEPERS: Scene = Scene {
    name: "sleepers",
    about: "many sleeping threads: time to start, memory of each",
    quick: true,
    needs: None,
    cases: |bench| {
        let mut cases = vec![asleep(10_000)];
        match machine::available_memory_kib() {
            _ if bench.quick => {}
            available if available < MILLION_KIB => {
                eprintln!("a million sleepers are left out: they would need 16 GiB of memory");
            }
            _ => cases.push(asleep(1_000_000)),
        }
        cases
    },
};

/// What a million threads take at most, 13 KiB each, and some more.
const MILLION_KIB: u64 = 16 << 20;

/// Kernel memory (an OS thread's stack there is 16 KiB) is not in these.
const COLUMNS: &[Column] = &[
    cost("KiB each"),
    cost("ns to start"),
    aside("resident KiB"),
    aside("page tables KiB"),
    aside("CPU ns"),
];

/// How long a million may take to fall asleep.
const PATIENCE: Duration = Duration::from_secs(60);

fn asleep(count: usize) -> Case {
    let title = format!("{count} threads, 1 worker");
    let run = move |bench: &Bench, peer: &Peer| -> Result<Sample, Failure> {
        peer.holds(count)?;
        let settings = vec![("count", count.to_string())];
        let start = bench.start(peer, "sleepers", 1, settings)?;
        Start { patience: PATIENCE, ..start }.serve(|server| {
            let nanoseconds: f64 = server.address().parse().unwrap_or(f64::NAN);
            let each = |total: f64| total / count as f64;
            let (resident, tables) = server.memory_kib()?;
            let cpu = server.cpu_time()?.as_secs_f64() * 1e9;
            let (resident, tables) = (each(resident), each(tables));
            Ok(vec![resident + tables, each(nanoseconds), resident, tables, each(cpu)])
        })
    };
    let rounds = if count > 10_000 { ONCE } else { EVERY };
    Case { scene: "sleepers", title, columns: COLUMNS, rounds, run: Run::alone(run) }
}

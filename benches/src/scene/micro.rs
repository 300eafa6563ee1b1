//! The smallest operations, measured inside the peer, on one worker and on two.

use std::collections::HashMap;
use std::time::Duration;

use crate::bench::Bench;
use crate::case::{Case, EVERY, ONCE, Run, Scene};
use crate::child::Start;
use crate::column::{Column, Sample, aside, cost};
use crate::peer::Peer;

macro_rules! scenes {
    ($($constant:ident = $name:literal, $about:literal, $settings:expr;)*) => { $(
        pub(super) const $constant: Scene = Scene {
            name: $name,
            about: $about,
            quick: true,
            needs: None,
            cases: |bench| both(bench, $name, $settings),
        };
    )* };
}

scenes! {
    YIELD = "yield", "threads that give way to each other", &[
        ("2 threads", &[("threads", 2)]), ("1,000 threads", &[("threads", 1_000), ("start", 100_000)]),
    ];
    SPAWN = "spawn", "spawn a thread and join it", &[("one after the other", &[])];
    CHANNEL = "channel", "round trip over two channels", &[("2 threads", &[])];
    MUTEX = "mutex", "lock, add, unlock", &[
        ("uncontended", &[("threads", 1)]), ("8 threads", &[("threads", 8)]),
    ];
    CONDVAR = "condvar", "round trip over a condition variable", &[("2 threads", &[])];
    PARK = "park", "round trip of park and unpark", &[("2 threads", &[])];
    TIMER = "timer", "the same with a timeout: a timer set and cancelled for each wait",
        &[("2 threads", &[])];
    LOOKUP = "lookup", "look-ups of `localhost` at the same time", &[("8 threads", &[])];
    FILE = "file", "open a file, read its beginning, close it", &[("8 threads", &[])];
}

/// How long a measurement may take. An OS thread of a batch takes some 40 µs to start, and so does a turn
/// from one processor to the other where they sleep in between: of so many turns as took no time before,
/// when two were on one processor, each then takes hundreds of times as long.
const PATIENCE: Duration = Duration::from_secs(30);

/// What distinguishes one case of a scene: its name and its settings.
type Variant = (&'static str, &'static [(&'static str, usize)]);

const COLUMNS: &[Column] = &[cost("ns/op"), aside("CPU ns/op")];

fn both(bench: &Bench, scene: &'static str, variants: &'static [Variant]) -> Vec<Case> {
    let case =
        |workers| variants.iter().map(move |&variant| operation(bench, scene, variant, workers));
    [1, 2].into_iter().flat_map(case).collect()
}

fn operation(
    bench: &Bench,
    scene: &'static str,
    (name, settings): Variant,
    workers: usize,
) -> Case {
    let title = format!("{name}, {}", on(bench, workers));
    let run = move |bench: &Bench, peer: &Peer| {
        let mut settings: Vec<_> =
            settings.iter().map(|&(key, value)| (key, value.to_string())).collect();
        settings.push(("target", bench.target.as_millis().to_string()));
        let start = bench.start(peer, scene, workers, settings)?;
        let found = Start { patience: PATIENCE, ..start }.measure()?;
        Ok(vec![per_operation(&found, "ns"), per_operation(&found, "cpu_ns")])
    };
    Case { scene, title, columns: COLUMNS, rounds: EVERY, run: Run::alone(run) }
}

/// There is no load beside these, so all that matters is how many workers there are.
pub(super) fn on(bench: &Bench, workers: usize) -> String {
    let processors = workers.min(bench.processors.len());
    if workers == 1 {
        "1 worker".to_owned()
    } else {
        format!("{workers} workers on {processors} processors")
    }
}

pub(super) fn per_operation(found: &HashMap<String, f64>, key: &str) -> f64 {
    let value = |key: &str| found.get(key).copied().unwrap_or(f64::NAN);
    value(key) / value("ops")
}

pub(super) const BATCH: Scene = Scene {
    name: "batch",
    about: "spawn all, then join all",
    quick: true,
    needs: None,
    cases: |bench| {
        let counts: &[usize] = if bench.quick { &[10_000] } else { &[10_000, 200_000] };
        let case = |&count| [1, 2].map(|workers| batch(bench, count, workers));
        counts.iter().flat_map(case).collect()
    },
};

const BATCH_COLUMNS: &[Column] =
    &[cost("ns each, cold"), cost("ns each, again"), aside("CPU ns each, cold")];

fn batch(bench: &Bench, count: usize, workers: usize) -> Case {
    let title = format!("{count} threads, {}", on(bench, workers));
    let run = move |bench: &Bench, peer: &Peer| {
        peer.holds(count)?;
        let settings = vec![("count", count.to_string())];
        let start = bench.start(peer, "batch", workers, settings)?;
        let found = Start { patience: PATIENCE, ..start }.measure()?;
        let keys = ["ns", "again_ns", "cpu_ns"];
        Ok::<Sample, _>(keys.map(|key| per_operation(&found, key)).into())
    };
    let rounds = if count > 10_000 { ONCE } else { EVERY };
    Case { scene: "batch", title, columns: BATCH_COLUMNS, rounds, run: Run::alone(run) }
}

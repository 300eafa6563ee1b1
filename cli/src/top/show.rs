//! What was counted, as a text.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Write as _;
use std::time::Duration;

use sylvan_sight::shown::{NAME, cell, shown};
use sylvan_sight::threads::{Done, State, Thread, Worker};

use super::sample::{Busy, OsThread, RuntimeSample, Sample};
use crate::see::Process;

/// So many of the busiest threads are shown, and of the OS threads that are no workers.
const BUSIEST: usize = 15;
const OTHERS: usize = 5;

/// What a process does, by the last look; and since the one before, with who ran in between, if there was one.
pub(super) fn text(process: &Process, now: &Sample, since: Option<(&Sample, &Busy)>) -> String {
    let mut text = String::new();
    for (place, its) in now.runtimes.iter().enumerate() {
        let before = since.map(|(before, busy)| Before {
            its: &before.runtimes[place],
            os_threads: &before.os_threads,
            lasted: now.at.duration_since(before.at),
            place,
            busy,
        });
        let (whose, object) = (process.whose(), process.runtimes[place].object.display());
        let stopped = if process.is_stopped() { ", stopped" } else { "" };
        let (n_threads, n_workers) = (its.threads.len(), its.workers.len());
        let n_os_threads = match now.os_threads.len() {
            0 => String::new(),
            n => format!(", {n} OS threads"),
        };
        let _ = writeln!(
            text,
            "{whose}{stopped}: {n_threads} green threads, {n_workers} workers{n_os_threads} (runtime in {object})"
        );
        its.show(process, now, before.as_ref(), &mut text);
    }
    text
}

/// An earlier look at a runtime, and what was seen since.
struct Before<'a> {
    its: &'a RuntimeSample,
    os_threads: &'a BTreeMap<u32, OsThread>,
    lasted: Duration,
    place: usize,
    busy: &'a Busy,
}

impl Before<'_> {
    /// How many a second.
    fn per_second(&self, n: u64) -> String {
        format!("{:.0}", n as f64 / self.lasted.as_secs_f64())
    }

    /// For which part of the time an OS thread ran, and waited for a processor.
    fn load(&self, number: u32, now: &OsThread) -> Option<[f64; 2]> {
        let before = self.os_threads.get(&number)?;
        let part = |ns: u64| ns as f64 / self.lasted.as_nanos() as f64;
        let ran = now.ran_ns.saturating_sub(before.ran_ns);
        Some([part(ran), part(now.waited_ns.saturating_sub(before.waited_ns))])
    }

    /// What a core has done.
    fn done(&self, worker: &Worker) -> Option<Done> {
        let before = self.its.workers.iter().find(|it| it.core == worker.core)?;
        Some(worker.counts.since(&before.counts))
    }
}

impl RuntimeSample {
    fn show(
        &self,
        process: &Process,
        now: &Sample,
        before: Option<&Before<'_>>,
        text: &mut String,
    ) {
        if let Some(before) = before {
            let done: Vec<_> = self.workers.iter().filter_map(|it| before.done(it)).collect();
            let sum = |of: fn(&Done) -> u64| done.iter().map(of).sum::<u64>();
            let n_spawned = self.n_spawned.saturating_sub(before.its.n_spawned);
            let n_runs = sum(|it| it.n_runs);
            let _ = writeln!(
                text,
                "a second: {} switches ({} first ones, {} after a wake-up or a yield), {} steals, {} hand-overs",
                before.per_second(n_runs),
                before.per_second(n_spawned.min(n_runs)),
                before.per_second(n_runs.saturating_sub(n_spawned)),
                before.per_second(sum(|it| it.n_steals)),
                before.per_second(sum(|it| it.n_takes)),
            );
        }
        let _ = writeln!(text, "{}\n", counted(&self.threads));
        self.show_workers(now, before, text);
        if let Some(before) = before {
            self.show_others(now, before, text);
            self.show_busiest(process, before, text);
        }
    }

    fn show_workers(&self, now: &Sample, before: Option<&Before<'_>>, text: &mut String) {
        let _ = writeln!(
            text,
            "{:>4} {:>10}  {:<8} {:>5} {:>5} {:>6} {:>10} {:>8} {:>8} {:>8} {:>10}",
            "CORE",
            "OS THREAD",
            "DOES",
            "LOAD",
            "LATE",
            "QUEUE",
            "SWITCHES",
            "LOOKS",
            "EVENTS",
            "STEALS",
            "HAND-OVERS"
        );
        for worker in &self.workers {
            let os_thread = worker.os_thread.map_or("-".to_owned(), |it| it.to_string());
            let does = worker.doing.map_or("", |doing| doing.text());
            let load = before
                .zip(worker.os_thread)
                .and_then(|(before, number)| before.load(number, now.os_threads.get(&number)?));
            let [load, late] = load.map_or(["-".to_owned(), "-".to_owned()], |it| it.map(percent));
            let done = before.and_then(|before| Some((before, before.done(worker)?)));
            let rate = |of: fn(&Done) -> u64| {
                let rate = done.as_ref().map(|(before, done)| before.per_second(of(done)));
                rate.unwrap_or_else(|| "-".to_owned())
            };
            let _ = writeln!(
                text,
                "{:>4} {os_thread:>10}  {does:<8} {load:>5} {late:>5} {:>6} {:>10} {:>8} {:>8} {:>8} {:>10}",
                worker.core,
                worker.n_queued,
                rate(|it| it.n_runs),
                rate(|it| it.n_looks),
                rate(|it| it.n_events),
                rate(|it| it.n_steals),
                rate(|it| it.n_takes),
            );
        }
        let _ = writeln!(
            text,
            "in the queue that all share: {}, waiting to run without a core: {}",
            self.n_shared, self.n_apart
        );
    }

    /// The OS threads that have no core, the busiest first.
    fn show_others(&self, now: &Sample, before: &Before<'_>, text: &mut String) {
        let workers: HashSet<_> = self.workers.iter().filter_map(|it| it.os_thread).collect();
        let others = now.os_threads.iter().filter(|(number, _)| !workers.contains(number));
        let mut others: Vec<_> = others
            .map(|(number, it)| (before.load(*number, it).map_or(0.0, |[ran, _]| ran), number, it))
            .collect();
        others.sort_by(|(one, ..), (other, ..)| other.total_cmp(one));
        let n_left = others.len().saturating_sub(OTHERS);
        let name = |(load, number, it): &(f64, &u32, &OsThread)| {
            format!("{} ({number}) {}", shown(&it.name), percent(*load))
        };
        let mut names: Vec<_> = others.iter().take(OTHERS).map(name).collect();
        names.extend((n_left > 0).then(|| format!("and {n_left} more")));
        if !names.is_empty() {
            let _ = writeln!(text, "OS threads beside the workers: {}", names.join(", "));
        }
    }

    /// The threads that ran most often when it was looked, and what they do now.
    fn show_busiest(&self, process: &Process, before: &Before<'_>, text: &mut String) {
        let ran = |thread: &Thread| before.busy.n_running.get(&(before.place, thread.id));
        let mut busiest: Vec<_> =
            self.threads.iter().filter_map(|it| Some((*ran(it)?, it))).collect();
        busiest.sort_by_key(|(n, thread)| (u32::MAX - n, thread.id));
        busiest.truncate(BUSIEST);
        // As `ps` says it, where any is to be told from others by that.
        let any_waits = busiest.iter().any(|(_, thread)| thread.state != State::Running);
        let account =
            if any_waits { process.account(&process.runtimes[before.place]).ok() } else { None };
        let _ = writeln!(
            text,
            "\n{:>5} {:>8}  {:<20}  {:<12}  WAITS FOR",
            "RAN", "ID", "NAME", "STATE"
        );
        for (n, Thread { id, name, state, reason, .. }) in busiest {
            let part = percent(f64::from(n) / f64::from(before.busy.n_looks.max(1)));
            let name = cell(name.as_deref().unwrap_or("-"), NAME);
            let row = account.as_ref().and_then(|account| Some((account, account.row(*id)?)));
            let (state, words) = match row {
                Some((account, row)) => (row.thread.state, account.words(row)),
                None => (*state, reason.map_or(String::new(), |reason| reason.text().to_owned())),
            };
            let state = state.text();
            let line = format!("{part:>5} {id:>8}  {name}  {state:<12}  {words}");
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
}

/// How many threads there are in each state, and wait for what; most of them first.
fn counted(threads: &[Thread]) -> String {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for Thread { state, reason, .. } in threads {
        *counts.entry((state.text(), reason.map_or("", |it| it.text()))).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by_key(|(_, n)| usize::MAX - n);
    let words = |((state, reason), n): &((&str, &str), usize)| match *reason {
        "" => format!("{n} {state}"),
        _ => format!("{n} {state} ({reason})"),
    };
    counts.iter().map(words).collect::<Vec<_>>().join(", ")
}

fn percent(part: f64) -> String {
    format!("{:.0} %", part * 100.0)
}

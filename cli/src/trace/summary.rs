//! A run as text: who waited longest for a processor, and for what else, and who computed longest.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::{self, Write};
use std::path::PathBuf;

use sylvan_sight::file::{About, Run, Why};
use sylvan_sight::history::{History, Span, State, Thread, Waker};
use sylvan_sight::shown;

use super::{Refusal, duration, load, parse};

/// Lines of each list, unless it is said otherwise.
const LONGEST: usize = 10;

/// `sylvan trace summary`.
pub(crate) fn main(args: Vec<OsString>) -> Result<(), Refusal> {
    let (path, [longest]) = parse(args, ["--longest"])?;
    let longest = match longest.as_ref().map(|text| text.to_string_lossy()) {
        None => LONGEST,
        Some(text) => text
            .parse()
            .map_err(|_| Refusal::Usage(format!("`--longest` expected a number, got `{text}`")))?,
    };
    let run = load(&path)?;
    let text = text(&run, &History::of(&run), longest);
    crate::print(&text).map_err(|error| Refusal::Output(PathBuf::from("the summary"), error))
}

/// The whole of it, with so many lines in each list.
#[must_use]
pub fn text(run: &Run, history: &History, longest: usize) -> String {
    let mut out = String::new();
    let summary = Summary { run, history, longest };
    summary.write(&mut out).expect("a string takes what is written to it");
    out
}

struct Summary<'a> {
    run: &'a Run,
    history: &'a History,
    longest: usize,
}

/// A thread's part of its life.
type Part<'a> = (&'a Thread, &'a Span);

/// How often something was waited for.
#[derive(Default)]
struct Waits<'a> {
    n: u64,
    total_ns: u64,
    longest: Option<Part<'a>>,
}

fn name(thread: &Thread) -> String {
    match &thread.name {
        Some(_) => shown::thread(thread.name.as_deref(), thread.id.into()),
        None => format!("thread {}", thread.id),
    }
}

impl<'a> Summary<'a> {
    fn write(&self, out: &mut String) -> fmt::Result {
        let (run, history) = (self.run, self.history);
        match &run.about {
            Some(About { program, pid, why, .. }) => {
                let why = match why {
                    Why::Exit => "when it ended",
                    Why::Signal => "at a signal",
                    Why::Asked => "when asked to",
                };
                writeln!(out, "{program} (process {pid}), written {why}")?;
            }
            None => writeln!(out, "a run of a process that is not known")?,
        }
        let n_events: usize = run.rings.iter().map(|ring| ring.moments.len()).sum();
        let n_lost: u64 = run.rings.iter().map(|ring| ring.n_lost).sum();
        let lasts = duration(history.end_ns.saturating_sub(history.begin_ns));
        write!(out, "{n_events} events")?;
        if n_lost > 0 {
            write!(out, " ({n_lost} before them were not kept)")?;
        }
        let (n, n_os) = (history.threads.len(), history.os_threads.len());
        writeln!(
            out,
            "; what follows is of the last {lasts}: {n} green threads on {n_os} OS threads"
        )?;
        self.waits_for_a_processor(out)?;
        self.waits(out)?;
        self.totals(out, "computed longest", |state| state == State::Running)?;
        self.totals(out, "longest in blocking sections", |state| state == State::Blocking)
    }

    fn parts(&self) -> impl Iterator<Item = Part<'a>> {
        let history = self.history;
        history
            .threads
            .iter()
            .flat_map(|thread| thread.spans.iter().map(move |span| (thread, span)))
    }

    fn waits_for_a_processor(&self, out: &mut String) -> fmt::Result {
        let mut parts: Vec<Part<'_>> =
            self.parts().filter(|(_, span)| span.state == State::Runnable).collect();
        parts.sort_by_key(|(_, span)| u64::MAX - span.lasted_ns());
        let Some(half) = parts.get(parts.len() / 2) else { return Ok(()) };
        let hundredth = parts[parts.len() / 100].1.lasted_ns();
        writeln!(
            out,
            "\nwaits for a processor: {}, half of them up to {}, 99 % up to {}; the longest",
            parts.len(),
            duration(half.1.lasted_ns()),
            duration(hundredth)
        )?;
        for (thread, span) in parts.iter().take(self.longest) {
            let waker = match span.waker {
                Some(Waker::Thread(id)) => match self.history.thread(id) {
                    Some(waker) => format!("woken by {}", name(waker)),
                    None => format!("woken by thread {id}"),
                },
                Some(Waker::OsThread) => "woken by an OS thread".to_owned(),
                Some(Waker::Event) => "woken by an event or a deadline".to_owned(),
                Some(Waker::Itself) => "it had let others run".to_owned(),
                None => String::new(),
            };
            let (lasted, at) = (duration(span.lasted_ns()), duration(span.begin_ns));
            writeln!(out, "{lasted:>10}  at {at:<9} {}, {waker}", name(thread))?;
        }
        Ok(())
    }

    fn waits(&self, out: &mut String) -> fmt::Result {
        let mut by_reason: BTreeMap<&str, Waits<'_>> = BTreeMap::new();
        for (thread, span) in self.parts() {
            if let State::Waiting(reason) = span.state {
                let waits = by_reason.entry(self.run.reason(reason)).or_default();
                waits.n += 1;
                waits.total_ns += span.lasted_ns();
                if waits.longest.is_none_or(|(_, longest)| longest.lasted_ns() < span.lasted_ns()) {
                    waits.longest = Some((thread, span));
                }
            }
        }
        let mut by_reason: Vec<_> = by_reason.into_iter().collect();
        if by_reason.is_empty() {
            return Ok(());
        }
        by_reason.sort_by_key(|(_, waits)| u64::MAX - waits.total_ns);
        writeln!(out, "\nother waits        number       in all      longest")?;
        for (reason, Waits { n, total_ns, longest }) in by_reason {
            let Some((thread, span)) = longest else { continue };
            let (total, lasted) = (duration(total_ns), duration(span.lasted_ns()));
            let (at, name) = (duration(span.begin_ns), name(thread));
            writeln!(out, "  {reason:<12} {n:>10} {total:>12} {lasted:>12}  {name}, at {at}")?;
        }
        Ok(())
    }

    fn totals(&self, out: &mut String, what: &str, is_it: impl Fn(State) -> bool) -> fmt::Result {
        let total = |thread: &'a Thread| {
            let spans = thread.spans.iter().filter(|span| is_it(span.state));
            let (n, sum, most) = spans.fold((0_u64, 0, 0), |(n, sum, most), span| {
                (n + 1, sum + span.lasted_ns(), most.max(span.lasted_ns()))
            });
            (thread, n, sum, most)
        };
        let mut all: Vec<_> = self.history.threads.iter().map(total).collect();
        all.retain(|(_, n, ..)| *n > 0);
        if all.is_empty() {
            return Ok(());
        }
        all.sort_by_key(|(_, _, sum, _)| u64::MAX - sum);
        writeln!(out, "\n{what}")?;
        for (thread, n, sum, most) in all.into_iter().take(self.longest) {
            let (sum, most, name) = (duration(sum), duration(most), name(thread));
            writeln!(out, "{sum:>10}  {name}, {n} times, {most} at a time at most")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use sylvan_sight::file::read;
    use sylvan_sight::synthetic::{self, Size};

    use super::*;

    #[test]
    fn a_run_is_summed_up() {
        let size = Size { n_threads: 100, n_events: 20_000, n_workers: 2 };
        let run = read(&synthetic::file(size)).unwrap();
        let text = text(&run, &History::of(&run), 3);
        for line in [
            "/usr/bin/synthetic (process 4711), written when it ended\n",
            ": 100 green threads on 2 OS threads\n",
            "\nwaits for a processor: ",
            "\ncomputed longest\n",
            "\nlongest in blocking sections\n",
        ] {
            assert!(text.contains(line), "{line:?} is in\n{text}");
        }
        for reason in synthetic::REASONS {
            assert!(text.contains(&format!("\n  {reason} ")), "{text}");
        }
        assert_eq!(text.lines().filter(|line| line.contains(" times, ")).count(), 6);
    }

    #[test]
    fn a_run_without_events_has_a_summary() {
        let whole = synthetic::file(Size { n_threads: 1, n_events: 1, n_workers: 1 });
        let run = read(&whole[..16]).unwrap();
        let text = text(&run, &History::of(&run), 3);
        assert!(text.contains("0 events; "), "{text}");
    }
}

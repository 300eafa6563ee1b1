//! A run as the page has it: bytes, which `page/data.js` reads in the same order.
//!
//! Numbers are LEB128; a text is its length and UTF-8; a list is its length and its items:
//!
//! ```text
//!   run        title, note, end, reasons, names, OS threads,
//!              number of threads, of spans of all of them, and the threads
//!   OS thread  name; spans from 0 on: state, length; marks: time since the one before, kind, count
//!   thread     number, name, spawner + 1 or 0, begin, its spans
//!   span       state, length; of 1 who did it: 0 an event or itself, 1 an OS thread, thread + 2;
//!              of 2, 3 and 4 the OS thread + 1, or 0
//!
//!   states of a thread     0 unknown  1 runnable  2 running  3 running without a core  4 blocking
//!                          5... waiting, by reason
//!   states of an OS thread 0 has no core  1 awake  2 asleep
//!   kinds of marks         0 a look that found events
//! ```
//!
//! Names, threads and OS threads are counted as they come, from 0. Times are nanoseconds since the first
//! moment that is known. What follows one another has no gaps, so that there are lengths alone: an event
//! takes five bytes or so.

use std::collections::HashMap;
use std::iter;

use sylvan_sight::file::Run;
use sylvan_sight::history::{Activity, History, OsThread, Place, Span, State, Thread, Waker};

const RUNNABLE: u8 = 1;
const RUNNING: u8 = 2;
const ALONE: u8 = 3;
const BLOCKING: u8 = 4;
const WAITING: u64 = 5;

const ABSENT: u8 = 0;
const AWAKE: u8 = 1;
const ASLEEP: u8 = 2;

const LOOK: u8 = 0;

/// Writes what a page is made of.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn number(&mut self, number: impl Into<u64>) {
        let mut rest: u64 = number.into();
        while rest > 127 {
            self.0.push(rest as u8 | 128);
            rest >>= 7;
        }
        self.0.push(rest as u8);
    }

    fn count(&mut self, count: usize) {
        self.number(count as u64);
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn texts<'a>(&mut self, texts: impl ExactSizeIterator<Item = &'a str>) {
        self.count(texts.len());
        texts.for_each(|text| self.text(text));
    }
}

/// Numbers of threads, of OS threads and of names, as the page counts them.
struct Indices<'a> {
    zero_ns: u64,
    threads: HashMap<u32, usize>,
    os_threads: HashMap<u32, usize>,
    /// When an OS thread had a core.
    cores: HashMap<u32, &'a OsThread>,
}

/// The run as the page has it.
pub(super) fn bytes(run: &Run) -> Vec<u8> {
    let history = History::of(run);
    let os_threads = os_threads(&history);
    let indices = Indices {
        zero_ns: history.begin_ns,
        threads: history.threads.iter().map(|thread| thread.id).zip(0..).collect(),
        os_threads: os_threads.iter().map(|&(id, _)| id).zip(0..).collect(),
        cores: history.os_threads.iter().map(|os_thread| (os_thread.id, os_thread)).collect(),
    };
    let mut names = Vec::new();
    let mut of_names: HashMap<&str, usize> = HashMap::new();
    for thread in &history.threads {
        let name = thread.name.as_deref().unwrap_or_default();
        of_names.entry(name).or_insert_with(|| {
            names.push(name);
            names.len() - 1
        });
    }
    let mut out = Bytes::default();
    out.text(title(run));
    out.text(&note(run, &history));
    out.number(history.end_ns - history.begin_ns);
    out.texts(run.reasons.iter().map(String::as_str));
    out.texts(names.iter().copied());
    out.count(os_threads.len());
    for (id, os_thread) in os_threads {
        os_thread_bytes(&mut out, id, os_thread, &history);
    }
    let threads: Vec<Vec<(u8, Span)>> =
        history.threads.iter().map(|thread| pieces(thread, &indices)).collect();
    out.count(threads.len());
    out.count(threads.iter().map(Vec::len).sum());
    for (thread, spans) in history.threads.iter().zip(&threads) {
        let name = thread.name.as_deref().unwrap_or_default();
        out.number(thread.id);
        out.count(of_names[name]);
        out.count(spawner(thread, &indices).map_or(0, |spawner| spawner + 1));
        out.number(spans.first().map_or(0, |(_, span)| span.begin_ns - indices.zero_ns));
        out.count(spans.len());
        for (state, span) in spans {
            span_bytes(&mut out, *state, span, &indices);
        }
    }
    out.0
}

fn title(run: &Run) -> &str {
    let program = run.about.as_ref().map_or("", |about| &about.program);
    program.rsplit('/').next().unwrap_or_default()
}

/// What a reader has to know of what is missing.
fn note(run: &Run, history: &History) -> String {
    let mut notes = Vec::new();
    if history.begin_ns > 0 && run.rings.iter().any(|ring| ring.n_lost > 0) {
        let seconds = history.begin_ns as f64 / 1e9;
        notes.push(format!("the last part: the trace had no room for the first {seconds:.3} s"));
    }
    if run.is_cut {
        notes.push("the file was cut off".to_owned());
    }
    notes.join(" · ")
}

/// All OS threads that anything happened on, those with a core first.
fn os_threads(history: &History) -> Vec<(u32, Option<&OsThread>)> {
    let mut all: Vec<(u32, Option<&OsThread>)> =
        history.os_threads.iter().map(|os_thread| (os_thread.id, Some(os_thread))).collect();
    let spans = history.threads.iter().flat_map(|thread| &thread.spans);
    let mut others: Vec<u32> = spans.filter_map(|span| Some(span.place?.os_thread)).collect();
    others.sort_unstable();
    others.dedup();
    others.retain(|id| history.os_threads.binary_search_by_key(id, |found| found.id).is_err());
    all.extend(others.into_iter().map(|id| (id, None)));
    all
}

fn os_thread_bytes(out: &mut Bytes, id: u32, os_thread: Option<&OsThread>, history: &History) {
    let zero_ns = history.begin_ns;
    let Some(os_thread) = os_thread else {
        out.text(&format!("OS thread {id}"));
        out.count(1);
        out.number(ABSENT);
        out.number(history.end_ns - zero_ns);
        out.count(0);
        return;
    };
    let mut cores: Vec<u32> = os_thread.spans.iter().map(|&(.., core)| core).collect();
    cores.sort_unstable();
    cores.dedup();
    let name = match cores[..] {
        [core] => format!("worker {core} ({id})"),
        _ => format!("worker ({id})"),
    };
    out.text(&name);
    let spans = states(os_thread, zero_ns, history.end_ns);
    out.count(spans.len());
    for (state, length_ns) in spans {
        out.number(state);
        out.number(length_ns);
    }
    let found = || os_thread.looks.iter().filter(|&&(_, n_events)| n_events > 0);
    out.count(found().count());
    let mut last_ns = zero_ns;
    for &(at_ns, n_events) in found() {
        out.number(at_ns - last_ns);
        out.number(LOOK);
        out.number(n_events);
        last_ns = at_ns;
    }
}

/// What an OS thread did from the first moment to the last, without a gap.
fn states(os_thread: &OsThread, zero_ns: u64, end_ns: u64) -> Vec<(u8, u64)> {
    // At the same time it falls asleep after it has got a core, and awakes before it loses that.
    let mut turns: Vec<(u64, u8)> = Vec::new();
    for &(begin_ns, until_ns, what, _) in &os_thread.spans {
        match what {
            Activity::Core => turns.extend([(begin_ns, AWAKE), (until_ns, ABSENT)]),
            Activity::Sleep => turns.extend([(begin_ns, ASLEEP), (until_ns, AWAKE)]),
        }
    }
    turns.sort_by_key(|&(at_ns, _)| at_ns);
    let ends = turns.iter().skip(1).map(|&(at_ns, _)| at_ns).chain(iter::once(end_ns));
    let first_ns = turns.first().map_or(end_ns, |&(at_ns, _)| at_ns);
    let before = (ABSENT, first_ns - zero_ns);
    let rest = turns.iter().zip(ends).map(|(&(at_ns, state), end_ns)| (state, end_ns - at_ns));
    iter::once(before).chain(rest).filter(|&(_, length_ns)| length_ns > 0).collect()
}

/// Who has spawned a thread, if that was recorded.
fn spawner(thread: &Thread, indices: &Indices<'_>) -> Option<usize> {
    thread.spawned_ns?;
    match thread.spans.first()?.waker? {
        Waker::Thread(id) => indices.threads.get(&id).copied(),
        Waker::OsThread | Waker::Event | Waker::Itself => None,
    }
}

/// A thread's spans with their states; a run is in two parts where the core was handed on in it.
fn pieces(thread: &Thread, indices: &Indices<'_>) -> Vec<(u8, Span)> {
    let mut pieces = Vec::with_capacity(thread.spans.len());
    for &span in &thread.spans {
        let state = match span.state {
            State::Runnable => RUNNABLE,
            State::Running => RUNNING,
            State::Blocking => BLOCKING,
            State::Waiting(reason) => (WAITING + u64::from(reason)).min(254) as u8,
        };
        let alone_ns = span.place.and_then(|place| without_core_from(&span, place, indices));
        match alone_ns.filter(|_| state == RUNNING) {
            Some(at_ns) => {
                if at_ns > span.begin_ns {
                    pieces.push((state, Span { end_ns: at_ns, ..span }));
                }
                pieces.push((ALONE, Span { begin_ns: at_ns, ..span }));
            }
            None => pieces.push((state, span)),
        }
    }
    pieces
}

/// From when on in a run its OS thread had no core.
fn without_core_from(span: &Span, place: Place, indices: &Indices<'_>) -> Option<u64> {
    let os_thread = indices.cores.get(&place.os_thread)?;
    // In the order of when they begin.
    let at = os_thread.spans.partition_point(|&(begin_ns, ..)| begin_ns <= span.begin_ns);
    let mut before = os_thread.spans[..at].iter().rev();
    let last = before.find(|(_, _, what, _)| *what == Activity::Core);
    let until_ns = last.map_or(span.begin_ns, |&(_, until_ns, ..)| until_ns.max(span.begin_ns));
    (until_ns < span.end_ns).then_some(until_ns)
}

fn span_bytes(out: &mut Bytes, state: u8, span: &Span, indices: &Indices<'_>) {
    out.number(state);
    out.number(span.lasted_ns());
    match state {
        RUNNABLE => out.count(match span.waker {
            Some(Waker::Thread(id)) => indices.threads.get(&id).map_or(0, |thread| thread + 2),
            Some(Waker::OsThread) => 1,
            Some(Waker::Event | Waker::Itself) | None => 0,
        }),
        RUNNING | ALONE | BLOCKING => {
            let place = span.place.and_then(|place| indices.os_threads.get(&place.os_thread));
            out.count(place.map_or(0, |place| place + 1));
        }
        _ => {}
    }
}

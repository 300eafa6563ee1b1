//! What a tracer wrote, as a list of calls.
//!
//! A tracer writes a call in one line if nothing happened meanwhile. Otherwise `strace` writes one
//! line when it begins (`… <unfinished ...>`) and one when it ends (`<... recvfrom resumed> …`).
//! The formats' own modules turn a line into an [`Event`]; here the two halves meet. A call that
//! never ended is a call too, and the one that matters most: it lasted until its thread was gone
//! or the trace ended.

mod dtruss;
mod strace;

use std::collections::{BTreeSet, HashMap};
use std::io::{self, BufRead};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Who wrote a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `strace -f -y -ttt -T`: times are since the epoch.
    Strace,
    /// `dtruss -f -d -e`: times are since the tracer's start; a call that never ends is not shown.
    Dtruss,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With this value.
    Value(i64),
    /// With an error, by its name (`EAGAIN`); by its number where the tracer gives only that.
    Error(Box<str>),
    /// Not at all, or the tracer could not tell.
    Unknown,
}

/// One system call of one OS thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The OS thread's id.
    pub thread: u64,
    /// The call's name.
    pub name: Box<str>,
    /// The arguments as the tracer wrote them, without the parentheses.
    pub args: Box<str>,
    /// When it began, on the tracer's clock.
    pub start: Duration,
    /// How long it took.
    pub took: Duration,
    /// How it ended.
    pub outcome: Outcome,
}

impl Call {
    /// Returns whether the call failed with the error of this name.
    pub fn failed_with(&self, error: &str) -> bool {
        matches!(&self.outcome, Outcome::Error(name) if **name == *error)
    }

    /// Returns whether this call started a thread of the same process.
    pub fn starts_thread(&self) -> bool {
        match &*self.name {
            "clone" | "clone3" => self.args.contains("CLONE_THREAD") && self.succeeded(),
            "bsdthread_create" => self.succeeded(),
            _ => false,
        }
    }

    /// Returns the id of the process this call started.
    pub fn starts_process(&self) -> Option<u64> {
        match (&*self.name, &self.outcome) {
            ("fork" | "vfork" | "clone" | "clone3", Outcome::Value(id))
                if *id > 0 && !self.starts_thread() =>
            {
                u64::try_from(*id).ok()
            }
            _ => None,
        }
    }

    /// Returns whether the call ended without an error.
    pub fn succeeded(&self) -> bool {
        matches!(self.outcome, Outcome::Value(_))
    }
}

/// One line of a trace.
#[derive(Debug, PartialEq, Eq)]
struct Line<'a> {
    process: u64,
    thread: u64,
    time: Duration,
    event: Event<'a>,
}

#[derive(Debug, PartialEq, Eq)]
enum Event<'a> {
    /// A call from its beginning to its end.
    Whole { name: &'a str, args: &'a str, outcome: Outcome, took: Duration },
    /// The first half of a call.
    Begun { name: &'a str, args: &'a str },
    /// The second half: the rest of the arguments, and how it ended.
    Ended { args: &'a str, outcome: Outcome, took: Duration },
    /// The thread is gone.
    Gone,
}

/// All that a tracer wrote about a program.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    calls: Vec<Call>,
    main: Option<u64>,
    processes: BTreeSet<u64>,
    gone: Vec<(u64, Duration)>,
    end: Duration,
}

impl Trace {
    /// Reads a trace. Lines that are no part of one, such as the program's own output, are
    /// skipped.
    ///
    /// # Errors
    ///
    /// Those of `input`.
    pub fn read(mut input: impl BufRead, format: Format) -> io::Result<Self> {
        let mut trace = Self::default();
        let mut begun = HashMap::new();
        let mut line = Vec::new();
        while input.read_until(b'\n', &mut line)? > 0 {
            let text = String::from_utf8_lossy(&line);
            let parsed = match format {
                Format::Strace => strace::parse(text.trim_end()),
                Format::Dtruss => dtruss::parse(text.trim_end()),
            };
            if let Some(parsed) = parsed {
                trace.take(parsed, &mut begun);
            }
            line.clear();
        }
        let end = trace.end;
        for call in begun.into_values() {
            trace.calls.push(unfinished(call, end));
        }
        trace.calls.sort_by_key(|call| call.start);
        Ok(trace)
    }

    fn take(&mut self, line: Line<'_>, begun: &mut HashMap<u64, Call>) {
        let Line { process, thread, time, event } = line;
        if self.main.is_none() {
            self.main = Some(thread);
            self.processes.insert(process);
        }
        self.end = self.end.max(time);
        let call = match event {
            Event::Begun { name, args } => {
                let (name, args, outcome) = (name.into(), args.into(), Outcome::Unknown);
                let took = Duration::ZERO;
                begun.insert(thread, Call { thread, name, args, start: time, took, outcome });
                return;
            }
            Event::Whole { name, args, outcome, took } => {
                Call { thread, name: name.into(), args: args.into(), start: time, took, outcome }
            }
            Event::Ended { args, outcome, took } => {
                // A tracer that came late may see only the end.
                let Some(call) = begun.remove(&thread) else { return };
                Call { args: format!("{}{args}", call.args).into(), outcome, took, ..call }
            }
            Event::Gone => {
                self.gone.push((thread, time));
                self.processes.remove(&thread);
                self.calls.extend(begun.remove(&thread).map(|call| unfinished(call, time)));
                return;
            }
        };
        self.processes.extend(call.starts_process());
        self.calls.push(call);
    }

    /// Returns the calls, by the time they began.
    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    /// Returns the program's first thread.
    pub fn main(&self) -> Option<u64> {
        self.main
    }

    /// Returns the processes that had not ended when the trace did.
    pub fn processes(&self) -> impl Iterator<Item = u64> {
        self.processes.iter().copied()
    }

    /// Returns the threads that ended, and when.
    pub fn gone(&self) -> &[(u64, Duration)] {
        &self.gone
    }

    /// Returns when the trace ended, on the tracer's clock.
    pub fn end(&self) -> Duration {
        self.end
    }

    /// Returns the calls that began or ended within these two moments. The trace must be one
    /// whose times are since the epoch.
    ///
    /// # Panics
    ///
    /// If a moment is before the epoch.
    pub fn active_between(&self, from: SystemTime, to: SystemTime) -> impl Iterator<Item = &Call> {
        let since_epoch =
            |time: SystemTime| time.duration_since(UNIX_EPOCH).expect("a time after the epoch");
        let window = since_epoch(from)..since_epoch(to);
        self.calls.iter().filter(move |call| {
            window.contains(&call.start) || window.contains(&(call.start + call.took))
        })
    }
}

fn unfinished(call: Call, end: Duration) -> Call {
    Call { took: end.saturating_sub(call.start), ..call }
}

#[cfg(test)]
mod tests;

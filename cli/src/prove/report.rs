//! What a trace shows, in numbers, and the verdict.
//!
//! A call *blocked* its OS thread if it took longer than [`LONG`], unless it is the wait of an
//! event loop. Blocked socket calls tell the two kinds of program apart: threads that wait for
//! their clients in the kernel have them, green threads do not. The first thread of a process may
//! block: `main` is an ordinary thread in both kinds.
//!
//! The verdict looks at three things: somebody waits for events, no thread but `main` blocks in
//! a socket call, and there are no more OS threads than processors need.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt;
use std::time::Duration;

use super::{Call, Outcome, Trace};

/// Far above what tracing costs a call, far below what an idle client takes.
const LONG: Duration = Duration::from_millis(100);

/// OS threads that a runtime may have beside one for each processor.
const HELPERS: usize = 4;

/// Calls that wait for many descriptors at once.
const EVENT_LOOP: [&str; 6] =
    ["epoll_wait", "epoll_pwait", "epoll_pwait2", "kevent", "kevent64", "kevent_qos"];

/// Calls that read, and say `EAGAIN` where there is nothing to read.
const READS: [&str; 5] = ["read", "readv", "recvfrom", "recvmsg", "recvmmsg"];

/// Calls that only a socket has.
const SOCKET_CALLS: [&str; 9] = [
    "accept", "accept4", "connect", "recvfrom", "recvmsg", "recvmmsg", "sendto", "sendmsg",
    "sendmmsg",
];

/// Calls that took long, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blocked {
    /// How many there were.
    pub calls: usize,
    /// The OS threads they blocked.
    pub threads: BTreeSet<u64>,
    /// How long the longest took.
    pub longest: Duration,
}

impl Blocked {
    fn add(&mut self, call: &Call) {
        self.calls += 1;
        self.threads.insert(call.thread);
        self.longest = self.longest.max(call.took);
    }
}

/// What a trace shows.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// All system calls.
    pub calls: usize,
    /// Processes, the first one included.
    pub processes: usize,
    /// OS threads started beside the first of each process.
    pub threads: usize,
    /// How many of these there were at most at one time.
    pub threads_at_once: usize,
    /// How many of these the process with the most of them started.
    pub threads_in_one: usize,
    /// How many of these a process may need that is an event loop.
    pub threads_allowed: usize,
    /// Connections accepted.
    pub connections: usize,
    /// Waits of an event loop, by name.
    pub event_loop: BTreeMap<String, usize>,
    /// Reads that said `EAGAIN`.
    pub empty_reads: usize,
    /// Socket calls that blocked the first thread of a process.
    pub blocked_main: BTreeMap<String, Blocked>,
    /// Socket calls that blocked any other thread.
    pub blocked_sockets: BTreeMap<String, Blocked>,
    /// Anything else that blocked any other thread: futexes, sleeps, files.
    pub blocked_elsewhere: BTreeMap<String, Blocked>,
}

/// Whether a program is an event loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    EventLoop,
    /// It is not, for these reasons.
    OsThreads(Vec<String>),
    /// The trace shows no work on sockets.
    NothingSeen,
}

impl Report {
    /// Counts what a trace shows; `processors` is how many the program may run on.
    pub fn new(trace: &Trace, processors: usize) -> Self {
        let mut report = Self { calls: trace.calls().len(), ..Self::default() };
        let firsts: BTreeSet<u64> =
            trace.calls().iter().filter_map(Call::starts_process).chain(trace.main()).collect();
        for call in trace.calls() {
            report.count(call, firsts.contains(&call.thread));
        }
        report.processes = firsts.len();
        report.threads_allowed = processors + HELPERS;
        report.threads_in_one = threads_in_one_process(trace);
        report.threads_at_once = threads_at_once(trace, &firsts);
        report
    }

    fn count(&mut self, call: &Call, main: bool) {
        let name = &*call.name;
        self.threads += usize::from(call.starts_thread());
        self.connections += usize::from(name.starts_with("accept") && call.succeeded());
        self.empty_reads += usize::from(READS.contains(&name) && call.failed_with("EAGAIN"));
        if EVENT_LOOP.contains(&name) {
            *self.event_loop.entry(name.to_owned()).or_default() += 1;
        } else if call.took >= LONG && may_block(call) {
            let blocked = match (is_of_a_socket(call), main) {
                (true, true) => &mut self.blocked_main,
                (true, false) => &mut self.blocked_sockets,
                (false, true) => return,
                (false, false) => &mut self.blocked_elsewhere,
            };
            blocked.entry(name.to_owned()).or_default().add(call);
        }
    }

    /// Returns the verdict.
    pub fn verdict(&self) -> Verdict {
        let blocked = threads(&self.blocked_sockets);
        if self.connections == 0 && self.event_loop.is_empty() && blocked == 0 {
            return Verdict::NothingSeen;
        }
        let mut reasons = Vec::new();
        if self.event_loop.is_empty() {
            reasons.push("nobody waits for events".to_owned());
        }
        if blocked > 0 {
            reasons.push(format!("{} blocked in socket calls", count(blocked, "OS thread")));
        }
        if self.threads_in_one > self.threads_allowed {
            reasons.push(format!(
                "{} started in one process, where {} do",
                count(self.threads_in_one, "OS thread"),
                self.threads_allowed
            ));
        }
        if reasons.is_empty() { Verdict::EventLoop } else { Verdict::OsThreads(reasons) }
    }
}

/// A call that must not wait may still take long, where the machine or the tracer is busy.
fn may_block(call: &Call) -> bool {
    !call.failed_with("EAGAIN") && !call.args.contains("MSG_DONTWAIT")
}

fn is_of_a_socket(call: &Call) -> bool {
    SOCKET_CALLS.contains(&&*call.name)
        || ["read", "readv", "write", "writev"].contains(&&*call.name)
            && call.args.split(',').next().is_some_and(|fd| fd.contains("<socket:"))
}

/// The highest number of threads that one process started.
fn threads_in_one_process(trace: &Trace) -> usize {
    let mut process_of = HashMap::new();
    let mut threads: HashMap<u64, usize> = HashMap::new();
    // A thread's first call comes after the call that started it.
    for call in trace.calls().iter().filter(|call| call.starts_thread()) {
        let process = process_of.get(&call.thread).copied().unwrap_or(call.thread);
        *threads.entry(process).or_default() += 1;
        if let Outcome::Value(id) = call.outcome {
            process_of.insert(id.cast_unsigned(), process);
        }
    }
    threads.into_values().max().unwrap_or(0)
}

/// The highest number of threads, beside the first of each process, that were there at one time.
fn threads_at_once(trace: &Trace, firsts: &BTreeSet<u64>) -> usize {
    let started =
        trace.calls().iter().filter(|call| call.starts_thread()).map(|call| (call.start, 1));
    let gone = trace
        .gone()
        .iter()
        .filter(|(thread, _)| !firsts.contains(thread))
        .map(|(_, time)| (*time, -1));
    let mut changes: Vec<(Duration, isize)> = started.chain(gone).collect();
    changes.sort();
    let mut now = 0;
    let at_once = changes.into_iter().map(|(_, change)| {
        now += change;
        now
    });
    at_once.max().unwrap_or(0).unsigned_abs()
}

fn threads(blocked: &BTreeMap<String, Blocked>) -> usize {
    blocked.values().flat_map(|blocked| &blocked.threads).collect::<BTreeSet<_>>().len()
}

/// `1 call`, `1,000 calls`.
pub(crate) fn count(n: usize, noun: &str) -> String {
    let plural = match noun {
        _ if n == 1 => "",
        "process" => "es",
        _ => "s",
    };
    format!("{} {noun}{plural}", grouped(n))
}

/// `1,000`.
fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |title: &str, text: String| writeln!(f, "{title:<13} {text}");
        let (calls, processes) = (self.calls, self.processes);
        line("traced", format!("{} of {}", count(calls, "call"), count(processes, "process")))?;
        line(
            "OS threads",
            format!(
                "{} started beside main, at most {} at once",
                count(self.threads, "thread"),
                grouped(self.threads_at_once)
            ),
        )?;
        line("served", count(self.connections, "connection"))?;
        let waits: Vec<_> =
            self.event_loop.iter().map(|(name, n)| count(*n, &format!("{name} call"))).collect();
        line("event loop", some_or(waits, "no epoll_wait, no kevent"))?;
        line("empty reads", format!("{} said EAGAIN", count(self.empty_reads, "read")))?;
        line("blocked", some_or(blocked(&self.blocked_sockets), "no thread in a socket call"))?;
        for (title, which) in
            [("  elsewhere", &self.blocked_elsewhere), ("  in main", &self.blocked_main)]
        {
            if !which.is_empty() {
                line(title, some_or(blocked(which), ""))?;
            }
        }
        line("verdict", self.verdict().to_string())
    }
}

fn some_or(parts: Vec<String>, none: &str) -> String {
    if parts.is_empty() { none.to_owned() } else { parts.join("; ") }
}

fn blocked(which: &BTreeMap<String, Blocked>) -> Vec<String> {
    let text = |(name, blocked): (&String, &Blocked)| {
        let calls = count(blocked.calls, &format!("{name} call"));
        let threads = count(blocked.threads.len(), "OS thread");
        format!("{calls} in {threads}, up to {:.1} s", blocked.longest.as_secs_f64())
    };
    which.iter().map(text).collect()
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EventLoop => f.write_str("an event loop"),
            Self::OsThreads(reasons) => write!(f, "NOT an event loop: {}", reasons.join("; ")),
            Self::NothingSeen => f.write_str("none: no work on sockets was seen"),
        }
    }
}

#[cfg(test)]
mod tests;

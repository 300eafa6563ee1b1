//! A run as a file for Perfetto (ui.perfetto.dev, `trace_processor`): track events in protocol buffers.
//!
//! ```text
//!   process
//!     an OS thread each       what it ran, blocking sections, its sleep, its looks at the event loop
//!     threads of one name     "client-1", "client-2", ... are of one
//!       a green thread each   running, runnable, waiting by its reason, blocking
//! ```
//!
//! An arrow leads from who wakes a thread to the run that comes of it: a flow.
//!
//! The file is a sequence of packets. Of protocol buffers this needs three kinds of fields: numbers, numbers
//! of eight bytes, and bytes with their length. The numbers of the fields are those of Perfetto's
//! `trace_packet.proto`, `track_event.proto`, and `track_descriptor.proto`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

use sylvan_sight::file::Run;
use sylvan_sight::history::{Activity, History, OsThread, Place, State, Thread, Waker};

use super::{Refusal, load, parse};

/// `sylvan trace export`.
pub(crate) fn main(args: Vec<OsString>) -> Result<(), Refusal> {
    let (path, [output]) = parse(args, ["-o"])?;
    let output = output.ok_or_else(|| Refusal::Usage("expected `-o` and a file".to_owned()))?;
    let output = PathBuf::from(output);
    let run = load(&path)?;
    let result = File::create(&output).and_then(|file| {
        let mut out = BufWriter::new(file);
        write(&run, &History::of(&run), &mut out)?;
        out.flush()
    });
    result.map_err(|error| Refusal::Output(output, error))
}

/// A message in the making.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(mut self, field: u32, value: u64) -> Self {
        self.varint(u64::from(field) << 3);
        self.varint(value);
        self
    }

    fn fixed(mut self, field: u32, value: u64) -> Self {
        self.varint(u64::from(field) << 3 | 1);
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u32, bytes: &[u8]) -> Self {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn text(self, field: u32, text: &str) -> Self {
        self.bytes(field, text.as_bytes())
    }

    fn message(self, field: u32, message: Self) -> Self {
        self.bytes(field, &message.0)
    }
}

mod packet {
    pub(super) const TIMESTAMP: u32 = 8;
    pub(super) const SEQUENCE: u32 = 10;
    pub(super) const TRACK_EVENT: u32 = 11;
    pub(super) const TRACK_DESCRIPTOR: u32 = 60;
}

mod event {
    pub(super) const TYPE: u32 = 9;
    pub(super) const TRACK: u32 = 11;
    pub(super) const CATEGORY: u32 = 22;
    pub(super) const NAME: u32 = 23;
    pub(super) const FLOW: u32 = 47;
    pub(super) const LAST_FLOW: u32 = 48;

    pub(super) const BEGIN: u64 = 1;
    pub(super) const END: u64 = 2;
    pub(super) const INSTANT: u64 = 3;
}

mod track {
    pub(super) const UUID: u32 = 1;
    pub(super) const NAME: u32 = 2;
    pub(super) const PROCESS: u32 = 3;
    pub(super) const THREAD: u32 = 4;
    pub(super) const PARENT: u32 = 5;

    /// Of a process's and of a thread's descriptor.
    pub(super) const PID: u32 = 1;
    pub(super) const TID: u32 = 2;
    pub(super) const THREAD_NAME: u32 = 5;
    pub(super) const PROCESS_NAME: u32 = 6;
}

/// Tracks by number: the process, then OS threads, groups, and green threads, each above a number of their
/// own.
const PROCESS: u64 = 1;
const OS_THREADS: u64 = 1 << 40;
const GROUPS: u64 = 2 << 40;
const THREADS: u64 = 3 << 40;

struct Exporter<W> {
    out: W,
}

/// Writes a run.
///
/// # Errors
///
/// Those of `out`.
pub fn write(run: &Run, history: &History, out: impl Write) -> io::Result<()> {
    let mut exporter = Exporter { out };
    // Without it there is nothing else either.
    let (pid, program) = run.about.as_ref().map_or((0, ""), |it| (it.pid, &*it.program));
    let process =
        Message::default().number(track::PID, pid.into()).text(track::PROCESS_NAME, program);
    let descriptor = Message::default().number(track::UUID, PROCESS);
    exporter.track(descriptor.message(track::PROCESS, process))?;
    let mut runs: BTreeMap<u32, Vec<OnOsThread<'_>>> = BTreeMap::new();
    for thread in &history.threads {
        for span in &thread.spans {
            if let Some(Place { os_thread, .. }) = span.place {
                let is_section = span.state == State::Blocking;
                let part =
                    OnOsThread { begin_ns: span.begin_ns, end_ns: span.end_ns, thread, is_section };
                runs.entry(os_thread).or_default().push(part);
            }
        }
    }
    for os_thread in &history.os_threads {
        let runs = runs.remove(&os_thread.id).unwrap_or_default();
        exporter.os_thread(pid, os_thread, runs)?;
    }
    let mut groups: BTreeMap<String, Vec<&Thread>> = BTreeMap::new();
    for thread in &history.threads {
        groups.entry(group(thread)).or_default().push(thread);
    }
    let mut wakes: BTreeMap<u32, Vec<Wake>> = BTreeMap::new();
    for thread in &history.threads {
        for (i, span) in thread.spans.iter().enumerate() {
            if let (State::Runnable, Some(Waker::Thread(waker))) = (span.state, span.waker) {
                let (at_ns, woken) = (span.begin_ns, thread.id);
                wakes.entry(waker).or_default().push(Wake { at_ns, woken, flow: flow(woken, i) });
            }
        }
    }
    for (number, (name, threads)) in (0..).zip(groups) {
        let uuid = GROUPS + number;
        let descriptor = Message::default()
            .number(track::UUID, uuid)
            .number(track::PARENT, PROCESS)
            .text(track::NAME, &format!("{name} ({})", threads.len()));
        exporter.track(descriptor)?;
        for thread in threads {
            let wakes = wakes.remove(&thread.id).unwrap_or_default();
            exporter.thread(run, history, uuid, thread, &wakes)?;
        }
    }
    Ok(())
}

/// A run or a blocking section on an OS thread.
struct OnOsThread<'a> {
    begin_ns: u64,
    end_ns: u64,
    thread: &'a Thread,
    is_section: bool,
}

/// A thread is woken by another.
struct Wake {
    at_ns: u64,
    woken: u32,
    flow: u64,
}

/// The number of an arrow: of who is woken, and of the part of its life that begins with that.
fn flow(woken: u32, part: usize) -> u64 {
    u64::from(woken) << 32 | part as u64
}

/// Threads whose names differ in numbers alone belong together.
fn group(thread: &Thread) -> String {
    let Some(name) = &thread.name else { return "unnamed threads".to_owned() };
    let mut out = String::new();
    for c in name.chars() {
        if !c.is_ascii_digit() {
            out.push(c);
        } else if !out.ends_with('*') {
            out.push('*');
        }
    }
    out
}

fn title(thread: &Thread) -> String {
    match &thread.name {
        Some(name) => format!("{name} ({})", thread.id),
        None => format!("thread {}", thread.id),
    }
}

impl<W: Write> Exporter<W> {
    fn packet(&mut self, packet: Message) -> io::Result<()> {
        // One that writes all: events of a track are in the order of the file.
        let packet = packet.number(packet::SEQUENCE, 1);
        self.out.write_all(&Message::default().message(1, packet).0)
    }

    fn track(&mut self, descriptor: Message) -> io::Result<()> {
        self.packet(Message::default().message(packet::TRACK_DESCRIPTOR, descriptor))
    }

    fn event(&mut self, at_ns: u64, track: u64, kind: u64, rest: Message) -> io::Result<()> {
        let mut event = Message::default().number(event::TYPE, kind).number(event::TRACK, track);
        event.0.extend_from_slice(&rest.0);
        let packet = Message::default().number(packet::TIMESTAMP, at_ns);
        self.packet(packet.message(packet::TRACK_EVENT, event))
    }

    fn begin(&mut self, at_ns: u64, track: u64, category: &str, name: &str) -> io::Result<()> {
        self.event(at_ns, track, event::BEGIN, named(category, name))
    }

    fn end(&mut self, at_ns: u64, track: u64) -> io::Result<()> {
        self.event(at_ns, track, event::END, Message::default())
    }

    fn os_thread(
        &mut self,
        pid: u32,
        os_thread: &OsThread,
        runs: Vec<OnOsThread<'_>>,
    ) -> io::Result<()> {
        let uuid = OS_THREADS + u64::from(os_thread.id);
        let cores: std::collections::BTreeSet<u32> =
            os_thread.spans.iter().map(|&(.., core)| core).collect();
        let cores: Vec<String> = cores.iter().map(u32::to_string).collect();
        let name = format!("worker, core {}", cores.join(", "));
        let thread = Message::default()
            .number(track::PID, pid.into())
            .number(track::TID, os_thread.id.into())
            .text(track::THREAD_NAME, &name);
        let descriptor =
            Message::default().number(track::UUID, uuid).number(track::PARENT, PROCESS);
        self.track(descriptor.message(track::THREAD, thread))?;
        // Nothing of these overlaps: a run is over when a worker sleeps.
        let mut parts: Vec<(u64, u64, &str, String)> = Vec::new();
        for run in &runs {
            let category = if run.is_section { "blocking" } else { "run" };
            let title = if run.is_section {
                format!("{}: blocking", title(run.thread))
            } else {
                title(run.thread)
            };
            parts.push((run.begin_ns, run.end_ns, category, title));
        }
        for &(begin_ns, end_ns, what, _) in &os_thread.spans {
            if what == Activity::Sleep {
                parts.push((begin_ns, end_ns, "sleep", "sleep".to_owned()));
            }
        }
        parts.sort();
        for (begin_ns, end_ns, category, name) in parts {
            self.begin(begin_ns, uuid, category, &name)?;
            self.end(end_ns, uuid)?;
        }
        for &(at_ns, n) in &os_thread.looks {
            let rest = named("look", &format!("{n} events"));
            self.event(at_ns, uuid, event::INSTANT, rest)?;
        }
        Ok(())
    }

    fn thread(
        &mut self,
        run: &Run,
        history: &History,
        group: u64,
        thread: &Thread,
        wakes: &[Wake],
    ) -> io::Result<()> {
        let uuid = THREADS + u64::from(thread.id);
        let descriptor = Message::default()
            .number(track::UUID, uuid)
            .number(track::PARENT, group)
            .text(track::NAME, &title(thread));
        self.track(descriptor)?;
        for (i, span) in thread.spans.iter().enumerate() {
            let (category, name) = match span.state {
                State::Runnable => ("runnable", "runnable"),
                State::Running => ("run", "running"),
                State::Blocking => ("blocking", "blocking"),
                State::Waiting(reason) => ("wait", run.reason(reason)),
            };
            let mut rest = named(category, name);
            // The run that comes of a wake-up.
            if let Some(before) = i.checked_sub(1)
                && matches!(thread.spans[before].waker, Some(Waker::Thread(_)))
            {
                rest = rest.fixed(event::LAST_FLOW, flow(thread.id, before));
            }
            self.event(span.begin_ns, uuid, event::BEGIN, rest)?;
            self.end(span.end_ns, uuid)?;
        }
        for wake in wakes {
            let whom = history.thread(wake.woken).map_or_else(String::new, title);
            let rest = named("wake", &format!("wakes {whom}")).fixed(event::FLOW, wake.flow);
            self.event(wake.at_ns, uuid, event::INSTANT, rest)?;
        }
        Ok(())
    }
}

fn named(category: &str, name: &str) -> Message {
    Message::default().text(event::CATEGORY, category).text(event::NAME, name)
}

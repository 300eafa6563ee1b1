//! `sylvan trace PID`: a recording of a process that was not started with one, from outside.
//!
//! What is done in the process is a wish, two words in its memory (`sylvan_sight::recording`). The runtime
//! there makes rings and records; this reads them when the time is over, and the names of the threads that
//! are there. The wish is written by `/proc/PID/mem`: the kernel says who may, as for a debugger.
//!
//! Ctrl-C ends it early, as does a `SIGTERM`: what was recorded until then is written. A second one ends it at once.
//!
//! Nothing is recorded of a thread that does the same all the time: waits, or computes. What that is is seen by
//! two looks, in the beginning and afterwards, and becomes an event at the beginning.

use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::mem::offset_of;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use sylvan_sight::file::{About, Why, Writer};
use sylvan_sight::recording::{Control, FROM_START, OFF, Ring};
use sylvan_sight::table::Table;
use sylvan_sight::threads::{self, State, Thread};
use sylvan_sight::trace::{Event, Kind};
use sylvan_sight::{Memory, Unreadable};

use super::{Refusal, parse};
use crate::complain;
use crate::see::{self, Process, Reason};

/// How long it records, unless it is said otherwise.
const SECONDS: f64 = 5.0;

/// How long the process may take to see that it is to begin, or that the time is over, if it does anything.
const PATIENCE: Duration = Duration::from_millis(200);

/// Rings at most: what is read is not to be trusted.
const RINGS_MAX: usize = 1 << 16;

/// `sylvan trace PID`.
pub(crate) fn main(args: Vec<OsString>) -> Result<(), Refusal> {
    let (pid, [seconds, output, megabytes]) = parse(args, ["--seconds", "-o", "--mb"])?;
    let usage = |text: String| Refusal::Usage(text);
    let pid = pid
        .to_string_lossy()
        .parse()
        .map_err(|_| usage(format!("expected the number of a process, got `{}`", pid.display())))?;
    let number = |option: &str, value: Option<OsString>, default: f64| {
        let Some(value) = value else { return Ok(default) };
        let text = value.to_string_lossy();
        let number = text.parse().ok().filter(|number: &f64| *number > 0.0 && *number <= 1e6);
        number.ok_or_else(|| usage(format!("`{option}` expected a number above 0, got `{text}`")))
    };
    let lasts = Duration::from_secs_f64(number("--seconds", seconds, SECONDS)?);
    let megabytes = number("--mb", megabytes, 16.0)?;
    let output = output.ok_or_else(|| usage("expected `-o` and a file".to_owned()))?;
    let output = PathBuf::from(output);
    let cannot = |error| Refusal::Output(output.clone(), error);
    let target = Target::open(pid).map_err(Refusal::Process)?;
    // Before there is anything to lose.
    let file = File::create(&output).map_err(cannot)?;
    let is_over = asked_to_end().map_err(cannot)?;
    let n_events = (megabytes * f64::from(1 << 16)) as u64;
    let recorded = target.record(lasts, &is_over, n_events).map_err(Refusal::Process)?;
    recorded.write(BufWriter::new(file)).map_err(cannot)
}

/// What whoever asks this process to end sets.
fn asked_to_end() -> io::Result<Arc<AtomicBool>> {
    let asked = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_default(signal, Arc::clone(&asked))?;
        flag::register(signal, Arc::clone(&asked))?;
    }
    Ok(asked)
}

/// A process with a runtime.
struct Target {
    pid: u32,
    process: Process,
    memory: File,
    table: Table,
}

/// What was recorded.
struct Recorded {
    about: About,
    /// The threads that are there in the end.
    threads: Vec<Thread>,
    rings: Vec<(Ring, u64, Vec<Event>)>,
}

impl Target {
    fn open(pid: u32) -> Result<Self, see::Refusal> {
        let process = Process::open(&see::Target::Process(pid))?;
        // One most often; and else the one that is in force, which is the first.
        let table = process.runtimes[0].table;
        let memory = OpenOptions::new().write(true).open(format!("/proc/{pid}/mem"));
        let memory = memory.map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => Reason::NoRight.with(process.whose()),
            _ => Reason::NoProcess.with(process.whose()),
        })?;
        Ok(Self { pid, process, memory, table })
    }

    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), see::Refusal> {
        self.process.read(at, into).map_err(|error| self.process.unreadable(error))
    }

    fn words<const N: usize>(&self, at: u64) -> Result<[u8; N], see::Refusal> {
        let mut bytes = [0; N];
        self.read(at, &mut bytes)?;
        Ok(bytes)
    }

    fn control(&self) -> Result<Control, see::Refusal> {
        Ok(Control::from_bytes(&self.words(self.table.roots.recording)?))
    }

    /// Writes a word of the wish.
    fn wish(&self, offset: usize, value: u64) -> Result<(), see::Refusal> {
        let at = self.table.roots.recording + offset as u64;
        let written = self.memory.write_all_at(&value.to_ne_bytes(), at);
        written.map_err(|_| self.process.unreadable(Unreadable { at }))
    }

    /// Has it record for that long, or until `is_over`, with rings for so many events, and reads what it has.
    fn record(
        &self,
        lasts: Duration,
        is_over: &AtomicBool,
        n_events: u64,
    ) -> Result<Recorded, see::Refusal> {
        let begin_ns = monotonic_ns();
        let mut end_ns = begin_ns + u64::try_from(lasts.as_nanos()).unwrap_or(u64::MAX / 2);
        let found = self.control()?;
        if found.state != FROM_START {
            self.wish(offset_of!(Control, n_events), n_events)?;
            // Also where it is on: who has asked for that may have been ended before the time was over.
            self.wish(offset_of!(Control, until_ns), end_ns)?;
        }
        let patience_ns = PATIENCE.as_nanos() as u64;
        let begun_ns = end_ns.min(begin_ns + patience_ns);
        while self.control()?.state == OFF && monotonic_ns() < begun_ns {
            thread::sleep(Duration::from_millis(1));
        }
        let before = self.threads()?;
        while monotonic_ns() < end_ns {
            let left = Duration::from_nanos(end_ns.saturating_sub(monotonic_ns()));
            thread::sleep(left.min(Duration::from_millis(100)));
            // It may have ended.
            let state = self.control()?.state;
            if is_over.load(Ordering::Relaxed) {
                end_ns = monotonic_ns();
                if state != FROM_START {
                    self.wish(offset_of!(Control, until_ns), end_ns)?;
                }
            }
        }
        let over_ns = monotonic_ns();
        let mut control = self.control()?;
        while control.state != OFF
            && control.state != FROM_START
            && monotonic_ns() < over_ns + patience_ns
        {
            thread::sleep(Duration::from_millis(5));
            control = self.control()?;
        }
        let was_on = found.state != OFF;
        let has_begun = control.began_ns > 0 && (was_on || control.began_ns >= begin_ns);
        if !has_begun {
            complain(&format!("note: no run has begun in process {} meanwhile", self.pid));
            control.rings = 0;
            control.began_ns = begin_ns;
        }
        let program = fs::read_link(format!("/proc/{}/exe", self.pid)).unwrap_or_default();
        let about = About {
            pid: self.pid,
            n_cores: control.n_cores as u32,
            why: Why::Asked,
            began_unix_ns: control.began_unix_ns,
            ended_ns: over_ns.saturating_sub(control.began_ns),
            program: program.display().to_string(),
        };
        let ago_ns = over_ns - begin_ns.max(control.began_ns).min(over_ns);
        let threads = self.threads()?;
        let mut rings = self.rings(&control, about.ended_ns, ago_ns)?;
        rings.extend(constant(&before, &threads, &rings, about.ended_ns - ago_ns));
        Ok(Recorded { rings, threads, about })
    }

    /// The threads that are there.
    fn threads(&self) -> Result<Vec<Thread>, see::Refusal> {
        let threads = threads::threads(&self.process, &self.table);
        threads.map_err(|error| self.process.unreadable(error))
    }

    /// Its rings, each with how many events it has lost, and those of the last `ago_ns`.
    fn rings(
        &self,
        control: &Control,
        ended_ns: u64,
        ago_ns: u64,
    ) -> Result<Vec<(Ring, u64, Vec<Event>)>, see::Refusal> {
        let mut rings = Vec::new();
        let mut at = control.rings;
        while at != 0 && rings.len() < RINGS_MAX {
            let ring = Ring::from_bytes(&self.words(at)?);
            let is_whole = ring.capacity.is_power_of_two() && ring.capacity <= 1 << 32;
            if !is_whole {
                return Err(self.process.unreadable(Unreadable { at }));
            }
            let n_slots = usize::try_from(ring.capacity.min(ring.n)).unwrap_or_default();
            let mut slots = vec![0; n_slots * EVENT];
            self.read(ring.slots, &mut slots)?;
            let after = Ring::from_bytes(&self.words(at)?);
            let (kept, mut n_lost) = ring.kept(ring.n, after.n);
            let mut events: Vec<Event> = kept
                .filter_map(|number| {
                    let at = (number % ring.capacity) as usize * EVENT;
                    Some(Event::from_bytes(slots.get(at..at + EVENT)?.try_into().ok()?))
                })
                .collect();
            let is_recent = |event: &Event| {
                let ago = ended_ns.wrapping_sub(event.at_ns()) % Event::HOURS_NS;
                // What was recorded since the end is in the future.
                ago <= ago_ns || ago > Event::HOURS_NS / 2
            };
            let n_before = events.len();
            events.retain(|event| event.kind() == Some(Kind::Name) || is_recent(event));
            if events.len() < n_before {
                // All that is asked for is there.
                n_lost = 0;
            }
            at = ring.next;
            rings.push((ring, n_lost, events));
        }
        Ok(rings)
    }
}

/// Rings for the threads that have done the same `before` and `after`, and of which nothing was recorded in
/// between: from `at_ns` on they do that.
fn constant(
    before: &[Thread],
    after: &[Thread],
    recorded: &[(Ring, u64, Vec<Event>)],
    at_ns: u64,
) -> Vec<(Ring, u64, Vec<Event>)> {
    let does = |thread: &Thread| (thread.state, thread.reason, thread.os_thread);
    let before: HashMap<u64, _> = before.iter().map(|it| (it.id, does(it))).collect();
    let events = recorded.iter().flat_map(|(_, _, events)| events);
    let others = events.filter(|event| event.kind() != Some(Kind::Name));
    let has_events: HashSet<u32> = others.map(|event| event.thread()).collect();
    let mut waiting = Vec::new();
    let mut rings = Vec::new();
    for thread in after {
        let number = thread.id as u32;
        if before.get(&thread.id) != Some(&does(thread)) || has_events.contains(&number) {
            continue;
        }
        let event = |kind, detail| Event::new(at_ns, kind, detail, number, 0);
        match (thread.state, thread.reason) {
            (State::Parked, Some(reason)) => waiting.push(event(Kind::Park, reason as u8)),
            (State::NotStarted | State::Runnable, _) => waiting.push(event(Kind::Wake, 0)),
            (State::Running | State::Blocking | State::Bound, _) => {
                let (run, section) = (event(Kind::Run, 0), event(Kind::Section, 0));
                let n = if thread.state == State::Running { 1 } else { 2 };
                let os_thread = thread.os_thread.unwrap_or_default();
                let core = thread.core.unwrap_or_default();
                rings.push((os_thread, core, [run, section][..n].to_vec()));
            }
            (State::Parked, None) => {}
        }
    }
    rings.push((0, 0, waiting));
    let ring = |(os_thread, core, events)| {
        let place = u64::from(os_thread) | u64::from(core) << 32;
        (Ring { next: 0, slots: 0, capacity: 0, n: 0, from: 0, place }, 0, events)
    };
    rings.into_iter().map(ring).collect()
}

impl Recorded {
    fn write(self, out: impl Write) -> io::Result<()> {
        let mut writer = Writer::new(out, &self.about)?;
        writer.reasons(sylvan_sight::Reason::ALL.iter().map(|reason| reason.text()))?;
        for thread in &self.threads {
            if let Some(name) = &thread.name {
                writer.name(thread.id as u32, name)?;
            }
        }
        for (ring, n_lost, events) in self.rings {
            let (os_thread, core) = (ring.place as u32, (ring.place >> 32) as u32);
            writer.ring(os_thread, core, n_lost, events.into_iter())?;
        }
        writer.end()?;
        Ok(())
    }
}

/// Bytes of an event.
const EVENT: usize = 16;

/// The clock that the process has, too.
fn monotonic_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

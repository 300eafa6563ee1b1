//! `sylvan trace PID`: a recording of a process that was not started with one, from outside.
//!
//! What is done in the process is a wish, two words in its memory (`sylvan_sight::recording`). The runtime
//! there makes rings and records; this reads them when the time is over. Memory is read and written by
//! `/proc/PID/mem`, so the kernel says who may, as for a debugger.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use sylvan_sight::Reason;
use sylvan_sight::file::{About, Why, Writer};
use sylvan_sight::recording::{Control, FROM_START, NOTE, OFF, Ring, VERSION};
use sylvan_sight::trace::{Event, Kind};

use super::{Refusal, parse};

/// How long it records, unless it is said otherwise.
const SECONDS: f64 = 5.0;

/// How long the process may take to see that the time is over, if it does anything.
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
    let target = Target::open(pid)?;
    // Before there is anything to lose.
    let file = File::create(&output).map_err(cannot)?;
    let recorded = target.record(lasts, (megabytes * f64::from(1 << 16)) as u64)?;
    recorded.write(BufWriter::new(file)).map_err(cannot)
}

/// A process with a runtime.
struct Target {
    pid: u32,
    memory: File,
    /// Where its control is.
    control: u64,
}

/// What was recorded.
struct Recorded {
    about: About,
    rings: Vec<(Ring, u64, Vec<Event>)>,
}

impl Target {
    fn open(pid: u32) -> Result<Self, Refusal> {
        let refuse = |error: io::Error| match error.kind() {
            io::ErrorKind::PermissionDenied => Refusal::NoRight(pid),
            _ => Refusal::NoProcess(pid),
        };
        let maps = fs::read_to_string(format!("/proc/{pid}/maps")).map_err(refuse)?;
        let memory = OpenOptions::new().read(true).write(true).open(format!("/proc/{pid}/mem"));
        let mut target = Self { pid, memory: memory.map_err(refuse)?, control: 0 };
        let mut other_version = None;
        let mut found: Option<(u64, Control)> = None;
        for start in maps.lines().filter_map(first_of_file) {
            let Some(at) = target.control_of(start) else { continue };
            let Ok(control) = target.control_at(at) else { continue };
            if control.version != VERSION {
                other_version = Some(control.version);
            } else if found.as_ref().is_none_or(|(_, before)| before.n_cores == 0) {
                found = Some((at, control));
            }
        }
        match (found, other_version) {
            (Some((at, _)), _) => target.control = at,
            (None, Some(version)) => return Err(Refusal::OtherVersion(pid, version)),
            (None, None) => return Err(Refusal::NoRuntime(pid)),
        }
        Ok(target)
    }

    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Refusal> {
        self.memory.read_exact_at(into, at).map_err(|_| self.gone())
    }

    fn words<const N: usize>(&self, at: u64) -> Result<[u8; N], Refusal> {
        let mut bytes = [0; N];
        self.read(at, &mut bytes)?;
        Ok(bytes)
    }

    fn control_at(&self, at: u64) -> Result<Control, Refusal> {
        Ok(Control::from_bytes(&self.words(at)?))
    }

    fn control(&self) -> Result<Control, Refusal> {
        self.control_at(self.control)
    }

    /// What is said where its memory is not there any more.
    fn gone(&self) -> Refusal {
        Refusal::NoProcess(self.pid)
    }

    /// Where the control is of the object whose headers are at `start`, if it has one.
    fn control_of(&self, start: u64) -> Option<u64> {
        let header: [u8; 64] = self.words(start).ok()?;
        let half = |at: usize| u16::from_ne_bytes([header[at], header[at + 1]]);
        if header[..4] != *b"\x7fELF" || usize::from(half(54)) != SEGMENT {
            return None;
        }
        let mut bytes = vec![0; usize::from(half(56)) * SEGMENT];
        self.read(start.checked_add(word(&header, 32)?)?, &mut bytes).ok()?;
        let segments = || bytes.chunks_exact(SEGMENT);
        let kind = |segment: &[u8]| segment[..4] == 1_u32.to_ne_bytes();
        let is_note = |segment: &&[u8]| segment[..4] == 4_u32.to_ne_bytes();
        let first = segments().find(|segment| kind(segment)).and_then(|it| word(it, 16))?;
        let bias = start.wrapping_sub(first & !0xfff);
        segments().filter(is_note).find_map(|segment| {
            let (at, len) = (bias.wrapping_add(word(segment, 16)?), word(segment, 40)?);
            let mut notes = vec![0; usize::try_from(len).ok().filter(|len| *len < 1 << 20)?];
            self.read(at, &mut notes).ok()?;
            control_in(&notes, at)
        })
    }

    /// Has it record for that long, with rings for so many events, and reads what it has.
    fn record(&self, lasts: Duration, n_events: u64) -> Result<Recorded, Refusal> {
        let begin_ns = monotonic_ns();
        let end_ns = begin_ns + u64::try_from(lasts.as_nanos()).unwrap_or(u64::MAX / 2);
        if self.control()?.state != FROM_START {
            let at = |offset: usize| self.control + offset as u64;
            let wish = |offset: usize, value: u64| {
                let written = self.memory.write_all_at(&value.to_ne_bytes(), at(offset));
                written.map_err(|_| self.gone())
            };
            wish(std::mem::offset_of!(Control, n_events), n_events)?;
            wish(std::mem::offset_of!(Control, until_ns), end_ns)?;
        }
        while monotonic_ns() < end_ns {
            let left = Duration::from_nanos(end_ns.saturating_sub(monotonic_ns()));
            thread::sleep(left.min(Duration::from_millis(100)));
            // It may have ended.
            self.control()?;
        }
        let over_ns = monotonic_ns();
        let patience_ns = PATIENCE.as_nanos() as u64;
        let mut control = self.control()?;
        while control.state != OFF
            && control.state != FROM_START
            && monotonic_ns() < over_ns + patience_ns
        {
            thread::sleep(Duration::from_millis(5));
            control = self.control()?;
        }
        let has_begun =
            control.began_ns > 0 && (control.state == FROM_START || control.began_ns >= begin_ns);
        if !has_begun {
            eprintln!("note: nothing has run in process {} meanwhile", self.pid);
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
        Ok(Recorded { rings: self.rings(&control, about.ended_ns, ago_ns)?, about })
    }

    /// Its rings, each with how many events it has lost, and those of the last `ago_ns`.
    fn rings(
        &self,
        control: &Control,
        ended_ns: u64,
        ago_ns: u64,
    ) -> Result<Vec<(Ring, u64, Vec<Event>)>, Refusal> {
        let mut rings = Vec::new();
        let mut at = control.rings;
        while at != 0 && rings.len() < RINGS_MAX {
            let ring = Ring::from_bytes(&self.words(at)?);
            let is_whole = ring.capacity.is_power_of_two() && ring.capacity <= 1 << 32;
            if !is_whole {
                return Err(Refusal::OtherVersion(self.pid, control.version));
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

impl Recorded {
    fn write(self, out: impl Write) -> io::Result<()> {
        let mut writer = Writer::new(out, &self.about)?;
        writer.reasons(Reason::ALL.iter().map(|reason| reason.text()))?;
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

/// Bytes of a program header.
const SEGMENT: usize = 56;

fn word(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// The address of a line of `/proc/PID/maps`, if it is of the beginning of a file.
fn first_of_file(line: &str) -> Option<u64> {
    let mut fields = line.split_ascii_whitespace();
    let (start, _) = fields.next()?.split_once('-')?;
    let (offset, file) = (fields.nth(1)?, fields.nth(2)?);
    let is_first = file.starts_with('/') && offset.bytes().all(|digit| digit == b'0');
    is_first.then(|| u64::from_str_radix(start, 16).ok())?
}

/// Where the note leads to, if it is among these, which lie at `start`.
fn control_in(notes: &[u8], start: u64) -> Option<u64> {
    const HEAD: usize = 12;
    let mut at = 0;
    while let Some(head) = notes.get(at..at + HEAD) {
        let number = |from: usize| {
            u32::from_ne_bytes([head[from], head[from + 1], head[from + 2], head[from + 3]])
        };
        let name_at = at + HEAD;
        let text_at = name_at + (number(0) as usize).next_multiple_of(4);
        if notes.get(name_at..name_at + 7) == Some(b"sylvan\0") && number(8) == NOTE {
            let distance = i32::from_ne_bytes(notes.get(text_at..text_at + 4)?.try_into().ok()?);
            return Some((start + text_at as u64).wrapping_add_signed(distance.into()));
        }
        at = text_at + (number(4) as usize).next_multiple_of(4);
    }
    None
}

/// The clock that the process has, too.
fn monotonic_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

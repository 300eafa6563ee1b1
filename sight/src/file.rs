//! The file that a trace is written to, and what is read from it.
//!
//! ```text
//!   "SYLTRACE", version: u64, and then blocks:
//!     tag: u32, bytes that follow: u32, and these, rounded up to a multiple of eight by zeros
//!
//!   tag     what                  first of all            then
//!   1       the run               five words: `About`     the program
//!   2       reasons of a park     -                       their words, by number, a line each
//!   3       a thread's name       its number              the name
//!   4       a ring                two words: `Ring`       its events, the oldest first
//!   5       the end               -                       -
//! ```
//!
//! All numbers are little-endian, and words have 64 bits. A block whose tag the reader does not know is
//! passed over. A file that ends before its end was cut off: what is there counts, also of the block that is
//! not whole. A large ring takes more than one block; the words before the events are the same in each.

use std::collections::HashMap;
use std::fmt;
use std::io;

use crate::trace::{Event, Kind};

const MAGIC: [u8; 8] = *b"SYLTRACE";

/// The version that is written, and the one that is read.
pub const VERSION: u64 = 1;

const ABOUT: u32 = 1;
const REASONS: u32 = 2;
const NAME: u32 = 3;
const RING: u32 = 4;
const END: u32 = 5;

/// Events in a block.
const BLOCK_MAX: usize = 1 << 20;

/// Why a trace was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Why {
    /// The process has ended.
    Exit = 0,
    /// A signal has asked for it.
    Signal = 1,
    /// `sylvan trace` has.
    Asked = 2,
}

/// What is known of a run as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The process.
    pub pid: u32,
    /// How many cores it has.
    pub n_cores: u32,
    /// Why it was written.
    pub why: Why,
    /// When the trace began, in nanoseconds since 1970: the zero of all times.
    pub began_unix_ns: u64,
    /// When the trace was written, in nanoseconds since it began.
    pub ended_ns: u64,
    /// The program's file.
    pub program: String,
}

/// An event at its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// In nanoseconds since the trace began.
    pub at_ns: u64,
    /// What has happened.
    pub kind: Kind,
    /// The detail of its kind.
    pub detail: u8,
    /// The thread that it happens to; 0 for none.
    pub thread: u32,
    /// The other thread, or the count.
    pub other: u32,
}

/// What one worker after the other has recorded, in the order of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ring {
    /// The OS thread that it was last, or still is; 0 for the ring of those that are no workers.
    pub os_thread: u32,
    /// The core that this one had.
    pub core: u32,
    /// Events before these that the ring had no room to keep.
    pub n_lost: u64,
    /// The events that it has kept; names are not among them.
    pub moments: Vec<Moment>,
}

/// A run that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// What is known of it as a whole; nothing where the file was cut off before that.
    pub about: Option<About>,
    /// What its workers have recorded.
    pub rings: Vec<Ring>,
    /// The names of threads that have one, by their numbers.
    pub names: HashMap<u32, String>,
    /// What a park's detail means.
    pub reasons: Vec<String>,
    /// The file was cut off: there was more.
    pub is_cut: bool,
}

/// Why a file cannot be read as a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// There is nothing in it.
    Empty,
    /// It is something else.
    NoTrace,
    /// It is a trace of this version.
    Version(u64),
}

impl Run {
    /// The name of a thread, if it has one that is known.
    #[must_use]
    pub fn name(&self, thread: u32) -> Option<&str> {
        self.names.get(&thread).map(String::as_str)
    }

    /// The word for the reason that a park's detail stands for.
    #[must_use]
    pub fn reason(&self, detail: u8) -> &str {
        self.reasons.get(usize::from(detail)).map_or("unknown", String::as_str)
    }

    /// From when on nothing is missing: the first event that each ring has kept which has lost any.
    #[must_use]
    pub fn whole_from_ns(&self) -> u64 {
        let cut = self.rings.iter().filter(|ring| ring.n_lost > 0);
        cut.filter_map(|ring| Some(ring.moments.first()?.at_ns)).max().unwrap_or(0)
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(
                f,
                "this file is empty: the process that it is of goes on, or was ended by a signal"
            ),
            Self::NoTrace => write!(f, "this is no trace of sylvan's"),
            Self::Version(found) => {
                write!(f, "this is a trace of version {found}, and version {VERSION} can be read")
            }
        }
    }
}

impl std::error::Error for Unusable {}

/// Writes a file, block by block.
#[derive(Debug)]
pub struct Writer<W>(W);

impl<W: io::Write> Writer<W> {
    /// Begins the file.
    ///
    /// # Errors
    ///
    /// Those of `out`, here and below.
    pub fn new(mut out: W, about: &About) -> io::Result<Self> {
        out.write_all(&MAGIC)?;
        out.write_all(&VERSION.to_le_bytes())?;
        let mut writer = Self(out);
        let numbers = [u64::from(about.pid), u64::from(about.n_cores), about.why as u64];
        let times = [about.began_unix_ns, about.ended_ns];
        let mut words = [0; 40];
        for (word, number) in words.chunks_exact_mut(8).zip(numbers.into_iter().chain(times)) {
            word.copy_from_slice(&number.to_le_bytes());
        }
        writer.block(ABOUT, &[&words, about.program.as_bytes()])?;
        Ok(writer)
    }

    /// The words for reasons, by number.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn reasons<'a>(&mut self, words: impl Iterator<Item = &'a str> + Clone) -> io::Result<()> {
        let n_bytes = words.clone().map(|word| word.len() + 1).sum();
        self.head(REASONS, n_bytes)?;
        for word in words {
            self.0.write_all(word.as_bytes())?;
            self.0.write_all(b"\n")?;
        }
        self.fill(n_bytes)
    }

    /// The name of a thread.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn name(&mut self, thread: u32, name: &str) -> io::Result<()> {
        self.block(NAME, &[&u64::from(thread).to_le_bytes(), name.as_bytes()])
    }

    /// A ring: the OS thread and the core as in [`Ring`], how many events it has lost, and those that it
    /// has kept.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn ring(
        &mut self,
        os_thread: u32,
        core: u32,
        n_lost: u64,
        mut events: impl ExactSizeIterator<Item = Event>,
    ) -> io::Result<()> {
        loop {
            let n = events.len().min(BLOCK_MAX);
            self.head(RING, 16 + n * 16)?;
            let place = u64::from(os_thread) | u64::from(core) << 32;
            self.0.write_all(&place.to_le_bytes())?;
            self.0.write_all(&n_lost.to_le_bytes())?;
            let mut page = [0; 4096];
            let mut left = n;
            while left > 0 {
                let some = left.min(page.len() / 16);
                for (place, event) in page.chunks_exact_mut(16).zip(events.by_ref().take(some)) {
                    place.copy_from_slice(&event.to_bytes());
                }
                self.0.write_all(&page[..some * 16])?;
                left -= some;
            }
            if events.len() == 0 {
                return Ok(());
            }
        }
    }

    /// Ends the file.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn end(mut self) -> io::Result<W> {
        self.block(END, &[])?;
        self.0.flush()?;
        Ok(self.0)
    }

    fn head(&mut self, tag: u32, n_bytes: usize) -> io::Result<()> {
        let n_bytes = u32::try_from(n_bytes).map_err(io::Error::other)?;
        self.0.write_all(&tag.to_le_bytes())?;
        self.0.write_all(&n_bytes.to_le_bytes())
    }

    fn block(&mut self, tag: u32, parts: &[&[u8]]) -> io::Result<()> {
        let n_bytes = parts.iter().map(|part| part.len()).sum::<usize>();
        self.head(tag, n_bytes)?;
        for part in parts {
            self.0.write_all(part)?;
        }
        self.fill(n_bytes)
    }

    fn fill(&mut self, n_bytes: usize) -> io::Result<()> {
        self.0.write_all(&[0; 7][..n_bytes.next_multiple_of(8) - n_bytes])
    }
}

/// A block as far as it is there.
struct Block<'a> {
    tag: u32,
    bytes: &'a [u8],
}

/// Takes the next block off `bytes`; `None` if not even its head is there. And whether it is whole.
fn next_block<'a>(bytes: &mut &'a [u8]) -> Option<(Block<'a>, bool)> {
    let (head, rest) = bytes.split_first_chunk::<8>()?;
    let word = u64::from_le_bytes(*head);
    let n_bytes = (word >> 32) as usize;
    let is_whole = n_bytes <= rest.len();
    let (inside, _) = rest.split_at(n_bytes.min(rest.len()));
    *bytes = rest.get(n_bytes.next_multiple_of(8)..).unwrap_or_default();
    Some((Block { tag: word as u32, bytes: inside }, is_whole))
}

impl<'a> Block<'a> {
    /// Takes a word off its front.
    fn word(&mut self) -> Option<u64> {
        let (word, rest) = self.bytes.split_first_chunk::<8>()?;
        self.bytes = rest;
        Some(u64::from_le_bytes(*word))
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(self.bytes).into_owned()
    }

    fn about(mut self) -> Option<About> {
        let mut number = || Some(self.word()? as u32);
        let (pid, n_cores) = (number()?, number()?);
        let why = match number()? {
            0 => Why::Exit,
            1 => Why::Signal,
            _ => Why::Asked,
        };
        let (began_unix_ns, ended_ns) = (self.word()?, self.word()?);
        Some(About { pid, n_cores, why, began_unix_ns, ended_ns, program: self.text() })
    }

    fn events(&self) -> impl Iterator<Item = Event> + use<'a> {
        self.bytes.as_chunks::<16>().0.iter().map(|bytes| Event::from_bytes(*bytes))
    }
}

/// Reads what a file has in it.
///
/// # Errors
///
/// Where it is no trace, or one of another version.
pub fn read(bytes: &[u8]) -> Result<Run, Unusable> {
    if bytes.is_empty() {
        return Err(Unusable::Empty);
    }
    let mut rest = bytes.strip_prefix(&MAGIC).ok_or(Unusable::NoTrace)?;
    let (version, blocks) = rest.split_first_chunk::<8>().ok_or(Unusable::NoTrace)?;
    let version = u64::from_le_bytes(*version);
    if version != VERSION {
        return Err(Unusable::Version(version));
    }
    rest = blocks;
    let mut run = Run {
        about: None,
        rings: Vec::new(),
        names: HashMap::new(),
        reasons: Vec::new(),
        is_cut: true,
    };
    let mut parts = Parts::default();
    let mut rings: Vec<(Ring, Vec<Event>)> = Vec::new();
    while let Some((mut block, is_whole)) = next_block(&mut rest) {
        match block.tag {
            ABOUT => run.about = block.about(),
            REASONS => run.reasons = block.text().lines().map(String::from).collect(),
            NAME if is_whole => {
                if let Some(thread) = block.word() {
                    run.names.insert(thread as u32, block.text());
                }
            }
            RING => {
                let (Some(place), Some(n_lost)) = (block.word(), block.word()) else { break };
                let (os_thread, core) = (place as u32, (place >> 32) as u32);
                let begun = rings.last_mut().filter(|(ring, events)| {
                    (ring.os_thread, ring.core, ring.n_lost) == (os_thread, core, n_lost)
                        && !events.is_empty()
                        && events.len().is_multiple_of(BLOCK_MAX)
                });
                match begun {
                    Some((_, events)) => events.extend(block.events()),
                    None => rings.push((
                        Ring { os_thread, core, n_lost, moments: Vec::new() },
                        block.events().collect(),
                    )),
                }
            }
            END => {
                run.is_cut = false;
                break;
            }
            _ => {}
        }
        if !is_whole {
            break;
        }
    }
    let ended_ns = run.about.as_ref().map_or(0, |about| about.ended_ns);
    for (mut ring, events) in rings {
        ring.moments = moments(&events, ended_ns, &mut parts);
        // One of names alone has no time.
        if !ring.moments.is_empty() {
            run.rings.push(ring);
        }
    }
    for (thread, parts) in parts.into_iter().filter(|(_, parts)| parts.contains_key(&0)) {
        let name: Vec<u8> = parts.into_values().flatten().collect();
        run.names.entry(thread).or_insert_with(|| String::from_utf8_lossy(&name).into_owned());
    }
    Ok(run)
}

/// Bits of a word that a time has no part in.
const UNUSED: u32 = Event::HOURS_NS.leading_zeros() + 1;

/// The parts of names, by thread and number.
type Parts = HashMap<u32, std::collections::BTreeMap<u8, Vec<u8>>>;

/// The events of a ring at their times, which are counted back from the end; the names go to `parts`.
fn moments(events: &[Event], ended_ns: u64, parts: &mut Parts) -> Vec<Moment> {
    let mut moments = Vec::with_capacity(events.len());
    let mut later_ns = ended_ns;
    for event in events.iter().rev() {
        let Some(kind) = event.kind() else { continue };
        if kind == Kind::Name {
            // The last name of a thread is the one that it has; its first part is found last.
            let parts = parts.entry(event.thread()).or_default();
            if !parts.contains_key(&0) {
                parts.insert(event.detail(), event.name_part());
            }
            continue;
        }
        // By less than half of the hours, back or forth: two may record at the same time in the ring that
        // they share, and somebody while the file is written.
        let back = (later_ns.wrapping_sub(event.at_ns()) << UNUSED) as i64 >> UNUSED;
        later_ns = later_ns.saturating_add_signed(-back);
        let at_ns = later_ns;
        moments.push(Moment {
            at_ns,
            kind,
            detail: event.detail(),
            thread: event.thread(),
            other: event.other(),
        });
    }
    moments.reverse();
    moments.sort_by_key(|moment| moment.at_ns);
    moments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::{self, Size};

    const SMALL: Size = Size { n_threads: 20, n_events: 2_000, n_workers: 3 };

    fn about(ended_ns: u64) -> About {
        let (program, why) = (String::from("p"), Why::Signal);
        About { pid: 1, n_cores: 2, why, began_unix_ns: 3, ended_ns, program }
    }

    #[test]
    fn what_was_written_is_read() {
        let mut writer = Writer::new(Vec::new(), &about(100)).unwrap();
        writer.reasons(["read", "a word"].into_iter()).unwrap();
        writer.name(7, "seven").unwrap();
        let parts = [Event::text(8, 0, b"a-long-one"), Event::text(8, 1, b"-name")];
        let events = [Event::new(50, Kind::Start, 0, 7, 0), Event::new(60, Kind::Park, 1, 7, 0)];
        let all: Vec<Event> = parts.into_iter().chain(events).collect();
        writer.ring(11, 1, 5, all.into_iter()).unwrap();
        let run = read(&writer.end().unwrap()).unwrap();
        assert_eq!(run.about, Some(about(100)));
        assert!(!run.is_cut);
        assert_eq!(run.name(7), Some("seven"));
        assert_eq!(run.name(8), Some("a-long-one-name"));
        assert_eq!((run.reason(1), run.reason(9)), ("a word", "unknown"));
        let [ring] = &run.rings[..] else { panic!("one ring") };
        assert_eq!((ring.os_thread, ring.core, ring.n_lost), (11, 1, 5));
        let times: Vec<_> = ring.moments.iter().map(|moment| moment.at_ns).collect();
        assert_eq!(times, [50, 60]);
        assert_eq!(run.whole_from_ns(), 50, "five events were lost before that");
    }

    #[test]
    fn of_a_file_that_is_cut_off_at_its_head_nothing_is_known() {
        let whole = Writer::new(Vec::new(), &about(100)).unwrap().end().unwrap();
        let head = MAGIC.len() + 8;
        for len in [head, head + 8, head + 8 + 39] {
            let run = read(&whole[..len]).unwrap();
            assert_eq!((run.about, run.is_cut), (None, true), "{len}");
        }
        let run = read(&whole[..head + 8 + 40]).unwrap();
        assert_eq!(run.about, Some(About { program: String::new(), ..about(100) }));
    }

    #[test]
    fn a_thread_has_its_last_name_and_all_of_it() {
        let mut writer = Writer::new(Vec::new(), &about(100)).unwrap();
        let names = [
            // Its first part was written over.
            Event::text(6, 1, b"tail"),
            Event::text(7, 0, b"a-long-one"),
            Event::text(7, 1, b"-name"),
            Event::text(8, 0, b"short"),
            Event::text(7, 0, b"another"),
            Event::text(8, 0, b"now-longer"),
            Event::text(8, 1, b"-than-that"),
        ];
        writer.ring(0, 0, 0, names.into_iter()).unwrap();
        let run = read(&writer.end().unwrap()).unwrap();
        assert_eq!(run.name(6), None);
        assert_eq!(run.name(7), Some("another"));
        assert_eq!(run.name(8), Some("now-longer-than-that"));
    }

    #[test]
    fn a_large_ring_takes_several_blocks_and_is_one() {
        let n = BLOCK_MAX as u64 + 10;
        let mut writer = Writer::new(Vec::new(), &about(n)).unwrap();
        let event = |at_ns: u64| Event::new(at_ns, Kind::Look, 0, 0, 0);
        let events: Vec<Event> = (0..n).map(event).collect();
        writer.ring(1, 0, 0, events.into_iter()).unwrap();
        let run = read(&writer.end().unwrap()).unwrap();
        let [ring] = &run.rings[..] else { panic!("one ring") };
        assert_eq!(ring.moments.len() as u64, n);
    }

    #[test]
    fn times_beyond_their_bits_are_counted_on() {
        let ended_ns = 5 * Event::HOURS_NS + 10;
        let mut writer = Writer::new(Vec::new(), &about(ended_ns)).unwrap();
        let ago = [3 * Event::HOURS_NS / 4, Event::HOURS_NS / 3, 20, 0];
        let event = |ago_ns: u64| Event::new(ended_ns - ago_ns, Kind::Look, 0, 0, 0);
        writer.ring(1, 0, 0, ago.map(event).into_iter()).unwrap();
        let run = read(&writer.end().unwrap()).unwrap();
        let times: Vec<_> = run.rings[0].moments.iter().map(|m| ended_ns - m.at_ns).collect();
        assert_eq!(times, ago);
    }

    #[test]
    fn a_file_that_was_cut_off_has_what_is_there() {
        let whole = synthetic::file(SMALL);
        let n_whole = |run: &Run| run.rings.iter().map(|ring| ring.moments.len()).sum::<usize>();
        let all = n_whole(&read(&whole).unwrap());
        assert!(all >= SMALL.n_events);
        let mut last = 0;
        for length in (16..whole.len()).step_by(61).chain([whole.len() - 1]) {
            let run = read(&whole[..length]).unwrap();
            assert!(run.is_cut, "at {length}");
            let n = n_whole(&run);
            assert!(n >= last, "more of a file has no fewer events");
            last = n;
        }
        assert_eq!(last, all, "the end has no events");
    }

    #[test]
    fn what_is_no_trace_is_told() {
        assert_eq!(read(b""), Err(Unusable::Empty));
        assert_eq!(read(b"SYLTRACE"), Err(Unusable::NoTrace));
        assert_eq!(read(b"\x7fELF and so on, for long"), Err(Unusable::NoTrace));
        let mut other = synthetic::file(SMALL);
        other[8] = 9;
        assert_eq!(read(&other), Err(Unusable::Version(9)));
    }

    #[test]
    fn any_bytes_behind_the_head_are_survived() {
        let mut noise = synthetic::file(SMALL);
        let mut state = 1_u64;
        for i in 0..2_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let at = 16 + (state >> 33) as usize % (noise.len() - 16);
            noise[at] = state as u8;
            if i % 16 > 0 {
                continue;
            }
            let run = read(&noise).unwrap();
            let _ = crate::history::History::of(&run);
        }
    }
}

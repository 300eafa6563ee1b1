//! How a process is looked at from outside, for the verbs that do: one that runs, hangs or was stopped
//! ([`live`]), or what is left of one ([`core_file`]).
//!
//! No code runs in the process, it is not stopped, and nothing is opened in it: its memory is read, and what
//! `/proc` says of it. Who may is the kernel's decision, as for a debugger.
//!
//! 1. The objects that are mapped are looked through for the note that leads to the runtime's table
//!    (`sylvan_sight::table`).
//! 2. `sylvan_sight` finds in memory what the table leads to.
//!
//! What stands in the way has an exit status of its own ([`Refusal`]).

mod core_file;
#[allow(unsafe_code, reason = "reads another process's memory into its own")]
mod live;
mod refusal;
#[allow(unsafe_code, reason = "stops an OS thread for its registers")]
mod running;
mod segments;
mod unix_peers;

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use sylvan_sight::hash::HashMap;
use sylvan_sight::memory::Piece;
use sylvan_sight::procfs::Mapping;
use sylvan_sight::stacks::Stack;
use sylvan_sight::table::{self, NoTable, Table};
use sylvan_sight::threads::{self, Thread};
use sylvan_sight::{Account, Memory, Procfs, Unreadable};

use core_file::CoreFile;
use live::Live;
pub(crate) use refusal::{Reason, Refusal, statuses};
pub(crate) use segments::Segments;

use crate::{asks_for_help, complain, not_understood, told, unexpected};

/// What is looked at.
#[derive(Debug)]
pub(crate) enum Target {
    /// A process, by its number.
    Process(u32),
    /// A core file, and the program that has left it.
    Core(PathBuf, PathBuf),
}

/// A process that is looked at.
#[derive(Debug)]
pub(crate) struct Process {
    source: Source,
    /// The runtimes in it: one, most often.
    pub(crate) runtimes: Vec<Runtime>,
}

#[derive(Debug)]
enum Source {
    Live(Live),
    Core(CoreFile),
}

/// A runtime in a process.
#[derive(Debug)]
pub(crate) struct Runtime {
    /// The file that has it.
    pub(crate) object: PathBuf,
    pub(crate) table: Table,
}

impl Process {
    /// Begins to look at it.
    ///
    /// # Errors
    ///
    /// If there is nothing to look at, or nothing may be.
    pub(crate) fn open(target: &Target) -> Result<Self, Refusal> {
        let source = match target {
            Target::Process(pid) => Source::Live(Live::open(*pid)?),
            Target::Core(core, program) => Source::Core(CoreFile::open(core, program)?),
        };
        let mut process = Self { source, runtimes: Vec::new() };
        process.find_runtimes()?;
        Ok(process)
    }

    /// Says of a core file how many stacks are not in it.
    fn tell_of_missing(&self) {
        let Source::Core(core) = &self.source else { return };
        let n_missing = |it: &Runtime| threads::n_unreadable(core, &it.table).unwrap_or(0);
        let n: usize = self.runtimes.iter().map(n_missing).sum();
        if n > 0 {
            let path = core.path.display();
            complain(&format!(
                "note: {path} is not all there: {n} stacks cannot be read; a thread on one of these is not shown"
            ));
        }
    }

    /// Its number; none of a core file.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.live().map(|live| live.pid)
    }

    /// Whether it was stopped, by a signal or a debugger.
    pub(crate) fn is_stopped(&self) -> bool {
        self.live().is_some_and(|live| matches!(live.state(), Some('T' | 't')))
    }

    fn live(&self) -> Option<&Live> {
        match &self.source {
            Source::Live(live) => Some(live),
            Source::Core(_) => None,
        }
    }

    /// What is known of one of its runtimes.
    ///
    /// # Errors
    ///
    /// If that cannot be read.
    pub(crate) fn account(&self, runtime: &Runtime) -> Result<Account, Refusal> {
        Account::of(self, &runtime.table).map_err(|error| self.unreadable(error))
    }

    /// The stack of a thread that one of its OS threads runs, if that is on it.
    pub(crate) fn stack_of(&self, thread: &Thread) -> Option<Stack> {
        let os_thread = thread.os_thread?;
        match &self.source {
            Source::Live(live) => running::stack_of(self, live, os_thread, thread),
            Source::Core(core) => Stack::read(core, thread, *core.registers.get(&os_thread)?),
        }
    }

    /// Where the file of a mapping is found.
    pub(crate) fn path(&self, file: &Path) -> PathBuf {
        match &self.source {
            // As the process sees it. Its program can be read even if it has gone from its folder.
            Source::Live(live) => {
                let of = |name| PathBuf::from(format!("/proc/{}/{name}", live.by));
                if fs::read_link(of("exe")).is_ok_and(|program| program == file) {
                    return of("exe");
                }
                of("root").join(file.strip_prefix("/").unwrap_or(file))
            }
            Source::Core(_) => file.to_owned(),
        }
    }

    /// The files that are mapped, in the order of their addresses.
    pub(crate) fn mappings(&self) -> &[Mapping] {
        match &self.source {
            Source::Live(live) => &live.mappings,
            Source::Core(core) => &core.mappings,
        }
    }

    /// What is said where the memory cannot be read that all hangs on.
    pub(crate) fn unreadable(&self, error: Unreadable) -> Refusal {
        match &self.source {
            Source::Live(live) => live.unreadable(error),
            Source::Core(core) => core.unreadable(error),
        }
    }

    fn find_runtimes(&mut self) -> Result<(), Refusal> {
        let mut other = None;
        let first_of_file = self.mappings().iter().filter(|mapping| mapping.offset == 0);
        let mut found = Vec::new();
        for mapping in first_of_file {
            let Some(at) = self.table_of(mapping.start) else { continue };
            match self.read_table(at) {
                Ok(table) => found.push(Runtime { object: mapping.file.clone(), table }),
                Err(NoTable::Other(head)) => other = Some((&mapping.file, head)),
                Err(NoTable::None) => {}
            }
        }
        // One that has not started is of interest where there is no other.
        let has_started = |it: &Runtime| {
            self.word(it.table.roots.scheduler).is_ok_and(|scheduler| scheduler != 0)
        };
        if found.iter().any(has_started) {
            found.retain(has_started);
        } else {
            found.truncate(1);
        }
        if found.is_empty() {
            return Err(match other {
                Some((file, head)) => {
                    let [its, ours] = head.told_apart();
                    let file = file.display();
                    let why =
                        format!("the runtime in {file} has {its}, and this program reads {ours}");
                    Reason::OtherVersion.with(why)
                }
                None => Reason::NoRuntime.with(self.whose()),
            });
        }
        self.runtimes = found;
        Ok(())
    }

    /// How it is called in a message.
    pub(crate) fn whose(&self) -> String {
        match &self.source {
            Source::Live(live) => format!("process {}", live.pid),
            Source::Core(core) => core.path.display().to_string(),
        }
    }

    /// Where the table is that the object leads to whose headers are at `start`.
    fn table_of(&self, start: u64) -> Option<u64> {
        /// No object has as many bytes of notes.
        const MOST: u64 = 1 << 20;
        let segments = self.segments(start)?;
        let bias = start.wrapping_sub(segments.base());
        segments.notes.iter().find_map(|note| {
            let at = bias.wrapping_add(note.start);
            let mut bytes = vec![0; (note.end - note.start).min(MOST) as usize];
            self.read(at, &mut bytes).ok()?;
            table::find(&bytes, at)
        })
    }

    /// The segments of the object whose headers are at `start`.
    pub(crate) fn segments(&self, start: u64) -> Option<Segments> {
        segments::segments(|at, into| self.read(start.wrapping_add(at), into).is_ok())
    }

    fn read_table(&self, at: u64) -> Result<Table, NoTable> {
        let mut bytes = vec![0; table::LEN];
        if self.read(at, &mut bytes).is_err() {
            // One of another version may be shorter.
            bytes.truncate(size_of::<table::Head>());
            self.read(at, &mut bytes).map_err(|_| NoTable::None)?;
        }
        Table::parse(&bytes)
    }
}

impl Memory for Process {
    fn read(&self, at: u64, into: &mut [u8]) -> Result<(), Unreadable> {
        match &self.source {
            Source::Live(live) => live.read(at, into),
            Source::Core(core) => core.read(at, into),
        }
    }

    fn read_many(&self, pieces: &mut [Piece<'_>]) -> Vec<bool> {
        match &self.source {
            Source::Live(live) => live.read_many(pieces),
            Source::Core(core) => core.read_many(pieces),
        }
    }

    fn wait(&self, moment: Duration) -> bool {
        match &self.source {
            Source::Live(live) => Memory::wait(live, moment),
            Source::Core(core) => core.wait(moment),
        }
    }
}

impl Procfs for Process {
    fn open(&self, name: &str) -> Option<Box<dyn Read>> {
        Some(Box::new(File::open(format!("/proc/{}/{name}", self.live()?.by)).ok()?))
    }

    fn link(&self, name: &str) -> Option<String> {
        let link = fs::read_link(format!("/proc/{}/{name}", self.live()?.by)).ok()?;
        Some(link.to_string_lossy().into_owned())
    }

    fn os_threads(&self) -> Vec<u32> {
        self.live().map_or_else(Vec::new, |live| live::os_threads(live.pid).collect())
    }

    fn numbers(&self, folder: &str) -> Vec<u32> {
        let Some(live) = self.live() else { return Vec::new() };
        let entries = fs::read_dir(format!("/proc/{}/{folder}", live.by)).into_iter().flatten();
        entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
    }

    fn unix_peers(&self) -> HashMap<u64, u64> {
        self.live().and_then(|live| unix_peers::of(live.by)).unwrap_or_default()
    }

    fn now_ns(&self) -> Option<u64> {
        self.live()?;
        let now = clock_gettime(ClockId::Monotonic);
        Some(now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned())
    }
}

/// What a verb does that shows something of a process, given the arguments behind it.
pub(crate) fn show(
    args: Vec<OsString>,
    verb: &str,
    help: &str,
    show: impl FnOnce(&Process) -> Result<String, Refusal>,
) -> ExitCode {
    look(args, verb, help, |process| {
        let text = show(process)?;
        print(&text)
    })
}

/// Prints what was seen.
///
/// # Errors
///
/// If it cannot be written.
pub(crate) fn print(text: &str) -> Result<(), Refusal> {
    crate::print(text).map_err(|error| Reason::NotWritten.with(error.to_string()))
}

/// The same of one that shows it by itself.
pub(crate) fn look(
    args: Vec<OsString>,
    verb: &str,
    help: &str,
    look: impl FnOnce(&Process) -> Result<(), Refusal>,
) -> ExitCode {
    if asks_for_help(&args) {
        return told(&format!("{help}{}", statuses()));
    }
    let target = match target(&args) {
        Ok(target) => target,
        Err(error) => return not_understood(&error, &format!("sylvan {verb} --help")),
    };
    let look = |process: Process| {
        process.tell_of_missing();
        look(&process)
    };
    match Process::open(&target).and_then(look) {
        Ok(()) => ExitCode::SUCCESS,
        Err(refusal) => {
            complain(&format!("error: {refusal}"));
            ExitCode::from(refusal.status())
        }
    }
}

/// Whom the rest of a command line names: `PID`, or `--core FILE EXE`.
///
/// # Errors
///
/// What is wrong with it.
pub(crate) fn target(args: &[OsString]) -> Result<Target, String> {
    let others = args.iter().filter(|arg| *arg != "--core");
    if let Some(option) = others.clone().find(|arg| arg.as_bytes().starts_with(b"-")) {
        return Err(unexpected(option));
    }
    match args {
        [option, core, program] if option == "--core" => {
            Ok(Target::Core(Path::new(core).to_owned(), Path::new(program).to_owned()))
        }
        _ if others.count() < args.len() => Err("`--core` expected a file and a program".into()),
        [pid] => match pid.to_str().and_then(|pid| pid.parse().ok()).filter(|pid| *pid > 0) {
            Some(pid) => Ok(Target::Process(pid)),
            None => Err(format!("expected the number of a process, got `{}`", pid.display())),
        },
        [] => Err("expected the number of a process".into()),
        [_, second, ..] => Err(unexpected(second)),
    }
}

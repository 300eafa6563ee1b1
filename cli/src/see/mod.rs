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

mod account;
mod core_file;
mod files;
#[allow(unsafe_code, reason = "reads another process's memory into its own")]
mod live;
mod notes;
mod refusal;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sylvan_sight::memory::Piece;
use sylvan_sight::table::{self, NoTable, Table};
use sylvan_sight::{Memory, Unreadable};

pub(crate) use account::{Account, Row};
use core_file::CoreFile;
use live::Live;
pub(crate) use refusal::{Reason, Refusal, statuses};

use crate::not_understood;

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

/// A mapping of a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// Where in the file it begins.
    pub(crate) offset: u64,
    pub(crate) file: PathBuf,
}

/// A call of the kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call {
    /// Which one, as the kernel counts them.
    pub(crate) number: i64,
    /// Its first argument.
    pub(crate) first: u64,
    pub(crate) stack_pointer: u64,
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

    /// Its number; none of a core file.
    pub(crate) fn pid(&self) -> Option<u32> {
        match &self.source {
            Source::Live(live) => Some(live.pid),
            Source::Core(_) => None,
        }
    }

    /// The call of the kernel that one of its OS threads is in.
    pub(crate) fn call(&self, os_thread: u32) -> Option<Call> {
        match &self.source {
            Source::Live(live) => live.call(os_thread),
            Source::Core(_) => None,
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
        let mut other_version = None;
        let first_of_file = self.mappings().iter().filter(|mapping| mapping.offset == 0);
        let mut found = Vec::new();
        for mapping in first_of_file {
            let Some(at) = self.table_of(mapping.start) else { continue };
            match self.read_table(at) {
                Ok(table) => found.push(Runtime { object: mapping.file.clone(), table }),
                Err(NoTable::Version(version)) => other_version = Some((&mapping.file, version)),
                Err(NoTable::Other) => {}
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
            return Err(match other_version {
                Some((file, version)) => Reason::OtherVersion.with(format!(
                    "the runtime in {} has version {version} of the table, and this reads version {}",
                    file.display(),
                    table::VERSION
                )),
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
        let segments = notes::segments(|at, into| self.read(start + at, into).is_ok())?;
        let bias = start.wrapping_sub(segments.first_load & !(notes::PAGE - 1));
        segments.notes.iter().find_map(|(address, len)| {
            let at = bias.wrapping_add(*address);
            let mut bytes = vec![0; usize::try_from(*len).ok()?];
            self.read(at, &mut bytes).ok()?;
            table::find(&bytes, at)
        })
    }

    fn read_table(&self, at: u64) -> Result<Table, NoTable> {
        let mut bytes = vec![0; table::LEN];
        if self.read(at, &mut bytes).is_err() {
            // One of another version may be shorter.
            bytes.truncate(size_of::<table::Head>());
            self.read(at, &mut bytes).map_err(|_| NoTable::Other)?;
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
}

/// What a verb does that shows something of a process, given the arguments behind it.
pub(crate) fn show(
    args: Vec<OsString>,
    verb: &str,
    help: &str,
    show: impl FnOnce(&Process) -> Result<String, Refusal>,
) -> ExitCode {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        print!("{help}{}", statuses());
        return ExitCode::SUCCESS;
    }
    let target = match target(&args) {
        Ok(target) => target,
        Err(error) => return not_understood(&error, &format!("sylvan {verb} --help")),
    };
    match Process::open(&target).and_then(|process| show(&process)) {
        Ok(text) => {
            // Whoever reads it may have seen enough.
            let _ = io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(refusal) => {
            eprintln!("error: {refusal}");
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
    match args {
        [option, core, program] if option == "--core" => {
            Ok(Target::Core(Path::new(core).to_owned(), Path::new(program).to_owned()))
        }
        [option, ..] if option == "--core" => Err("`--core` expected a file and a program".into()),
        [pid] => match pid.to_str().and_then(|pid| pid.parse().ok()).filter(|pid| *pid > 0) {
            Some(pid) => Ok(Target::Process(pid)),
            None => Err(format!("expected the number of a process, got `{}`", pid.display())),
        },
        [] => Err("expected the number of a process".into()),
        [_, second, ..] => Err(format!("unexpected argument `{}`", second.display())),
    }
}

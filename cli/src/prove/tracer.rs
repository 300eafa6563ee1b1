//! Starts a program under the platform's tracer, and stops it.
//!
//! The tracer stays as long as a process of the program does, so it is the program that is told
//! to stop: `SIGTERM` to each of its processes, then `SIGKILL`. The tracer then writes how they
//! ended and ends itself.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind};
use std::path::PathBuf;
use std::process::{self, Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, fmt, thread};

use rustix::process::{Pid, Signal, kill_process};

use super::ended::{Ended, Listener};
use super::{Format, Trace};

/// How long a program may take to follow a signal.
const PATIENCE: Duration = Duration::from_secs(5);

/// Why there is no trace.
#[derive(Debug)]
pub enum Error {
    /// The tracer is not installed, or there is none for this platform: the text says what to do.
    NoTracer(&'static str),
    /// The tracer ran and traced nothing.
    NothingTraced,
    /// A file or a process could not be dealt with.
    Io(io::Error),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTracer(text) => f.write_str(text),
            Self::NothingTraced => {
                let tracer = if cfg!(target_os = "macos") {
                    "`dtruss` (it wants root, and system integrity protection off for dtrace)"
                } else {
                    "`strace` (a container must allow `ptrace`: `--cap-add=SYS_PTRACE`)"
                };
                write!(f, "nothing was traced: is there such a program, and may {tracer} trace it?")
            }
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The tracer of one platform.
#[derive(Clone, Copy, Debug)]
struct Tracer {
    command: &'static [&'static str],
    /// Whether it writes to a file of its own, named by the next argument, or to standard error.
    names_file: bool,
    format: Format,
    how_to_get_it: &'static str,
}

const STRACE: Tracer = Tracer {
    command: &["strace", "-f", "-y", "-ttt", "-T", "-o"],
    names_file: true,
    format: Format::Strace,
    how_to_get_it: "`strace` is missing: install it with `apt-get install strace`, \
                    `dnf install strace` or `pacman -S strace`",
};

const DTRUSS: Tracer = Tracer {
    command: &["dtruss", "-f", "-d", "-e"],
    names_file: false,
    format: Format::Dtruss,
    how_to_get_it: "`dtruss` is missing: it is part of macOS, in `/usr/bin`",
};

fn tracer_of_this_platform() -> Result<Tracer, Error> {
    match env::consts::OS {
        "linux" => Ok(STRACE),
        "macos" => Ok(DTRUSS),
        _ => Err(Error::NoTracer("programs can be traced on Linux and macOS only")),
    }
}

/// A program that runs under a tracer. Dropped, it is stopped.
#[derive(Debug)]
pub struct Traced {
    child: Child,
    /// Where the tracer leaves standard error to the program.
    listener: Option<Listener>,
    ended: Option<Ended>,
    format: Format,
    file: PathBuf,
}

impl Traced {
    /// Starts a program; its standard output goes to `stdout`, its input is empty. What it writes to standard
    /// error is passed on.
    ///
    /// # Errors
    ///
    /// When there is no tracer, or it cannot be started.
    pub fn start<A: AsRef<OsStr>>(
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
        stdout: Stdio,
    ) -> Result<Self, Error> {
        let tracer = tracer_of_this_platform()?;
        let file = file_of_its_own();
        let output = File::create(&file)?;
        let mut command = Command::new(tracer.command[0]);
        command.args(&tracer.command[1..]);
        if tracer.names_file {
            command.arg(&file).stderr(Stdio::piped());
        } else {
            command.stderr(output);
        }
        command.arg(program).args(args).stdin(Stdio::null()).stdout(stdout);
        match command.spawn() {
            Ok(mut child) => {
                let listener = child.stderr.take().map(Listener::start);
                Ok(Self { child, listener, ended: None, format: tracer.format, file })
            }
            Err(error) => {
                fs::remove_file(&file)?;
                Err(match error.kind() {
                    ErrorKind::NotFound => Error::NoTracer(tracer.how_to_get_it),
                    _ => Error::Io(error),
                })
            }
        }
    }

    /// Takes the program's standard output, where it was [`Stdio::piped`].
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Waits until the program ends or the time is over; how it ended, if it did.
    ///
    /// # Errors
    ///
    /// When the system cannot say.
    pub fn ended_within(&mut self, time: Duration) -> io::Result<Option<Ended>> {
        if self.ended.is_none()
            && let Some(status) = self.status_within(time)?
        {
            let last_words = self.listener.take().map(Listener::last_words).unwrap_or_default();
            self.ended = Some(Ended { status, last_words });
        }
        Ok(self.ended.clone())
    }

    fn status_within(&mut self, time: Duration) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + time;
        loop {
            let status = self.child.try_wait()?;
            let left = deadline.saturating_duration_since(Instant::now());
            if status.is_some() || left.is_zero() {
                return Ok(status);
            }
            thread::sleep(left.min(Duration::from_millis(20)));
        }
    }

    /// Stops the program, if it still runs, and returns its trace.
    ///
    /// # Errors
    ///
    /// When nothing was traced, or the program cannot be stopped.
    pub fn stop(mut self) -> Result<Trace, Error> {
        self.end()?;
        let trace = self.read()?;
        if trace.calls().is_empty() { Err(Error::NothingTraced) } else { Ok(trace) }
    }

    fn end(&mut self) -> io::Result<()> {
        for signal in [Signal::TERM, Signal::KILL] {
            if self.status_within(Duration::ZERO)?.is_some() {
                return Ok(());
            }
            for process in self.read()?.processes() {
                let process = i32::try_from(process).ok().and_then(Pid::from_raw);
                // A process that ended meanwhile needs no signal.
                let _ = process.map(|process| kill_process(process, signal));
            }
            if self.status_within(PATIENCE)?.is_some() {
                return Ok(());
            }
        }
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    fn read(&self) -> io::Result<Trace> {
        Trace::read(BufReader::new(File::open(&self.file)?), self.format)
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        // Nobody is left to be told that this failed.
        let _ = self.end();
        let _ = fs::remove_file(&self.file);
    }
}

fn file_of_its_own() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let name: OsString = format!("sylvan-prove-{}-{n}.trace", process::id()).into();
    env::temp_dir().join(name)
}

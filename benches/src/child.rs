//! Peers as processes: started on their processors, watched, ended by their own pid.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::failure::{Failure, failed};
use crate::peer::Peer;
use crate::sys::{self, CpuClock};

/// The exit code by which a peer says that it has no such scene.
const UNSUPPORTED: i32 = 3;

/// How a peer is to be started.
#[derive(Clone, Debug)]
pub(crate) struct Start<'a> {
    pub(crate) peer: &'a Peer,
    pub(crate) scene: &'a str,
    pub(crate) workers: usize,
    pub(crate) settings: Vec<(&'static str, String)>,
    /// The processors it may run on.
    pub(crate) processors: &'a [usize],
    /// How long it may take to say what is expected of it.
    pub(crate) patience: Duration,
}

/// A process that ends when this goes out of scope.
struct Guard {
    child: Child,
    output: ChildStdout,
    said: Vec<u8>,
    deadline: Instant,
    /// Where its standard error went.
    errors: PathBuf,
}

impl Drop for Guard {
    fn drop(&mut self) {
        // It may have ended by itself; in either case it is collected here.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.errors);
    }
}

impl Start<'_> {
    fn spawn(&self) -> Result<Guard, Failure> {
        let scene = self.peer.scene(self.scene, self.workers).ok_or(Failure::Unsupported)?;
        let errors = scratch("errors");
        let mut command = Command::new(self.peer.binary());
        command
            .arg(scene)
            .arg(format!("workers={}", self.workers))
            .args(self.peer.settings.iter().map(|(key, value)| format!("{key}={value}")))
            .args(self.settings.iter().map(|(key, value)| format!("{key}={value}")))
            .env_remove("SYLVAN_TLS")
            .env("SYLVAN_WORKERS", self.workers.to_string())
            .envs(self.peer.environment.iter().copied())
            .envs(self.peer.preload().map(|library| ("LD_PRELOAD", library)))
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&errors)?);
        let processors = self.processors.to_vec();
        let prepare = move || {
            sys::end_with_parent()?;
            sys::pin(&processors)
        };
        // SAFETY: between fork and exec the closure makes three system calls on memory of its own;
        // it allocates nothing and takes no lock.
        unsafe { command.pre_exec(prepare) };
        let program = self.peer.binary();
        let mut child =
            command.spawn().map_err(|e| failed(format!("{}: {e}", program.display())))?;
        let output = child.stdout.take().expect("it is a pipe");
        let deadline = Instant::now() + self.patience;
        Ok(Guard { child, output, said: Vec::new(), deadline, errors })
    }

    /// Starts a peer that measures by itself, and returns what it found.
    pub(crate) fn measure(&self) -> Result<HashMap<String, f64>, Failure> {
        let mut guard = self.spawn()?;
        let line = guard.line("result ")?;
        Ok(line
            .split_whitespace()
            .filter_map(|word| word.split_once('='))
            .filter_map(|(key, value)| Some((key.to_owned(), value.parse().ok()?)))
            .collect())
    }

    /// Starts a peer that serves, and waits until it does.
    pub(crate) fn server(&self) -> Result<Server, Failure> {
        let mut guard = self.spawn()?;
        let address = guard.line("ready ")?;
        let clock = CpuClock::of(guard.child.id())?;
        Ok(Server { guard, address, clock })
    }

    /// Starts a peer that serves and has `load` make use of it.
    pub(crate) fn serve<T>(
        &self,
        load: impl FnOnce(&Server) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        self.server()?.under(load)
    }
}

impl Guard {
    /// Reads lines until one begins with `word`; returns the rest of it.
    fn line(&mut self, word: &str) -> Result<String, Failure> {
        loop {
            if let Some(end) = self.said.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.said.drain(..=end).collect();
                if let Some(rest) = String::from_utf8_lossy(&line).trim_end().strip_prefix(word) {
                    return Ok(rest.to_owned());
                }
                continue;
            }
            let left = self.deadline.saturating_duration_since(Instant::now());
            if !sys::readable(&self.output, left.as_millis() as i32)? {
                return Err(failed("took too long"));
            }
            let mut bytes = [0; 4096];
            match self.output.read(&mut bytes)? {
                0 => return Err(self.ended()?),
                n => self.said.extend_from_slice(&bytes[..n]),
            }
        }
    }

    /// Why it has closed its output: the exit code, and its last words on standard error.
    fn ended(&mut self) -> io::Result<Failure> {
        let _ = self.child.kill();
        let status = self.child.wait()?;
        if status.code() == Some(UNSUPPORTED) {
            return Ok(Failure::Unsupported);
        }
        let words = std::fs::read_to_string(&self.errors)?;
        Ok(failed(format!("{status}: {}", last_words(&words))))
    }
}

impl Guard {
    /// What there is to add to a failure that the load has seen: how the process ended, if it
    /// did, and what it said.
    fn comment(&mut self) -> String {
        let status = self.child.try_wait().ok().flatten();
        let status = status.map_or("it still runs".to_owned(), |status| status.to_string());
        match std::fs::read_to_string(&self.errors) {
            Ok(words) if !words.is_empty() => format!(" ({status}: {})", last_words(&words)),
            _ => format!(" ({status})"),
        }
    }
}

/// What a peer's standard error says of its end: the message of its first panic, or the last line.
pub(crate) fn last_words(errors: &str) -> &str {
    let mut lines = errors.lines();
    let panic = lines.find(|line| line.contains("panicked at")).and_then(|_| lines.next());
    panic.or(errors.lines().next_back()).unwrap_or("said nothing")
}

/// A peer that serves; it ends when this goes out of scope.
pub(crate) struct Server {
    guard: Guard,
    address: String,
    clock: CpuClock,
}

impl Server {
    /// What it said where it listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn pid(&self) -> u32 {
        self.guard.child.id()
    }

    /// Has `load` make use of it. When that fails, what the server had to say belongs to the
    /// reason.
    pub(crate) fn under<T>(
        &mut self,
        load: impl FnOnce(&Server) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        load(self).map_err(|failure| match failure {
            Failure::Failed(why) => failed(why + &self.guard.comment()),
            Failure::Unsupported => failure,
        })
    }

    /// The processor time of all its threads so far, kernel included.
    pub(crate) fn cpu_time(&self) -> io::Result<Duration> {
        self.clock.now()
    }

    /// Its memory in KiB: resident pages, and the page tables for them.
    pub(crate) fn memory_kib(&self) -> io::Result<(f64, f64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let field = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.trim_end_matches("kB").trim().parse().ok()).unwrap_or(0.0)
        };
        Ok((field("VmRSS:"), field("VmPTE:")))
    }
}

/// A path in the temporary directory that no other run uses.
pub(crate) fn scratch(kind: &str) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    std::env::temp_dir().join(format!("suite-{}-{number}.{kind}", std::process::id()))
}

/// A file that is removed when this goes out of scope, whoever made it.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new(kind: &str) -> Scratch {
        Scratch(scratch(kind))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::last_words;

    #[test]
    fn the_last_words_are_the_message_of_a_panic_or_the_last_line() {
        let panic = "warning\nthread 'a' panicked at x.rs:1:\nout of memory\nnote: run with";
        assert_eq!(last_words(panic), "out of memory");
        assert_eq!(last_words("one\ntwo"), "two");
        assert_eq!(last_words(""), "said nothing");
    }
}

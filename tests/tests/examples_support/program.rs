//! A running example: its output by the line, its exit status, its threads and descriptors.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Mutex, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use super::{Build, PATIENCE};

/// A program that is ended when this is dropped.
pub(crate) struct Program {
    name: String,
    child: Child,
    output: Mutex<Receiver<String>>,
    errors: Mutex<Receiver<String>>,
}

impl Program {
    /// Starts an example.
    pub(crate) fn start(build: Build, name: &str, arguments: &[&str]) -> Program {
        Program::start_with_input(build, name, arguments, "")
    }

    /// Starts an example that finds `input` on its standard input.
    pub(crate) fn start_with_input(
        build: Build,
        name: &str,
        arguments: &[&str],
        input: &str,
    ) -> Program {
        Program::start_with(build, name, arguments, input, &[])
    }

    /// Starts an example on the mirror that records its run into `file`.
    pub(crate) fn start_recorded(name: &str, arguments: &[&str], file: &Path) -> Program {
        let environment = [("SYLVAN_TRACE", file.as_os_str())];
        Program::start_with(Build::Shim, name, arguments, "", &environment)
    }

    fn start_with(
        build: Build,
        name: &str,
        arguments: &[&str],
        input: &str,
        environment: &[(&str, &OsStr)],
    ) -> Program {
        let path = path(build, name);
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let mut child = Command::new(&path)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("failed to start {}: {error}", path.display()));
        let output = lines(child.stdout.take().expect("a piped output"));
        let errors = lines(child.stderr.take().expect("a piped error output"));
        let mut stdin = child.stdin.take().expect("a piped input");
        let program = Program { name, child, output, errors };
        // A program that does not read its input has closed it, perhaps.
        let _ = stdin.write_all(input.as_bytes());
        program
    }

    /// Starts a server on a free port and waits until it listens; its address comes along.
    pub(crate) fn serve(build: Build, name: &str, arguments: &[&str]) -> (Program, SocketAddr) {
        let arguments = [&["127.0.0.1:0"], arguments].concat();
        let program = Program::start(build, name, &arguments);
        let line = program.line();
        let rest = line.strip_prefix("listening on ").expect("a line that says where it listens");
        let address = rest.split(',').next().unwrap_or(rest);
        let address = address.parse().unwrap_or_else(|_| panic!("no address: `{line}`"));
        (program, address)
    }

    /// The next line it prints.
    pub(crate) fn line(&self) -> String {
        let output = self.output.lock().unwrap();
        output.recv_timeout(PATIENCE).unwrap_or_else(|error| {
            panic!("`{}` prints no further line ({error}): {:?}", self.name, self.errors_so_far())
        })
    }

    /// The next `n` lines.
    pub(crate) fn lines(&self, n: usize) -> Vec<String> {
        (0..n).map(|_| self.line()).collect()
    }

    /// The next line on its error output.
    pub(crate) fn error_line(&self) -> String {
        let errors = self.errors.lock().unwrap();
        errors.recv_timeout(PATIENCE).unwrap_or_else(|error| {
            panic!("`{}` prints no further error ({error})", self.name);
        })
    }

    /// Waits for the end; what it printed that was not yet asked for, and how it ended.
    pub(crate) fn wait(mut self) -> (Vec<String>, ExitStatus) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the status of a child") {
                break status;
            }
            assert!(Instant::now() < deadline, "`{}` does not end", self.name);
            thread::sleep(Duration::from_millis(5));
        };
        (self.rest(), status)
    }

    /// Ends it; what it printed that was not yet asked for.
    pub(crate) fn end(mut self) -> Vec<String> {
        self.child.kill().expect("a child to end");
        self.rest()
    }

    /// What it prints until its output ends.
    fn rest(&self) -> Vec<String> {
        let output = self.output.lock().unwrap();
        let mut rest = Vec::new();
        loop {
            match output.recv_timeout(PATIENCE) {
                Ok(line) => rest.push(line),
                Err(RecvTimeoutError::Disconnected) => return rest,
                Err(RecvTimeoutError::Timeout) => {
                    panic!("the output of `{}` does not end", self.name)
                }
            }
        }
    }

    /// How many OS threads it has, where the system tells (Linux).
    pub(crate) fn n_os_threads(&self) -> Option<usize> {
        let status = fs::read_to_string(self.proc("status")?).expect("the status of a process");
        let threads = status.lines().find_map(|line| line.strip_prefix("Threads:"));
        Some(threads.expect("a count of threads").trim().parse().expect("a number"))
    }

    /// How many descriptors it has open, where the system tells (Linux).
    pub(crate) fn n_descriptors(&self) -> Option<usize> {
        Some(fs::read_dir(self.proc("fd")?).expect("the descriptors of a process").count())
    }

    /// How much processor time it has used, where the system tells (Linux).
    pub(crate) fn processor_time(&self) -> Option<Duration> {
        let stat = fs::read_to_string(self.proc("stat")?).expect("the statistics of a process");
        // The name, in parentheses, may contain anything; what follows are the fields from the
        // third on, of which the 14th and 15th count ticks of 10 ms.
        let (_, fields) = stat.rsplit_once(')').expect("a name in parentheses");
        let fields = fields.split_whitespace().skip(14 - 3).take(2);
        let ticks: u64 = fields.map(|field| field.parse::<u64>().expect("a count of ticks")).sum();
        Some(Duration::from_millis(10 * ticks))
    }

    fn proc(&self, file: &str) -> Option<PathBuf> {
        let path = format!("/proc/{}/{file}", self.child.id());
        cfg!(target_os = "linux").then(|| path.into())
    }

    fn errors_so_far(&self) -> Vec<String> {
        self.errors.lock().map(|errors| errors.try_iter().collect()).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            eprintln!("`{}` printed these errors: {:?}", self.name, self.errors_so_far());
        }
    }
}

/// Reads lines on a thread of its own, so that the program never waits for the test.
fn lines(from: impl Read + Send + 'static) -> Mutex<Receiver<String>> {
    let (line_read, lines) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            if line_read.send(line).is_err() {
                break;
            }
        }
    });
    Mutex::new(lines)
}

/// Where an example is, which is built by now.
pub(crate) fn path(build: Build, name: &str) -> PathBuf {
    let name = match build {
        Build::Shim => name.to_owned(),
        Build::OsThreads => format!("{name}-os"),
    };
    directory().join(name).with_extension(std::env::consts::EXE_EXTENSION)
}

/// Where the programs are, for the profile and target that this test was built for.
///
/// They are built at the first call: the packages under test are no dependencies of the tests, so
/// that `cargo test -p tests` alone would find old programs or none.
fn directory() -> &'static Path {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| {
        // This test is `TARGET_DIR/[TRIPLE/]PROFILE/deps/…`; a triple begins with the architecture.
        let test = std::env::current_exe().expect("the path of this test");
        let directory = test.ancestors().nth(2).expect("a directory for the profile");
        let above = directory.parent().expect("a directory above the profile");
        let profile = directory.file_name().and_then(OsStr::to_str).expect("a name in UTF-8");
        let triple = above.file_name().and_then(OsStr::to_str).expect("a name in UTF-8");

        let mut cargo = Command::new(env!("CARGO"));
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        cargo.args(["build", "-p", "examples", "-p", "examples-os-threads"]);
        cargo.args(["-p", "examples-explicit"]);
        cargo.args(["--profile", if profile == "debug" { "dev" } else { profile }]);
        if triple.starts_with(&format!("{}-", std::env::consts::ARCH)) {
            cargo.args(["--target", triple]);
            cargo.arg("--target-dir").arg(above.parent().expect("a target directory"));
        } else {
            cargo.arg("--target-dir").arg(above);
        }
        let output = cargo.output().expect("cargo");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "failed to build the examples:\n{errors}");
        directory.to_owned()
    })
}

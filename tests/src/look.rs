//! Programs that are looked at from outside, and what `sylvan` says of them.

use std::collections::HashMap;
use std::env;
use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

/// What `found` finds in time; what there is meanwhile is its error.
///
/// # Panics
///
/// If it finds nothing.
#[track_caller]
pub fn until<T>(mut found: impl FnMut() -> Result<T, String>) -> T {
    let begin = Instant::now();
    loop {
        match found() {
            Ok(it) => return it,
            Err(said) => assert!(begin.elapsed() < Duration::from_secs(30), "{said}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A program that has said `ready`, and stays until this is dropped.
#[derive(Debug)]
pub struct Scene {
    child: Child,
    _stdin: Option<ChildStdin>,
    /// What it has said before that: the first word of a line, and the others.
    pub said: HashMap<String, Vec<String>>,
}

impl Scene {
    /// Starts it.
    ///
    /// # Panics
    ///
    /// If it does not start, or ends before it is ready.
    pub fn start(command: &mut Command) -> Self {
        Self::start_until("ready", command)
    }

    /// The same of a program that says something else.
    ///
    /// # Panics
    ///
    /// As above.
    pub fn start_until(ready: &str, command: &mut Command) -> Self {
        // As a user gets it, unless a test says otherwise, whatever mode the tests themselves are run in.
        if !command.get_envs().any(|(name, _)| name == "SYLVAN_TLS") {
            command.env("SYLVAN_TLS", "own");
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = once_written(|| command.spawn()).expect("it starts");
        let stdout = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut said = HashMap::new();
        for line in stdout.lines() {
            let line = line.expect("text");
            let mut words = line.split(' ').map(str::to_owned);
            let first = words.next().expect("there is a first one");
            if first == ready {
                let _stdin = child.stdin.take();
                return Self { child, _stdin, said };
            }
            said.insert(first, words.collect());
        }
        panic!("the program has ended: {:?}", child.wait());
    }

    /// Waits until each of its green threads is where it stays, by what `sylvan` says of it, which is at `look`:
    /// a program that is ready may have threads on their way there, for long on a busy machine.
    ///
    /// # Panics
    ///
    /// If they do not get there.
    #[must_use]
    #[track_caller]
    pub fn at_rest(self, look: &str) -> Self {
        let is_on_its_way = |line: &str| {
            let is = |state| line.contains(state);
            is(" not started ") || is(" runnable ") || is(" running ") && !is(" computes ")
        };
        until(|| {
            let said = self::look(look, &["ps", &self.pid().to_string()]);
            assert_eq!((said.status, &*said.stderr), (Some(0), ""), "{said:?}");
            if said.stdout.lines().any(is_on_its_way) { Err(said.stdout) } else { Ok(()) }
        });
        self
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends it a signal.
    ///
    /// # Panics
    ///
    /// If that cannot be done.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it is there");
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a program that this process has just written, as often as it takes: a child that another thread has
/// forked meanwhile has the file open for writing, until it is another program.
///
/// # Errors
///
/// If it does not start for another reason.
pub fn once_written<T>(mut start: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match start() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => {
                std::thread::sleep(Duration::from_millis(1));
            }
            started => return started,
        }
    }
}

/// A program of one file, compiled with these flags, on the mirror that the tests were built with; it is in the folder of
/// its source.
///
/// # Panics
///
/// If it does not compile.
pub fn compile(source: &Path, flags: &[&str]) -> PathBuf {
    // Which of those that there may be: nothing is built.
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "tests", "--bin", "parked"])
        .arg("--message-format=json")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    let built = String::from_utf8(built.stdout).expect("text");
    let is_mirror = |it: &&str| it.contains("libstd_shim-") && it.ends_with(".rlib");
    let mirror = built.split('"').find(is_mirror).unwrap_or_else(|| panic!("{built}"));
    let program = source.with_extension("");
    let compiled = Command::new(env::var_os("RUSTC").unwrap_or("rustc".into()))
        .arg("--edition=2024")
        .args(flags)
        .arg(format!("-Ldependency={}", Path::new(mirror).parent().expect("a folder").display()))
        .arg(format!("--extern=std_shim={mirror}"))
        .args([source.as_os_str(), "-o".as_ref(), program.as_os_str()])
        .status()
        .expect("the compiler runs");
    assert!(compiled.success(), "{} does not compile", source.display());
    program
}

/// What `sylvan` has said.
#[derive(Debug)]
pub struct Said {
    /// Its exit status.
    pub status: Option<i32>,
    /// Its output.
    pub stdout: String,
    /// Its errors.
    pub stderr: String,
}

/// Runs `sylvan`, which is at `program`.
///
/// # Panics
///
/// If it does not run, or says what is no text.
pub fn look(program: &str, args: &[&str]) -> Said {
    let output = Command::new(program).args(args).output().expect("it runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Said { status: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Asserts that `sylvan` with these arguments ends with this status, and says in one line why.
///
/// # Panics
///
/// If it does not.
#[track_caller]
pub fn assert_refuses(program: &str, args: &[&str], status: i32, why: &str) {
    let said = look(program, args);
    assert_eq!((said.status, &*said.stdout), (Some(status), ""), "{said:?}");
    assert_eq!(said.stderr.lines().count(), 1, "{said:?}");
    assert!(said.stderr.starts_with("error: ") && said.stderr.contains(why), "{said:?}");
}

/// Asserts that a verb of `sylvan` refuses what none can look at; `scene` is a program that has the runtime.
///
/// # Panics
///
/// If it does not.
#[track_caller]
pub fn assert_refuses_others(program: &str, verb: &str, scene: &str) {
    assert_refuses(program, &[verb, "4194305"], 120, "there is no such process");
    let mut other = Command::new("sleep").arg("1000").spawn().expect("it starts");
    let pid = other.id().to_string();
    assert_refuses(program, &[verb, &pid], 122, "no runtime of sylvan");
    other.kill().expect("it is there");
    other.wait().expect("it ends");
    assert_refuses(program, &[verb, "--core", "/etc/passwd", scene], 124, "no core file");
    assert_refuses(program, &[verb, "me"], 2, "`me`");
    assert_refuses(program, &[verb], 2, "expected the number of a process");
}

/// Ends a program by `SIGABRT`, and returns the core file that the kernel has written, below `folder`, in which it
/// was started with no limit on it; `None`, which says why, where the kernel leaves core files to somebody else.
///
/// # Panics
///
/// If there is no core file.
pub fn core_of(mut scene: Scene, folder: &Path) -> Option<PathBuf> {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").expect("it is there");
    if !pattern.starts_with("core") {
        eprintln!("left out: the kernel's core_pattern is {pattern}");
        return None;
    }
    scene.signal(rustix::process::Signal::ABORT);
    scene.child.wait().expect("it ends");
    let mut files =
        fs::read_dir(folder).expect("it is there").map(|file| file.expect("one").path());
    Some(files.next().expect("a core file"))
}

//! A scene in a process of its own: for what ends a process, limits it, or is counted in it.
//!
//! The process is this test binary once more, told to run the one test that asked for it. So a test
//! is a function of a [`Process`]: up to [`Process::run`] it runs twice, in the test and in the
//! child; the scene runs in the child alone, and what follows in the test alone.
//!
//! `in_each_mode!` makes two tests of each such function: in one the child's green threads have
//! thread-locals of their own, in the other they share the worker's (`SYLVAN_TLS`).

use std::env;
use std::ffi::OsString;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::panic::{self, AssertUnwindSafe};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::counts::{OsThread, os_threads_of};
use crate::rng;

/// Tells a child which test it is to run.
const SCENE: &str = "SYLVAN_TEST_SCENE";

/// What runs this binary, if the processor does not.
const RUNNER: &str = "SYLVAN_TEST_RUNNER";

/// How long a child may take before it counts as stuck, beside the time that a test of stress is to
/// go on.
const PATIENCE: Duration = Duration::from_secs(60);

/// On what the threads of a scene run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// OS threads, by std.
    OsThreads,
    /// Green threads with thread-locals of their own.
    Own,
    /// Green threads that share the worker's thread-locals.
    Shared,
}

impl Way {
    /// The value of `SYLVAN_TLS`, where it matters.
    fn tls(self) -> Option<&'static str> {
        match self {
            Self::OsThreads => None,
            Self::Own => Some("own"),
            Self::Shared => Some("shared"),
        }
    }

    /// Whether it can be had here, and whoever runs the tests has not asked for another one.
    fn is_wanted(self) -> bool {
        match self {
            Self::OsThreads => true,
            Self::Own => sylvan::tls_mode().expect("the runtime") == sylvan::TlsMode::Own,
            Self::Shared => env::var_os("SYLVAN_TLS").is_none_or(|tls| tls == "shared"),
        }
    }
}

/// Makes two tests of each function of a [`Process`]: `own::…`, where each
/// green thread has its own thread-locals, and `shared::…`.
#[macro_export]
macro_rules! in_each_mode {
    ($($name:ident),+ $(,)?) => {
        mod own {
            use $crate::process::{Way, play};
            $(#[test] fn $name() { play(Way::Own, $crate::path!($name), super::$name) })+
        }
        mod shared {
            use $crate::process::{Way, play};
            $(#[test] fn $name() { play(Way::Shared, $crate::path!($name), super::$name) })+
        }
    };
}

/// States facts that hold on OS threads, by std, and in each mode on green ones. The bodies are
/// closures that take a [`Process`] and say `std::…`, as in
/// [`on_each!`](crate::on_each!).
#[macro_export]
macro_rules! on_std_and_in_each_mode {
    (items { $($items:item)* } $(fn $name:ident($process:ident) $body:block)+) => {
        mod os_threads {
            #[allow(unused_imports, reason = "a body may do without any path of std")]
            use ::std as std;
            $($items)*
            $(#[test] fn $name() {
                use $crate::process::{Process, Way, play};
                play(Way::OsThreads, $crate::path!($name), |$process: &Process| $body);
            })+
        }
        mod green_threads {
            #[allow(unused_imports, reason = "a body may do without any path of std")]
            use ::std_shim as std;
            $($items)*
            $(fn $name($process: &$crate::process::Process) { $body })+
            $crate::in_each_mode!($($name),+);
        }
    };
}

/// The name of a test, as the harness has it.
#[doc(hidden)]
#[macro_export]
macro_rules! path {
    ($name:ident) => {
        concat!(module_path!(), "::", stringify!($name))
    };
}

/// The process that a scene is to run in.
#[derive(Debug)]
pub struct Process {
    test: String,
    way: Way,
    env: Vec<(&'static str, OsString)>,
}

/// How a process ended, and what it said.
#[derive(Debug)]
pub struct Ended {
    /// Its status.
    pub status: ExitStatus,
    /// What it wrote to its standard output, the harness's lines included.
    pub stdout: String,
    /// What it wrote to its standard error.
    pub stderr: String,
}

/// What a child unwinds with when its scene is over.
struct SceneIsOver;

/// Runs one test in one way. `path` is the test's name with that of its crate.
///
/// # Panics
///
/// With what `test` panics with.
pub fn play(way: Way, path: &str, test: impl FnOnce(&Process)) {
    let (_, test_name) = path.split_once("::").expect("a test in a module of its file");
    let process = Process { test: test_name.to_owned(), way, env: Vec::new() };
    if !process.is_child() && !way.is_wanted() {
        println!("{test_name}: not here, or not asked for: {way:?}");
        return;
    }
    // The child's `main` goes on to its end, with whatever the scene has left behind.
    if let Err(panic) = panic::catch_unwind(AssertUnwindSafe(|| test(&process)))
        && !panic.is::<SceneIsOver>()
    {
        panic::resume_unwind(panic);
    }
}

impl Process {
    /// On what the scene's threads run.
    pub fn way(&self) -> Way {
        self.way
    }

    /// Sets a variable of the child's environment.
    #[must_use]
    pub fn env(&self, name: &'static str, value: impl Into<OsString>) -> Self {
        let mut env = self.env.clone();
        env.push((name, value.into()));
        Self { test: self.test.clone(), way: self.way, env }
    }

    fn is_child(&self) -> bool {
        env::var_os(SCENE).is_some_and(|scene| *scene == *self.test)
    }

    /// Runs `scene` in a child, and returns how that ended. In the child: does not return.
    ///
    /// # Panics
    ///
    /// If the child is stuck: says what its threads were doing, and ends it.
    pub fn run(&self, scene: impl FnOnce()) -> Ended {
        if self.is_child() {
            scene();
            panic::resume_unwind(Box::new(SceneIsOver));
        }
        let seed = rng::seed_from_env().unwrap_or_else(rng::new_seed);
        let child = this_test()
            .args(["--exact", &self.test, "--nocapture", "--test-threads=1"])
            .env(SCENE, &self.test)
            .env(rng::SEED, seed.to_string())
            .env_remove("RUST_BACKTRACE")
            .env_remove("SYLVAN_TLS")
            .envs(self.way.tls().map(|tls| ("SYLVAN_TLS", tls)))
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a child");
        let ended = wait(child);
        println!("{} of {:?}, SYLVAN_SEED={seed}", self.test, self.way);
        print!("{}", ended.stdout);
        eprint!("{}", ended.stderr);
        ended
    }

    /// As `run`, for a scene that is to come to its end.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn passes(&self, scene: impl FnOnce()) -> Ended {
        let ended = self.run(scene);
        assert!(ended.status.success(), "the scene failed: {}", ended.status);
        ended
    }
}

impl Ended {
    /// The signal that ended the process, if one did.
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }

    /// What the harness and the scene wrote, after this mark of the scene's.
    ///
    /// # Panics
    ///
    /// If there is no such mark.
    pub fn said(&self, what: &str) -> &str {
        let (_, rest) = self.stdout.split_once(what).expect("the scene says so");
        rest.lines().next().unwrap_or_default().trim()
    }
}

/// This test binary once more, by what it is run with where the processor is another one: the words of
/// `SYLVAN_TEST_RUNNER`.
///
/// # Panics
///
/// If there is no telling where it is.
pub fn this_test() -> Command {
    let path = env::current_exe().expect("the path of this test");
    match env::var(RUNNER) {
        Ok(runner) => {
            let mut words = runner.split_whitespace();
            let mut command = Command::new(words.next().expect("a program to run the tests with"));
            command.args(words).arg(path);
            command
        }
        Err(_) => Command::new(path),
    }
}

/// Waits for the end of `child`; what it wrote.
fn wait(mut child: Child) -> Ended {
    let stdout = read(child.stdout.take().expect("a piped output"));
    let stderr = read(child.stderr.take().expect("a piped output"));
    let begin = Instant::now();
    let patience = PATIENCE + rng::stress_time();
    let status = loop {
        if let Some(status) = child.try_wait().expect("the status of a child") {
            break Some(status);
        }
        if begin.elapsed() > patience {
            break None;
        }
        thread::sleep(Duration::from_millis(2));
    };
    let doing = status.is_none().then(|| threads_of(child.id()));
    let status = status.unwrap_or_else(|| {
        child.kill().expect("a child to end");
        child.wait().expect("the status of a child")
    });
    let stdout = stdout.join().expect("what the child wrote");
    let stderr = stderr.join().expect("what the child wrote");
    if let Some(doing) = doing {
        panic!("the child is stuck\n{stdout}\n{stderr}\nits threads:\n{doing}");
    }
    Ended { status, stdout, stderr }
}

/// The calling OS thread, and the threads and processes that it is going to start, have one processor
/// from now on.
///
/// # Panics
///
/// When the kernel does not allow it.
#[cfg(target_os = "linux")]
pub fn stay_on_one_processor() {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let all = sched_getaffinity(None).expect("the processors of this thread");
    let first = (0..CpuSet::MAX_CPU).find(|cpu| all.is_set(*cpu)).expect("a processor");
    let mut one = CpuSet::new();
    one.set(first);
    sched_setaffinity(None, &one).expect("one of them");
}

fn read(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// What the OS threads of a process are doing, a line each.
fn threads_of(process: u32) -> String {
    let line = |thread: &OsThread| {
        let (stat, call) = (thread.read("stat"), thread.read("syscall"));
        let state = stat.rsplit(") ").next().and_then(|rest| rest.get(..1)).unwrap_or("?");
        format!("{:16} {state} system call {}\n", thread.name, call.trim())
    };
    match os_threads_of(process) {
        Ok(threads) => threads.iter().map(line).collect(),
        Err(error) => format!("no way to tell: {error}"),
    }
}

//! Whole programs: C sources of `tests/whole`, compiled once, and run on OS threads and on green ones.
//!
//! A program prints what it has found. That it prints the same both times, and ends the same way, is the
//! fact; what it prints is looked at by the test.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

/// The library that makes a program green, built if need be.
pub fn preload() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let built = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "sylvan-preload"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .expect("cargo runs");
        assert!(built.success(), "the library does not build");
        let library = target().join("libsylvan_preload.so");
        assert!(library.exists(), "{} is not there", library.display());
        library
    })
}

/// `target/debug`, in which this very program is.
fn target() -> PathBuf {
    let this = env::current_exe().expect("a test knows where it is");
    this.ancestors().nth(2).expect("target/debug/deps/test").to_owned()
}

/// The program of `tests/whole/NAME.c`, compiled.
pub fn program(name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("whole").join(name).with_extension("c");
    compile(&source, "cc", &["-std=gnu11"])
}

/// A source, compiled by this compiler, where it was not before.
pub fn compile(source: &Path, compiler: &str, flags: &[&str]) -> PathBuf {
    let folder = target().join("whole");
    std::fs::create_dir_all(&folder).expect("a folder for the programs");
    let name = source.file_stem().expect("a source has a name");
    let program = folder.join(name);
    // One test of a binary after the other.
    static COMPILING: Mutex<()> = Mutex::new(());
    let _compiling = COMPILING.lock().unwrap_or_else(PoisonError::into_inner);
    let time = |path: &Path| path.metadata().and_then(|it| it.modified()).ok();
    if time(&program).is_none_or(|built| time(source).is_none_or(|written| written >= built)) {
        // Another binary may need it at the same time.
        let fresh = folder.join(format!("{}.{}", name.display(), std::process::id()));
        let compiled = Command::new(compiler)
            .args(["-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pthread"])
            .args(flags)
            .arg(source)
            .arg("-o")
            .arg(&fresh)
            .arg("-lm")
            .status()
            .expect("a compiler runs");
        assert!(compiled.success(), "{} does not compile", source.display());
        std::fs::rename(&fresh, &program).expect("the program goes to its place");
    }
    program
}

/// Has a command run with its threads green.
pub fn green(command: &mut Command) -> &mut Command {
    // They have thread-locals of their own, or are none.
    command.env_remove("SYLVAN_TLS").env("LD_PRELOAD", preload())
}

/// How long a program may run: far longer than any needs, on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs a command to its end; kills it, and fails, if that does not come.
pub fn finish(command: &mut Command) -> Output {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let id = child.id();
    let (done, is_done) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let guard = scope.spawn(move || {
            let is_late = is_done.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout);
            if is_late {
                let killed = Command::new("kill").args(["-KILL", &id.to_string()]).status();
                assert!(killed.is_ok_and(|status| status.success()), "{id} cannot be killed");
            }
            is_late
        });
        let output = child.wait_with_output().expect("the program ends");
        drop(done);
        assert!(!guard.join().expect("it waits"), "no end in time:\n{}", show(&output));
        output
    })
}

fn show(output: &Output) -> String {
    format!(
        "{}\n--- standard output\n{}--- standard error\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// What a program prints, which is the same on OS threads and on green ones, as is its status: on one worker
/// and on as many as there are processors.
pub fn same(name: &str, arguments: &[&str]) -> String {
    let program = program(name);
    same_command(name, || {
        let mut command = Command::new(&program);
        command.args(arguments);
        command
    })
}

/// The same for any command.
pub fn same_command(name: &str, command: impl Fn() -> Command) -> String {
    let os = finish(&mut command());
    let runs =
        [finish(green(&mut command()).env("SYLVAN_WORKERS", "1")), finish(green(&mut command()))];
    for green in &runs {
        assert!(
            os.status == green.status && os.stdout == green.stdout,
            "{name} differs\n=== on OS threads\n{}=== green\n{}",
            show(&os),
            show(green)
        );
    }
    String::from_utf8_lossy(&os.stdout).into_owned()
}

/// How many OS threads a process has.
pub fn os_threads(process: u32) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("it is there");
    let count = status.lines().find_map(|line| line.strip_prefix("Threads:"));
    count.expect("the kernel counts threads").trim().parse().expect("it is a number")
}

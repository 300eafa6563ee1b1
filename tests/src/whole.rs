//! Whole programs: C sources of `tests/whole`, compiled once, and run on OS threads and on green ones.
//!
//! A program prints what it has found. That it prints the same both times, and ends the same way, is the
//! fact; what it prints is looked at by the test.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::{Mutex, OnceLock, PoisonError};

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
            .status()
            .expect("a compiler runs");
        assert!(compiled.success(), "{} does not compile", source.display());
        std::fs::rename(&fresh, &program).expect("the program goes to its place");
    }
    program
}

/// Has a command run with its threads green.
pub fn green(command: &mut Command) -> &mut Command {
    command.env("LD_PRELOAD", preload())
}

/// What a program prints, which is the same on OS threads and on green ones, as is its status.
pub fn same(name: &str, arguments: &[&str]) -> String {
    let program = program(name);
    let run = |is_green: bool| {
        let mut command = Command::new(&program);
        command.args(arguments);
        if is_green {
            green(&mut command);
        }
        command.output().expect("the program runs")
    };
    let (os, green) = (run(false), run(true));
    let show = |output: &Output| {
        format!(
            "{}\n--- standard output\n{}--- standard error\n{}",
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        )
    };
    assert!(
        os.status == green.status && os.stdout == green.stdout,
        "{name} differs\n=== on OS threads\n{}=== green\n{}",
        show(&os),
        show(&green)
    );
    String::from_utf8_lossy(&green.stdout).into_owned()
}

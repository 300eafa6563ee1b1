//! Programs of other people's, as Debian has them, each on OS threads and green: started, asked by real
//! clients, checked and stopped.
//!
//! A test is one body for both, by [`on_each`]. A program runs in a process group of its own, on the
//! loopback, and is gone when its [`Program`] is, whatever happens.

pub mod client;
mod folder;
mod program;
pub mod servers;

pub use folder::{Folder, free_address};
pub use program::{Program, limit_of_files};

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What the threads of a program are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// The kernel's: the program as it is.
    Os,
    /// `sylvan run`'s.
    Green,
}

impl Threads {
    /// Both kinds.
    pub const ALL: [Self; 2] = [Self::Os, Self::Green];

    /// A command that runs a program so.
    pub fn command(self, program: impl AsRef<OsStr>) -> Command {
        match self {
            Self::Os => Command::new(program),
            Self::Green => {
                let mut command = Command::new(sylvan());
                command.arg("run").arg(program);
                command
            }
        }
    }
}

/// Runs the body of a test on both kinds of threads. Skips it, with a word, where a program is missing.
pub fn on_each(needs: &[&str], body: impl Fn(Threads)) {
    if needs.iter().any(|program| is_missing(program)) {
        return;
    }
    for threads in Threads::ALL {
        eprintln!("--- {threads:?}");
        body(threads);
    }
}

fn is_missing(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let is_there = std::env::split_paths(&paths).any(|folder| folder.join(program).is_file());
    if !is_there {
        eprintln!("SKIPPED: {program} is not installed (see ci/install.sh)");
    }
    !is_there
}

/// `sylvan`, built with its library as users build it, if need be; or what `SYLVAN` names.
pub fn sylvan() -> &'static Path {
    static SYLVAN: OnceLock<PathBuf> = OnceLock::new();
    SYLVAN.get_or_init(|| {
        if let Some(path) = std::env::var_os("SYLVAN") {
            return path.into();
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target = root.join("target");
        let built = Command::new(env!("CARGO"))
            .args(["build", "--release", "--locked", "--package", "sylvan-cli"])
            .args(["--package", "sylvan-preload", "--quiet", "--target-dir"])
            .arg(&target)
            .current_dir(&root)
            .status()
            .expect("cargo runs");
        assert!(built.success(), "sylvan does not build");
        std::fs::canonicalize(target.join("release/sylvan")).expect("it has been built")
    })
}

/// A program of `guests/`.
pub fn guest(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("guests").join(name)
}

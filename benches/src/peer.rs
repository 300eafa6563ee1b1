//! Who takes part, and how each of them is built.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;

/// One row of the tables.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) kind: Kind,
    source: Source,
    /// What its process is told besides the scene.
    pub(crate) settings: &'static [(&'static str, &'static str)],
    /// What its environment has besides the suite's own.
    pub(crate) environment: &'static [(&'static str, &'static str)],
    plays: Plays,
    /// How many threads of its kind a case may ask of it.
    pub(crate) most_threads: usize,
}

/// The machine has numbers for some 32,000 OS threads, of all programs together; nobody else is to
/// run out of them.
const MOST_OS_THREADS: usize = 12_000;

/// On which side of a comparison a peer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What all this is about.
    Shim,
    /// Another way to write the same server.
    Peer,
    /// No threads and no tasks: what can be had at most.
    Limit,
}

#[derive(Debug)]
enum Source {
    /// A package of this workspace and the binary of the same name.
    Package(&'static str),
    /// The same, started with the library that makes its threads green.
    Whole(&'static str),
    /// The Go source beside them.
    Go,
}

#[derive(Debug, PartialEq, Eq)]
enum Plays {
    /// Whatever its process does not decline.
    Any,
    /// The same, on one worker only.
    AnyAlone,
    /// One scene, which its process knows by another name.
    Only { scene: &'static str, as_scene: &'static str },
}

/// All peers; the first one is what the others are compared with.
pub(crate) const ALL: &[Peer] = &[
    Peer {
        name: "shim",
        about: "std-shim: plain std source, a green thread per client",
        kind: Kind::Shim,
        source: Source::Package("peer-shim"),
        settings: &[],
        environment: &[],
        plays: Plays::Any,
        most_threads: usize::MAX,
    },
    Peer {
        name: "shim-shared",
        about: "the same, thread-locals shared by the threads of a worker (SYLVAN_TLS=shared)",
        kind: Kind::Shim,
        source: Source::Package("peer-shim"),
        settings: &[],
        environment: &[("SYLVAN_TLS", "shared")],
        plays: Plays::Any,
        most_threads: usize::MAX,
    },
    Peer {
        name: "shim-traced",
        about: "the same as `shim`, while its run is recorded (SYLVAN_TRACE)",
        kind: Kind::Shim,
        source: Source::Package("peer-shim"),
        settings: &[],
        environment: &[("SYLVAN_TRACE", "/dev/null")],
        plays: Plays::Only { scene: "echo-tcp", as_scene: "echo-tcp" },
        most_threads: usize::MAX,
    },
    Peer {
        name: "shim-plain",
        about: "the same as `shim`, without the timeouts that the scene asks for",
        kind: Kind::Shim,
        source: Source::Package("peer-shim"),
        settings: &[],
        environment: &[],
        plays: Plays::Only { scene: "timeouts", as_scene: "echo-tcp" },
        most_threads: usize::MAX,
    },
    Peer {
        name: "threads",
        about: "the same source on std: an OS thread per client",
        kind: Kind::Peer,
        source: Source::Package("peer-threads"),
        settings: &[],
        environment: &[],
        plays: Plays::Any,
        most_threads: MOST_OS_THREADS,
    },
    Peer {
        name: "whole",
        about: "the program of `threads`, as it is, with its threads made green (LD_PRELOAD)",
        kind: Kind::Shim,
        source: Source::Whole("peer-threads"),
        settings: &[],
        environment: &[],
        plays: Plays::Any,
        most_threads: usize::MAX,
    },
    Peer {
        name: "may",
        about: "may: a stackful coroutine per client",
        kind: Kind::Peer,
        source: Source::Package("peer-may"),
        settings: &[],
        environment: &[],
        plays: Plays::Any,
        most_threads: usize::MAX,
    },
    Peer {
        name: "may_minihttp",
        about: "may's own HTTP server",
        kind: Kind::Peer,
        source: Source::Package("peer-may"),
        settings: &[],
        environment: &[],
        plays: Plays::Only { scene: "http", as_scene: "minihttp" },
        most_threads: usize::MAX,
    },
    Peer {
        name: "tokio",
        about: "tokio, multi-thread scheduler: a task per client",
        kind: Kind::Peer,
        source: Source::Package("peer-tokio"),
        settings: &[],
        environment: &[],
        plays: Plays::Any,
        most_threads: usize::MAX,
    },
    Peer {
        name: "tokio-local",
        about: "tokio, current-thread scheduler",
        kind: Kind::Peer,
        source: Source::Package("peer-tokio"),
        settings: &[("flavor", "local")],
        environment: &[],
        plays: Plays::AnyAlone,
        most_threads: usize::MAX,
    },
    Peer {
        name: "smol",
        about: "smol: a task per client",
        kind: Kind::Peer,
        source: Source::Package("peer-smol"),
        settings: &[],
        environment: &[],
        plays: Plays::Any,
        most_threads: usize::MAX,
    },
    Peer {
        name: "go",
        about: "Go: a goroutine per client",
        kind: Kind::Peer,
        source: Source::Go,
        settings: &[],
        environment: &[],
        plays: Plays::Any,
        most_threads: usize::MAX,
    },
    Peer {
        name: "epoll",
        about: "a bare epoll loop: the limit of readiness",
        kind: Kind::Limit,
        source: Source::Package("peer-epoll"),
        settings: &[],
        environment: &[],
        plays: Plays::Any,
        most_threads: usize::MAX,
    },
    Peer {
        name: "io_uring",
        about: "a bare io_uring loop: the limit of completion",
        kind: Kind::Limit,
        source: Source::Package("peer-io-uring"),
        settings: &[],
        environment: &[],
        plays: Plays::Any,
        most_threads: usize::MAX,
    },
    Peer {
        name: "switch",
        about: "a bare switch to a stack and back, without a scheduler: the limit of a yield",
        kind: Kind::Limit,
        source: Source::Package("peer-switch"),
        settings: &[],
        environment: &[],
        plays: Plays::AnyAlone,
        most_threads: usize::MAX,
    },
];

impl Peer {
    /// What its process calls `scene`, if it plays it on so many workers.
    pub(crate) fn scene<'a>(&self, scene: &'a str, workers: usize) -> Option<&'a str> {
        match self.plays {
            Plays::Any => Some(scene),
            Plays::AnyAlone => (workers == 1).then_some(scene),
            Plays::Only { scene: only, as_scene } => (scene == only).then_some(as_scene),
        }
    }

    /// Declines a case that asks for more threads than the peer can have.
    pub(crate) fn holds(&self, threads: usize) -> Result<(), Failure> {
        if threads > self.most_threads { Err(Failure::Unsupported) } else { Ok(()) }
    }

    /// Where its program is, once it is built: beside the suite's own.
    pub(crate) fn binary(&self) -> PathBuf {
        match self.source {
            Source::Package(name) | Source::Whole(name) => release_directory().join(name),
            Source::Go => release_directory().join("peer-go"),
        }
    }

    /// The library that it is started with, if there is one.
    pub(crate) fn preload(&self) -> Option<PathBuf> {
        matches!(self.source, Source::Whole(_))
            .then(|| release_directory().join("libsylvan_preload.so"))
    }

    /// Builds its program, or says why that does not work.
    pub(crate) fn build(&self) -> Result<(), String> {
        let benches = sources();
        match self.source {
            Source::Package(name) => run(&mut cargo(name, &benches)),
            Source::Whole(name) => {
                run(&mut cargo("sylvan-preload", benches.parent().unwrap_or(&benches)))?;
                run(&mut cargo(name, &benches))
            }
            Source::Go => {
                let mut go = Command::new(go());
                go.args(["build", "-o"]).arg(self.binary()).arg(".");
                run(go.env("GOTOOLCHAIN", "local").current_dir(benches.join("peers/go")))
            }
        }
    }
}

/// Builds a package of the workspace in a folder.
fn cargo(name: &str, folder: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    let target = release_directory();
    cargo
        .args(["build", "--release", "--quiet", "--package", name])
        .arg("--target-dir")
        .arg(target.parent().unwrap_or(&target))
        .current_dir(folder);
    cargo
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|e| {
        let program = command.get_program().to_string_lossy();
        format!("`{program}` does not start: {e}")
    })?;
    if output.status.success() {
        return Ok(());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let first = errors.lines().find(|line| line.starts_with("error")).or(errors.lines().next());
    Err(format!("does not build: {}", first.unwrap_or("no word why")))
}

/// The Go tool: what the variable GO names, or what `install.sh` has installed, or the first `go`
/// in the path.
pub(crate) fn go() -> OsString {
    let installed = sources().join("target/go/bin/go");
    std::env::var_os("GO").unwrap_or_else(|| match installed.is_file() {
        true => installed.into(),
        false => "go".into(),
    })
}

/// The directory of this package: as `cargo run` says, or where the suite was built.
pub(crate) fn sources() -> PathBuf {
    std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

fn release_directory() -> PathBuf {
    let own = std::env::current_exe().expect("a running program has a path");
    own.parent().expect("a program is in a directory").to_owned()
}

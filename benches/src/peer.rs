//! Who takes part, and how each of them is built.

use std::path::PathBuf;
use std::process::Command;

/// One row of the tables.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    source: Source,
    /// What its process is told besides the scene.
    pub(crate) settings: &'static [(&'static str, &'static str)],
    plays: Plays,
}

#[derive(Debug)]
enum Source {
    /// A package of this workspace and the binary of the same name.
    Package(&'static str),
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
        source: Source::Package("peer-shim"),
        settings: &[],
        plays: Plays::Any,
    },
    Peer {
        name: "threads",
        about: "the same source on std: an OS thread per client",
        source: Source::Package("peer-threads"),
        settings: &[],
        plays: Plays::Any,
    },
    Peer {
        name: "may",
        about: "may: a stackful coroutine per client",
        source: Source::Package("peer-may"),
        settings: &[],
        plays: Plays::Any,
    },
    Peer {
        name: "may_minihttp",
        about: "may's own HTTP server",
        source: Source::Package("peer-may"),
        settings: &[],
        plays: Plays::Only { scene: "http", as_scene: "minihttp" },
    },
    Peer {
        name: "tokio",
        about: "tokio, multi-thread scheduler: a task per client",
        source: Source::Package("peer-tokio"),
        settings: &[],
        plays: Plays::Any,
    },
    Peer {
        name: "tokio-local",
        about: "tokio, current-thread scheduler",
        source: Source::Package("peer-tokio"),
        settings: &[("flavor", "local")],
        plays: Plays::AnyAlone,
    },
    Peer {
        name: "smol",
        about: "smol: a task per client",
        source: Source::Package("peer-smol"),
        settings: &[],
        plays: Plays::Any,
    },
    Peer {
        name: "go",
        about: "Go: a goroutine per client",
        source: Source::Go,
        settings: &[],
        plays: Plays::Any,
    },
    Peer {
        name: "epoll",
        about: "a bare epoll loop: the limit of readiness",
        source: Source::Package("peer-epoll"),
        settings: &[],
        plays: Plays::Any,
    },
    Peer {
        name: "io_uring",
        about: "a bare io_uring loop: the limit of completion",
        source: Source::Package("peer-io-uring"),
        settings: &[],
        plays: Plays::Any,
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

    /// Where its program is, once it is built: beside the suite's own.
    pub(crate) fn binary(&self) -> PathBuf {
        match self.source {
            Source::Package(name) => release_directory().join(name),
            Source::Go => release_directory().join("peer-go"),
        }
    }

    /// Builds its program, or says why that does not work.
    pub(crate) fn build(&self) -> Result<(), String> {
        let benches = sources();
        let mut command = match self.source {
            Source::Package(name) => {
                let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
                let target = release_directory();
                cargo
                    .args(["build", "--release", "--quiet", "--package", name])
                    .arg("--target-dir")
                    .arg(target.parent().unwrap_or(&target))
                    .current_dir(&benches);
                cargo
            }
            Source::Go => {
                let mut go = Command::new("go");
                go.args(["build", "-o"]).arg(self.binary()).arg(".");
                go.env("GOTOOLCHAIN", "local").current_dir(benches.join("peers/go"));
                go
            }
        };
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

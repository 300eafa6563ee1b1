//! The thread-per-client echo is an event loop on the mirror, and is none on std.
//!
//! Both programs are built from the same file. Each runs under `strace` while 1,000 clients are
//! connected at once, each of which sends, compares each byte that comes back, and waits. What an
//! idle client costs is what differs: on std an OS thread in `recvfrom`, on the mirror nothing.
#![cfg(target_os = "linux")]

mod proof_support;

use std::ffi::OsStr;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{env, thread};

use proof_support::start;
use sylvan_cli::prove::{Clients, Report, Verdict, allow_open_files};
use tests::within_bounds;

const CLIENTS: usize = 1000;
const ROUNDS: usize = 3;

/// A runtime has a worker for each processor and at most four helpers.
const HELPERS: usize = 4;

/// The two programs in turn: each has the machine for itself.
static TURN: Mutex<()> = Mutex::new(());

/// Builds an example in the profile of this test, and returns where it is.
fn built(package: &str, binary: &str) -> PathBuf {
    let test = env::current_exe().expect("the path of this test");
    let directory = test.ancestors().nth(2).expect("TARGET/PROFILE/deps/TEST");
    let profile = match directory.file_name().and_then(OsStr::to_str) {
        Some("debug") => "dev",
        profile => profile.expect("a name of a profile"),
    };
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", package, "--bin", binary, "--profile", profile])
        .arg("--target-dir")
        .arg(directory.parent().expect("a target directory"))
        .status()
        .expect("cargo runs");
    assert!(built.success(), "`{binary}` does not build");
    directory.join(binary)
}

/// What the program does while its clients come, talk and wait; `None` where there is no tracer.
fn watched(program: &Path) -> Option<Report> {
    allow_open_files(CLIENTS).expect("descriptors for the clients");
    let (traced, line) = start(program, &["--quiet", "127.0.0.1:0"])?;
    let address = line.strip_prefix("listening on ").expect("the address it listens on");
    let mut clients = Clients::connect(address, CLIENTS).expect("all connect and are echoed");
    for _ in 0..ROUNDS {
        thread::sleep(Duration::from_millis(500));
        clients.round().expect("every byte is echoed");
    }
    thread::sleep(Duration::from_millis(500));
    let trace = traced.stop().expect("a trace");
    assert_eq!(clients.messages(), CLIENTS * (1 + ROUNDS));
    Some(Report::new(&trace, processors()))
}

fn processors() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

#[test]
fn the_echo_on_the_mirror_is_an_event_loop() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let program = built("examples", "echo");
    within_bounds("echo", move || {
        let Some(report) = watched(&program) else { return };
        assert!(!report.event_loop.is_empty(), "nobody waits for events:\n{report}");
        assert!(report.empty_reads > 0, "no empty read said EAGAIN:\n{report}");
        assert!(report.blocked_sockets.is_empty(), "a thread blocked:\n{report}");
        assert!(report.threads <= processors() + HELPERS, "too many OS threads:\n{report}");
        assert_eq!(report.connections, CLIENTS, "{report}");
        assert_eq!(report.verdict(), Verdict::EventLoop, "{report}");
    });
}

#[test]
fn the_same_echo_on_std_is_none() {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let program = built("examples-os-threads", "echo-os");
    within_bounds("echo-os", move || {
        let Some(report) = watched(&program) else { return };
        assert!(report.event_loop.is_empty(), "somebody waits for events:\n{report}");
        assert_eq!(report.threads, CLIENTS, "not a thread for each client:\n{report}");
        let blocked = &report.blocked_sockets["recvfrom"];
        assert_eq!(blocked.threads.len(), CLIENTS, "a handler did not block:\n{report}");
        assert_eq!(report.connections, CLIENTS, "{report}");
        assert!(matches!(report.verdict(), Verdict::OsThreads(_)), "{report}");
    });
}

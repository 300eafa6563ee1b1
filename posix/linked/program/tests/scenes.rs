//! The scenes of the program: right answers, on few OS threads.

use std::process::Command;
use std::time::{Duration, Instant};

/// For 100 to 400 threads that compute for a few milliseconds at most: workers, a monitor, and spares that files were
/// read on, or that have taken a core from a thread that computes, beside much else that does.
const FEW: usize = 50;

/// How many OS threads there were while all waited, and what the scene says at last.
fn scene(name: &str, change: impl FnOnce(&mut Command)) -> (usize, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_linked-program"));
    command.arg(name).env("RUST_BACKTRACE", "0");
    change(&mut command);
    let begin = Instant::now();
    let output = command.output().expect("the program runs");
    assert!(begin.elapsed() < Duration::from_secs(120));
    let said = String::from_utf8(output.stdout.clone()).expect("it is plain");
    assert!(output.status.success(), "{output:?}");
    let mut lines = said.lines();
    let n = lines.next().and_then(|line| line.strip_prefix("OS threads: "));
    let n = n.and_then(|n| n.parse().ok()).expect("the number of OS threads");
    (n, lines.next().expect("a result").to_owned())
}

fn is_green_and_says(name: &str, result: &str) {
    for workers in ["1", "2"] {
        let (n, said) = scene(name, |command| {
            command.env("SYLVAN_WORKERS", workers);
        });
        assert_eq!(said, result);
        assert!(n <= FEW, "{n} OS threads with {workers} workers");
    }
}

#[test]
fn real_std_is_green() {
    is_green_and_says("std", "14829 1");
}

#[test]
fn parking_lot_is_green() {
    is_green_and_says("locks", "4950");
}

#[test]
fn a_shared_library_in_c_is_green() {
    is_green_and_says("library", "300 4200 true");
}

#[test]
fn openssl_is_green() {
    is_green_and_says("tls", "100");
}

#[test]
fn sqlite_is_green() {
    is_green_and_says("database", "30 435");
}

#[test]
fn the_mirror_and_real_std_have_one_runtime() {
    is_green_and_says("mirror", "4950 4950");
}

#[test]
fn turned_off_it_is_on_os_threads() {
    let (n, said) = scene("std", |command| {
        command.env("SYLVAN_PRELOAD", "off");
    });
    assert_eq!((n, &*said), (101, "14829 1"));
}

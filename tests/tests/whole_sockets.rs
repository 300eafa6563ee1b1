//! Whole programs read and write: sockets, pipes, files and streams.

#![cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

use tests::whole::{green, program, same};

/// What reading and writing say: all of a write, timeouts, marks, `SIGPIPE`, numbers that mean other files.
#[test]
fn transfers() {
    let said = same("transfer", &[]);
    assert!(said.contains("pipe: wrote 4194304 in parts, read 4194304, the same 1"), "{said}");
}

/// What ends a call after a part of it is done: a handler, the end of who reads; and what does not, such as times
/// that are kept for who has sent.
#[test]
fn calls_in_parts() {
    let said = same("parts", &[]);
    assert_eq!(said.matches("a handler ends a write after a part: 1").count(), 3, "{said}");
    assert!(said.contains("times are kept: wrote all 1, read all 1, a time 1"), "{said}");
    assert!(said.contains("unix: shut down while a write waits: EPIPE, signals 0"), "{said}");
}

/// An echo of a thousand, messages, descriptors that travel, and errors.
#[test]
fn sockets() {
    let said = same("socket", &[]);
    assert!(said.contains("1000 clients are served"), "{said}");
}

/// The thousand and their servers are on few OS threads.
#[test]
fn an_echo_of_a_thousand_takes_few_os_threads() {
    let mut command = std::process::Command::new(program("socket"));
    let output = green(&mut command).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let n = said.split(':').next_back().and_then(|n| n.trim().parse::<u32>().ok());
    assert!(n.is_some_and(|n| n <= 16), "{said}");
}

/// Whoever waits in a `FILE`, for its lock, or for the other side of a named pipe, holds nobody up.
#[test]
fn streams() {
    let said = same("stdio", &[]);
    assert_eq!(said.matches("beside").count(), said.matches(": 1\n").count(), "{said}");
}

/// Cancellation and handlers end what waits for a descriptor; a timeout keeps a call from going on.
#[test]
fn calls_that_wait_are_cancelled_and_interrupted() {
    let said = same("cancelled_io", &[]);
    assert!(said.contains("call 7: cancelled 1, cleaned 8"), "{said}");
}

#[test]
fn a_writer_of_a_unix_stream_ends_when_writing_is_shut_down() {
    assert_eq!(same("shut", &[]), "all writers have ended\n");
}

#[test]
fn what_a_child_accepts_has_the_timeouts_that_it_has_set_on_a_listener_of_its_parents() {
    assert_eq!(same("inherited", &[]), "recv -1, EAGAIN 1\n");
}

/// The next request is the next turn, also where a program asks the kernel itself not to wait: whoever is always
/// answered in time keeps nobody waiting for milliseconds.
#[test]
fn a_thread_whose_calls_never_wait_has_one_turn_for_each_request() {
    let mut command = std::process::Command::new(program("at_once"));
    let output = green(&mut command).env("SYLVAN_WORKERS", "1").output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.trim().parse::<u32>().is_ok_and(|requests| requests <= 2), "{said}");
}

/// Nor does anybody run in between where that would be in a child of a vfork, or in the midst of a handler.
#[test]
fn calls_that_never_wait_are_made_as_one_in_a_child_of_a_vfork_and_in_handlers() {
    assert_eq!(same("vforked_calls", &[]), "good: 20\n");
    assert_eq!(same("handler_calls", &[]), "stacks: 1500, masks: 1500, faults: 300\n");
}

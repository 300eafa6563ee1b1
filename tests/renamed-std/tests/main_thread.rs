//! What a program on the mirror's main thread is called, and how it ends.

use std::process::{Command, Output};

fn program(argument: &str, environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_renamed-std"))
        .arg(argument)
        .envs(environment.iter().copied())
        .output()
        .expect("the program runs")
}

fn said(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

#[test]
fn the_main_thread_is_called_main() {
    assert_eq!(said(&program("name", &[]).stdout), "Some(\"main\")\n");
}

#[test]
fn the_process_ends_when_main_returns() {
    assert_eq!(program("leave", &[]).status.code(), Some(0));
    assert_eq!(program("fail", &[]).status.code(), Some(2));
}

#[test]
fn a_panic_in_main_is_told_as_std_tells_it() {
    let output = program("panic", &[]);
    assert_eq!(output.status.code(), Some(101));
    assert!(said(&output.stderr).contains("thread 'main' "), "{}", said(&output.stderr));
}

#[test]
fn a_thread_that_cannot_start_makes_spawn_panic() {
    assert_eq!(program("spawn", &[]).status.code(), Some(0));
    let output = program("spawn", &[("RUST_MIN_STACK", &(1_u64 << 60).to_string())]);
    assert_eq!(output.status.code(), Some(101));
    let message = said(&output.stderr);
    assert!(message.contains("failed to spawn thread: "), "{message}");
    assert!(message.contains("kind: WouldBlock"), "{message}");
}

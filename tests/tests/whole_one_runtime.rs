//! One runtime in a process: the library that makes a program green stands aside for one that is there.

#![cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]

use std::process::Command;

use tests::whole;

/// What a program says on standard error that panics on a green thread of its own runtime.
fn said_by_a_program_of_the_mirror(change: impl FnOnce(&mut Command)) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_panics"));
    change(whole::green(command.arg("green")));
    let output = command.output().expect("the program runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).expect("it is plain")
}

#[test]
fn it_stands_aside_for_a_program_that_has_one_and_says_so() {
    let said = said_by_a_program_of_the_mirror(|_| {});
    let line = "sylvan: threads are OS threads: the program has the runtime in it already\n";
    assert!(said.starts_with(line) && said.len() > line.len(), "{said}");
}

#[test]
fn turned_off_by_the_environment_it_says_nothing() {
    let said = said_by_a_program_of_the_mirror(|command| {
        command.env("SYLVAN_PRELOAD", "off");
    });
    assert!(!said.contains("sylvan:"), "{said}");
}

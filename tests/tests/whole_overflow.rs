//! A whole program's thread that overflows its stack.

#![cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]

use std::process::Command;

use tests::whole;

#[test]
fn an_overflow_is_reported_and_ends_the_program_as_ever() {
    whole::same("overflow", &[]);
    let program = whole::program("overflow");
    let output = whole::green(&mut Command::new(program)).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains("thread 'deep-one' (") && said.contains("has overflowed its stack"),
        "{said}"
    );
}

#[test]
fn a_handler_of_the_programs_gets_it() {
    assert_eq!(whole::same("overflow", &["handler"]), "the program's handler\n");
}

#[test]
fn a_thread_need_not_make_a_stack_for_it() {
    assert_eq!(whole::same("overflow", &["handler", "std"]), "the program's handler\n");
    let mut program = Command::new(whole::program("overflow"));
    let output = whole::green(program.args(["handler", "std"])).output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, "there is one, put back 0, still there 1\n");
}

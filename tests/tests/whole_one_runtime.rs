//! One runtime in a process: the library that makes a program green stands aside for one that is there.

#![cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]

use std::path::PathBuf;
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

/// A shared library with a runtime of its own.
fn library() -> PathBuf {
    let target = whole::preload().parent().expect("it is in a folder");
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "sylvan"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo runs");
    assert!(built.success());
    let library = target.join("whole/libsecond_runtime.so");
    let compiled = Command::new("rustc")
        .args(["--edition=2024", "--crate-type=cdylib", "--crate-name=second_runtime"])
        .arg(format!("-Ldependency={}", target.join("deps").display()))
        .arg(format!("--extern=sylvan={}", target.join("libsylvan.rlib").display()))
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/whole/second_runtime.rs"))
        .arg("-o")
        .arg(&library)
        .status()
        .expect("a compiler runs");
    assert!(compiled.success());
    library
}

#[test]
fn a_library_with_a_runtime_that_is_loaded_later_has_it_for_itself() {
    let program = whole::program("second_runtime");
    let output = whole::green(Command::new(program).arg(library())).output();
    let output = output.expect("the program runs");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let line = "sylvan: threads are OS threads: another runtime has started in this process\n";
    assert_eq!(said(&output.stdout), "main: 6\nthreads: 48\n", "{output:?}");
    assert_eq!(said(&output.stderr), line);
}

/// The environment asks for what there is not.
#[test]
fn where_the_runtime_cannot_start_threads_are_os_threads_and_a_line_says_why() {
    let mut command = Command::new(whole::program("constructor"));
    whole::green(command.env("SYLVAN_WORKERS", "none"));
    let output = command.output().expect("the program runs");
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let line = "sylvan: threads are OS threads: `SYLVAN_WORKERS` expected a positive integer, got `none`\n";
    assert_eq!(said(&output.stderr), line);
    assert_eq!(output.status.code(), Some(3));
    assert_eq!(said(&output.stdout).matches("heard 7").count(), 3, "{output:?}");
}

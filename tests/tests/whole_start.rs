//! Whole programs at their beginning and end: threads of constructors, the runtime's start while the loader
//! has its lock, and threads that run while the process ends.

#![cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]

use std::path::Path;

use tests::whole;

/// The library whose constructor starts a thread.
fn library() -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("whole/constructor_library.c");
    let built = whole::compile(&source, "cc", &["-std=gnu11", "-shared", "-fPIC"]);
    built.to_str().expect("a plain path").to_owned()
}

#[test]
fn constructors_and_what_runs_at_the_end_have_threads() {
    let said = whole::same("constructor", &[&library()]);
    let heard = [
        "the constructor has heard 7",
        "a library's constructor has heard 42",
        "a handler at the end has heard 7",
        "a destructor has heard 7",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), heard);
}

#[test]
fn the_first_thread_of_all_may_be_a_loaded_librarys() {
    let said = whole::same("early", &[&library()]);
    assert_eq!(said, "a library's constructor has heard 42\nloaded\n");
}

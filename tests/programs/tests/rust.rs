//! A program of Rust's, as `rustc` makes it: real std.

use std::process::Command;

use programs::{Folder, Threads, guest};

/// A page of its stack, which has its thread-locals as well, and what std, libc and the runtime have for it on their
/// heaps. A page more would be above this.
#[test]
fn a_thread_that_sleeps_takes_a_page_of_its_stack() {
    let folder = Folder::new("rust");
    let program = folder.path().join("sleepers");
    let mut compile = Command::new("rustc");
    compile.args(["--edition=2021", "-O", "-o"]).arg(&program).arg(guest("sleepers.rs"));
    assert!(compile.status().expect("rustc runs").success(), "it does not compile");
    let mut command = Threads::Green.command(&program);
    let output = command.env("SYLVAN_WORKERS", "1").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    let each: usize = said.trim().parse().expect("a number of bytes");
    println!("{each} bytes each");
    assert!(each < 8 << 10, "{each} bytes each");
}

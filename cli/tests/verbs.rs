//! `sylvan` itself: help, version, and what it does not understand.

use std::process::Command;

/// Runs it; returns how it ended, its output and its errors.
fn sylvan(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_sylvan")).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn help_lists_the_verbs() {
    let (code, stdout, stderr) = sylvan(&["--help"]);
    assert_eq!((code, &*stderr), (Some(0), ""));
    for verb in ["run", "cargo", "prove", "ps", "dump", "trace"] {
        assert!(stdout.contains(&format!("\n  {verb} ")), "{stdout}");
        let (code, help, _) = sylvan(&[verb, "--help"]);
        assert_eq!(code, Some(0), "{help}");
        assert!(help.contains(&format!("sylvan {verb} ")), "{help}");
    }
}

#[test]
fn it_knows_its_version() {
    let (code, stdout, _) = sylvan(&["--version"]);
    assert_eq!((code, &*stdout), (Some(0), concat!("sylvan ", env!("CARGO_PKG_VERSION"), "\n")));
}

#[test]
fn what_it_does_not_understand_is_an_error() {
    let (code, _, stderr) = sylvan(&["fly"]);
    assert_eq!(code, Some(2));
    assert_eq!(stderr, "error: there is no `sylvan fly` (see `sylvan --help`)\n");
    let (code, _, stderr) = sylvan(&[]);
    assert_eq!((code, &*stderr), (Some(2), "error: expected a verb (see `sylvan --help`)\n"));
    let (code, _, stderr) = sylvan(&["prove", "--clients"]);
    assert_eq!(code, Some(2), "{stderr}");
}

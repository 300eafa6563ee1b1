//! `sylvan` itself: help, version, and what it does not understand.

use std::fs::File;
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
fn help_is_given_wherever_it_is_asked_for() {
    for way in ["summary", "view", "export", "4711"] {
        let (code, help, stderr) = sylvan(&["trace", way, "--help"]);
        assert_eq!((code, &*stderr), (Some(0), ""), "{way}");
        assert!(help.contains("usage: sylvan trace PID "), "{way}: {help}");
    }
}

#[test]
fn what_cannot_be_written_is_an_error_in_a_line() {
    let verbs = ["run", "cargo", "ps", "stacks", "top", "dump", "prove", "trace"];
    let helps = verbs.map(|verb| vec![verb, "--help"]);
    for args in helps.into_iter().chain([vec!["--help"], vec!["--version"]]) {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_sylvan"));
        let ended = command.args(&args).stdout(full).output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(
            (ended.status.code(), stderr.lines().count()),
            (Some(1), 1),
            "{args:?}: {stderr}"
        );
        assert!(stderr.starts_with("error: "), "{args:?}: {stderr}");
        // Where the error cannot be written either its status says that there is one.
        let full = || File::options().write(true).open("/dev/full").unwrap();
        let ended = command.stdout(full()).stderr(full()).status().unwrap();
        assert_eq!(ended.code(), Some(1), "{args:?}");
    }
}

#[test]
fn an_option_that_there_is_not_is_named() {
    for args in [
        &["ps", "--bogus", "1"][..],
        &["ps", "1", "--bogus"],
        &["dump", "--bogus", "--core", "file", "program"],
        &["stacks", "--all", "--bogus", "1"],
        &["top", "--once", "--bogus", "1"],
        &["trace", "view", "--bogus", "file"],
        &["trace", "--bogus", "1"],
        &["run", "--bogus", "true"],
        &["prove", "--bogus", "--", "true"],
        &["--bogus"],
    ] {
        let (code, stdout, stderr) = sylvan(args);
        assert_eq!((code, &*stdout), (Some(2), ""), "{args:?}: {stderr}");
        assert!(stderr.starts_with("error: unexpected argument `--bogus` (see "), "{stderr}");
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

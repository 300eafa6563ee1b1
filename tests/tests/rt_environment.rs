//! What the environment says that cannot be used: an error of the first spawn, and a line that says so; in a whole
//! program the line, and OS threads. What is empty says nothing.

use std::process::Command;

use tests::process::Process;
use tests::whole;

tests::in_each_mode!(
    what_cannot_be_used_is_told_once_by_variable_and_value,
    what_is_empty_is_as_if_it_were_not_there,
);

/// Variables, each with what cannot be used and what is said of it.
const UNUSABLE: &[(&str, &str, &str)] = &[
    ("SYLVAN_WORKERS", "two", "a positive integer"),
    ("SYLVAN_MAX_THREADS", "0", "a positive integer"),
    ("SYLVAN_WARN_BLOCKING", "100", "a time such as `100ms` or `2s`"),
    #[cfg(target_os = "linux")]
    ("SYLVAN_DEADLOCK", "yes", "`warn` or `abort`"),
    #[cfg(target_os = "linux")]
    ("SYLVAN_DUMP", "SIGKILL", "a signal such as `SIGQUIT` or `SIGUSR1`"),
];

/// Those that say more of another one, and those whose value is a file.
const FURTHER: &[&str] =
    &["SYLVAN_DUMP_FILE", "SYLVAN_TRACE", "SYLVAN_TRACE_MB", "SYLVAN_TRACE_SIGNAL"];

fn what_cannot_be_used_is_told_once_by_variable_and_value(process: &Process) {
    for &(name, value, expected) in UNUSABLE {
        let ended = process.env(name, value).passes(|| {
            for _ in 0..2 {
                let spawned = std_shim::thread::Builder::new().spawn(|| ());
                println!("error: {}", spawned.expect_err("it cannot start"));
            }
        });
        let why = format!("`{name}` expected {expected}, got `{value}`");
        assert_eq!(ended.said("error: "), why);
        assert_eq!(ended.stderr, format!("sylvan: {why}\n"));
    }
}

fn what_is_empty_is_as_if_it_were_not_there(process: &Process) {
    let names = UNUSABLE.iter().map(|(name, ..)| name).chain(FURTHER);
    let process = names.fold(process.env("SYLVAN_PRELOAD", ""), |it, name| it.env(name, ""));
    let ended = process.passes(|| std_shim::thread::spawn(|| ()).join().unwrap());
    assert_eq!(ended.stderr, "");
}

#[cfg(target_os = "linux")]
#[test]
fn a_whole_program_says_it_and_has_os_threads() {
    let program = whole::program("starts");
    let run = |name: &str, value: &str| {
        let output = whole::finish(whole::green(&mut Command::new(&program)).env(name, value));
        [output.stdout, output.stderr].map(|said| String::from_utf8(said).unwrap())
    };
    for (name, value, expected) in UNUSABLE {
        let why = format!("`{name}` expected {expected}, got `{value}`");
        let said = format!("sylvan: threads are OS threads: {why}\n");
        assert_eq!(run(name, value), ["an OS thread\n", &said]);
        assert_eq!(run(name, ""), ["a green thread\n", ""]);
    }
}

//! Whole programs that record their run (`SYLVAN_TRACE`): names, forks and signals.

#![cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use sylvan_sight::file::{self, Why};
use sylvan_sight::history::{History, State};
use tests::whole;

fn place(name: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("whole-trace-{name}"));
    let _ = fs::remove_file(&path);
    path
}

/// The recording of a process that has ended so, and the names of its threads.
fn read(path: &Path, why: Why) -> (History, Vec<String>) {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let run = file::read(&bytes).unwrap();
    assert_eq!((run.about.as_ref().unwrap().why, run.is_cut), (why, false));
    let history = History::of(&run);
    let mut names: Vec<String> = history.threads.iter().filter_map(|it| it.name.clone()).collect();
    names.sort();
    (history, names)
}

fn recorded(path: &Path, arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(whole::program("recorded"));
    whole::finish(whole::green(command.args(arguments).env("SYLVAN_TRACE", path)))
}

#[test]
fn threads_have_the_names_that_they_were_given_last_and_a_child_has_a_file_of_its_own() {
    let path = place("names");
    let output = recorded(&path, &[]);
    assert!(output.status.success(), "{output:?}");
    let (history, names) = read(&path, Why::Exit);
    assert_eq!(names, ["by another", "by itself"]);
    for thread in &history.threads {
        assert!(thread.spawned_ns.is_some() && thread.ended_ns.is_some());
        assert!(thread.spans.iter().any(|span| matches!(span.state, State::Waiting(_))));
    }
    let child = String::from_utf8(output.stdout).unwrap();
    let of_child = PathBuf::from(format!("{}.{}", path.display(), child.trim()));
    let (history, names) = read(&of_child, Why::Exit);
    assert_eq!(names, ["in the child", "of the child"]);
    assert_eq!(history.threads.len(), 2, "none of its parent's");
}

#[test]
fn a_signal_that_ends_it_leaves_the_recording() {
    let path = place("signal");
    let mut command = Command::new(whole::program("recorded"));
    command.arg(libc::SIGTERM.to_string());
    command.env("SYLVAN_TRACE", &path).env("SYLVAN_TRACE_SIGNAL", "SIGTERM");
    let output = whole::finish(whole::green(&mut command));
    assert_eq!(output.status.signal(), Some(libc::SIGTERM), "{output:?}");
    let (_, names) = read(&PathBuf::from(format!("{}.1", path.display())), Why::Signal);
    assert_eq!(names, ["by another", "by itself"]);
}

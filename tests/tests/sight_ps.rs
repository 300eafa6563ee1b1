//! `sylvan ps`: what it says of a program with a thread of each kind, by both modes, stopped or not, and of what
//! cannot be looked at.
#![cfg(target_os = "linux")]

use std::env;
use std::fs;
use std::process::{self, Command};

use rustix::process::Signal;
use tests::look::{Said, Scene, core_of, look};

const LOOK: &str = env!("CARGO_BIN_EXE_look");
const SCENE: &str = env!("CARGO_BIN_EXE_scene");

fn scene(mode: &str) -> Scene {
    Scene::start(Command::new(SCENE).env("SYLVAN_TLS", mode))
}

fn ps(scene: &Scene) -> Said {
    look(LOOK, &["ps", &scene.pid().to_string()])
}

/// Threads of the scene, with their states and reasons.
const THREADS: [(&str, &str, &str); 25] = [
    ("reader", "parked", "read"),
    ("acceptor", "parked", "read"),
    ("datagrams", "parked", "read"),
    ("unix", "parked", "read"),
    ("pipe", "parked", "read"),
    ("sleeper", "parked", "sleep"),
    ("parked", "parked", "park"),
    ("writer", "parked", "park"),
    ("second", "parked", "mutex"),
    ("a", "parked", "mutex"),
    ("b", "parked", "mutex"),
    ("read-locks", "parked", "park"),
    ("write-locks", "parked", "rwlock"),
    ("condvar", "parked", "condvar"),
    ("barrier", "parked", "barrier"),
    ("initializes", "parked", "park"),
    ("once", "parked", "once"),
    ("receiver", "parked", "channel"),
    ("sender", "parked", "channel"),
    ("joined", "parked", "park"),
    ("joiner", "parked", "join"),
    ("scope", "parked", "scope"),
    ("in-scope", "parked", "park"),
    ("child", "parked", "read"),
    ("computes", "running", ""),
];

/// The line of a thread: its number, state and what it waits for.
fn line<'a>(said: &'a str, name: &str) -> [&'a str; 3] {
    let of_that_name = |line: &&str| line.split_whitespace().nth(1) == Some(name);
    let line = said.lines().find(of_that_name).unwrap_or_else(|| panic!("no {name} in:\n{said}"));
    let mut words = line.split_whitespace();
    let (id, state) = (words.next().unwrap(), words.nth(1).unwrap());
    let reason = words.nth(1).map_or("", |first| &line[line.rfind(first).unwrap()..]);
    [id, state, reason]
}

#[track_caller]
fn assert_shows_all(said: &Said) {
    assert_eq!((said.status, &*said.stderr), (Some(0), ""), "{said:?}");
    for (name, state, reason) in THREADS {
        let [_, is, why] = line(&said.stdout, name);
        assert_eq!((is, why), (state, reason), "{name}:\n{}", said.stdout);
    }
    let n_lines = said.stdout.lines().count();
    assert_eq!(n_lines, THREADS.len() + 3, "{}", said.stdout);
}

#[test]
fn each_thread_is_shown_with_what_it_does() {
    let scene = scene("own");
    let said = ps(&scene);
    assert_shows_all(&said);
    assert_eq!(line(&said.stdout, "blocks")[1], "blocking");
}

#[test]
fn each_thread_is_shown_where_thread_locals_are_shared() {
    let said = ps(&scene("shared"));
    assert_shows_all(&said);
    assert_eq!(line(&said.stdout, "blocks")[1..], ["parked", "blocking"]);
}

#[test]
fn a_process_that_was_stopped_is_shown() {
    let scene = scene("own");
    scene.signal(Signal::STOP);
    assert_shows_all(&ps(&scene));
}

#[test]
fn a_core_file_is_shown() {
    let folder = env::temp_dir().join(format!("sylvan-sight-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let limit = "ulimit -c unlimited && exec \"$0\"";
    let mut command = Command::new("sh");
    let scene = Scene::start(command.args(["-c", limit, SCENE]).current_dir(&folder));
    if let Some(core) = core_of(scene, &folder) {
        let core = core.to_str().unwrap();
        assert_shows_all(&look(LOOK, &["ps", "--core", core, SCENE]));
        let other = look(LOOK, &["ps", "--core", core, LOOK]);
        assert_eq!(other.status, Some(124), "{other:?}");
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_cannot_be_looked_at_is_told_in_a_line() {
    let refused = |args: &[&str], status, why: &str| {
        let said = look(LOOK, args);
        assert_eq!((said.status, &*said.stdout), (Some(status), ""), "{said:?}");
        assert_eq!(said.stderr.lines().count(), 1, "{said:?}");
        assert!(said.stderr.starts_with("error: ") && said.stderr.contains(why), "{said:?}");
    };
    refused(&["ps", "4194305"], 120, "there is no such process");
    let mut ended = Command::new("true").spawn().unwrap();
    let pid = ended.id().to_string();
    std::thread::sleep(std::time::Duration::from_millis(200));
    refused(&["ps", &pid], 120, "there is no such process");
    ended.wait().unwrap();
    let mut other = Command::new("sleep").arg("1000").spawn().unwrap();
    refused(&["ps", &other.id().to_string()], 122, "no runtime of sylvan");
    other.kill().unwrap();
    other.wait().unwrap();
    refused(&["ps", "--core", "/etc/passwd", SCENE], 124, "no core file");
    refused(&["ps", "--core", "/nowhere", SCENE], 124, "/nowhere");
    refused(&["ps", "me"], 2, "`me`");
    refused(&["ps"], 2, "expected the number of a process");
}

//! The script for gdb: what it shows of the green threads of a program that runs, was stopped or has left a core file.
#![cfg(target_os = "linux")]

use std::env;
use std::fs;
use std::path::Path;
use std::process::{self, Command};

use rustix::process::Signal;
use tests::look::{Scene, core_of, look};
use tests::whole;

const LOOK: &str = env!("CARGO_BIN_EXE_look");
const SCENE: &str = env!("CARGO_BIN_EXE_scene");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../sight/src/gdb.py");

fn scene() -> Scene {
    Scene::start(&mut Command::new(SCENE)).at_rest(LOOK)
}

/// What gdb says, of what these arguments name, to these commands.
fn gdb(target: &[&str], commands: &[&str]) -> String {
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-q", "-batch"]).env_remove("DEBUGINFOD_URLS");
    // Where it is allowed everywhere, what is in a program is loaded with it.
    gdb.args(["-iex", "set auto-load safe-path /", "-iex", "set width 0"]).args(target);
    for command in commands {
        gdb.args(["-ex", command]);
    }
    let said = gdb.output().expect("gdb runs, of Debian's package");
    format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr))
}

/// The lines of frames.
fn frames(said: &str) -> Vec<&str> {
    said.lines().filter(|line| line.starts_with('#')).collect()
}

/// That these are the frames of a thread that waits in `stay`, where `name` is what calls it, and no others.
#[track_caller]
fn assert_stays(said: &str, from: &str) {
    // gdb says first where the OS thread is.
    let frames = frames(said.split_once(", parked park\n").map_or(said, |(_, its)| its));
    let place = |text: &str| frames.iter().position(|frame| frame.contains(text));
    assert!(frames.first().is_some_and(|it| it.contains("::arch::switch")), "{said}");
    let (stay, caller) = (place(" scene::stay ()"), place(from));
    assert!(stay.is_some() && stay.map(|at| at + 1) == caller, "no {from} in\n{said}");
    let park = place(" std_shim::thread::functions::park ()");
    assert_eq!(park.map(|at| at + 1), stay, "{said}");
    assert!(frames.last().is_some_and(|it| it.contains("::arch::begin")), "{said}");
    assert!(!said.contains("corrupt stack") && !said.contains("Python Exception"), "{said}");
}

#[track_caller]
fn assert_lists(said: &str, threads: &[[&str; 3]]) {
    for [name, state, waits_for] in threads {
        let of_it = |line: &str| {
            let mut words = line.split_whitespace().skip(1);
            (words.next(), words.next()) == (Some(*name), Some(*state)) && line.contains(waits_for)
        };
        assert!(said.lines().any(of_it), "no {name}, {state}, {waits_for} in\n{said}");
    }
}

const THREADS: &[[&str; 3]] = &[
    ["reader", "parked", "descriptor "],
    ["second", "parked", "mutex"],
    ["joiner", "parked", "join"],
    ["sleeper", "parked", "sleep"],
    ["child", "parked", ""],
    ["blocks", "blocking", "OS thread "],
    ["computes", "running", "OS thread "],
    ["bound", "bound", "OS thread "],
];

#[test]
fn a_program_that_runs_brings_the_script() {
    let scene = scene();
    let commands = ["info sylvan", "sylvan bt writer"];
    let said = gdb(&["-p", &scene.pid().to_string()], &commands);
    assert_lists(&said, THREADS);
    let child = format!("child {}, for ", scene.said["child"][0]);
    let of_process = [["child", "parked", &child], ["writer", "parked", "park, for "]];
    assert_lists(&said, &of_process);
    assert_stays(&said, " scene::main::{closure#");
    assert!(
        said.contains("green thread ") && said.contains(" ('writer'), parked park\n"),
        "{said}"
    );
    let line = (1..).zip(include_str!("../src/bin/scene.rs").lines());
    let stay = line.clone().find(|(_, line)| line.contains("thread::park();")).unwrap().0;
    assert!(said.contains(&format!("scene.rs:{stay}\n")), "{said}");
}

#[test]
fn a_process_that_was_stopped_is_shown() {
    let scene = scene();
    scene.signal(Signal::STOP);
    let said = gdb(&["-p", &scene.pid().to_string()], &["info sylvan", "sylvan bt writer"]);
    assert_lists(&said, THREADS);
    assert_stays(&said, " scene::main::{closure#");
}

#[test]
fn a_thread_that_is_selected_is_what_other_commands_are_about_until_it_is_left() {
    let scene = scene();
    let commands =
        ["sylvan thread writer", "echo bt\\n", "bt", "up", "info frame", "sylvan thread", "bt -1"];
    let said = gdb(&["-p", &scene.pid().to_string()], &commands);
    let (selected, rest) = said.split_once("\nbt\n").expect("a line of its own");
    assert!(frames(selected).last().is_some_and(|it| it.contains("::arch::switch")), "{said}");
    let (all, left) = rest.split_once("\nStack level ").expect("a frame is described");
    let (all, up) = all.rsplit_once("\n#").expect("a frame that was gone up to");
    assert_stays(all, " scene::main::{closure#");
    assert_eq!(up.split(' ').next(), left.split(',').next(), "{said}");
    // `main`'s OS thread, which waits for the end of the input.
    assert!(left.contains("_start"), "{left}");
    assert!(!left.contains("::arch::begin"), "{left}");
}

#[test]
fn a_thread_that_an_os_thread_runs_is_shown_by_that_one() {
    let scene = scene();
    let commands = ["sylvan bt computes", "sylvan bt blocks", "sylvan thread blocks"];
    let said = gdb(&["-p", &scene.pid().to_string()], &commands);
    let (computes, blocks) = said.split_once("('blocks'), blocking").expect("both");
    assert!(computes.contains("('computes'), running\n"), "{said}");
    assert!(frames(computes).iter().any(|it| it.contains(" scene::main::{closure#")), "{said}");
    // None is its worker's.
    assert!(frames(computes).last().is_some_and(|it| it.contains("::arch::begin")), "{said}");
    assert!(frames(blocks).iter().any(|it| it.contains("nanosleep")), "{said}");
    assert!(blocks.contains("It is blocking on OS thread "), "{said}");
}

#[test]
fn a_core_file_is_shown() {
    let folder = env::temp_dir().join(format!("sylvan-gdb-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let limit = "ulimit -c unlimited && exec \"$0\"";
    let mut command = Command::new("sh");
    let scene = Scene::start(command.args(["-c", limit, SCENE]).current_dir(&folder)).at_rest(LOOK);
    if let Some(core) = core_of(scene, &folder) {
        let said = gdb(&[SCENE, core.to_str().unwrap()], &["info sylvan", "sylvan bt writer"]);
        assert_lists(&said, THREADS);
        assert!(!said.contains(", for "), "nobody knows when it was: {said}");
        assert_stays(&said, " scene::main::{closure#");
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_program_that_was_made_green_is_shown() {
    let program = whole::program("looked_at");
    let scene = Scene::start(whole::green(&mut Command::new(&program))).at_rest(LOOK);
    let commands = ["info sylvan", "sylvan bt reads a pipe"];
    let said = gdb(&["-p", &scene.pid().to_string()], &commands);
    let waits = format!(
        "reads a pipe          parked        descriptor {}, read",
        scene.said["descriptor"][0]
    );
    assert!(said.contains(&waits), "no {waits} in\n{said}");
    let place = |text: &str| frames(&said).iter().position(|frame| frame.contains(text));
    let (read, caller) = (place(" sylvan_posix::transfer::read "), place(" reads (unused="));
    assert!(read.is_some() && read.map(|at| at + 1) == caller, "{said}");
}

#[test]
fn a_stripped_program_is_shown_with_the_script_from_its_file() {
    let program = env::temp_dir().join(format!("sylvan-gdb-stripped-{}", process::id()));
    fs::copy(SCENE, &program).unwrap();
    assert!(Command::new("strip").arg("-s").arg(&program).status().unwrap().success());
    let scene = Scene::start(&mut Command::new(&program)).at_rest(LOOK);
    let pid = scene.pid().to_string();
    let said = gdb(&["-p", &pid, "-x", SCRIPT], &["info sylvan", "sylvan bt writer"]);
    assert_lists(&said, THREADS);
    assert!(frames(&said).len() > 4, "{said}");
    fs::remove_file(&program).unwrap();
}

#[test]
fn threads_that_have_not_started_are_listed() {
    let mut one = Command::new(SCENE);
    let scene = Scene::start(one.env("SYLVAN_WORKERS", "1").env("SYLVAN_TLS", "shared"));
    let commands = ["info sylvan", "sylvan bt blocks", "sylvan thread blocks"];
    let said = gdb(&["-p", &scene.pid().to_string()], &commands);
    // Its worker computes for ever.
    assert_lists(&said, &[["blocks", "not", "started"], ["computes", "running", "OS thread "]]);
    let (_, backtrace) = said.split_once(" ('blocks'), not started\n").expect("its state");
    assert_eq!(frames(backtrace), [""; 0], "{said}");
    assert!(said.contains("\nIt has not started.\n"), "{said}");
}

#[test]
fn what_cannot_be_shown_is_told_in_a_line() {
    let mut other = Command::new("sleep").arg("1000").spawn().unwrap();
    let pid = other.id().to_string();
    let said = gdb(&["-p", &pid, "-x", SCRIPT], &["info sylvan"]);
    assert!(said.contains("\nThere is no runtime of sylvan in it.\n"), "{said}");
    other.kill().unwrap();
    other.wait().unwrap();
    let said = gdb(&["-x", SCRIPT], &["info sylvan"]);
    assert_eq!(said, "There is no process, and no core file.\n");
    let scene = scene();
    let commands = ["sylvan bt nobody", "sylvan bt"];
    let said = gdb(&["-p", &scene.pid().to_string()], &commands);
    assert!(said.contains("\nNo green thread has the number or name `nobody`.\n"), "{said}");
    assert!(said.contains("\nExpected the number or the name of a green thread.\n"), "{said}");
}

#[test]
fn sylvan_looks_at_a_process_that_gdb_has() {
    let scene = scene();
    let stacks = format!("shell {LOOK} stacks {}", scene.pid());
    let said = gdb(&["-p", &scene.pid().to_string()], &[&stacks]);
    assert!(said.contains("    scene::stay at "), "{said}");
    // The kernel says where the OS thread has called it, which leads on as long as nobody's frame pointer is needed.
    let (_, sleep) = said.split_once("\n    clock_nanosleep\n").expect("where it sleeps");
    let its = sleep.split("\n\n").next().unwrap();
    assert!(its.trim_end().ends_with("    (those before are not known)"), "{said}");
    let after = look(LOOK, &["stacks", "--thread", "blocks", &scene.pid().to_string()]);
    assert!(after.stdout.contains("    std::thread::functions::sleep at "), "{after:?}");
    assert!(Path::new(&format!("/proc/{}", scene.pid())).exists());
}

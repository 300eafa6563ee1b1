//! `sylvan stacks`: where it says that the threads of a program are, by both modes, stopped or not, with debug
//! information or without, and of what cannot be looked at.
#![cfg(target_os = "linux")]

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use rustix::process::Signal;
use tests::look::{Said, Scene, assert_refuses, assert_refuses_others, compile, core_of, look};
use tests::whole;

const LOOK: &str = env!("CARGO_BIN_EXE_look");
const SCENE: &str = env!("CARGO_BIN_EXE_scene");
const PARKED: &str = env!("CARGO_BIN_EXE_parked");

fn scene(mode: &str) -> Scene {
    Scene::start(Command::new(SCENE).env("SYLVAN_TLS", mode)).at_rest(LOOK)
}

fn stacks(scene: &Scene, options: &[&str]) -> Said {
    look(LOOK, &[&["stacks", &scene.pid().to_string()], options].concat())
}

/// The line of the scene's source that has this text, which no other has.
fn line_of(text: &str) -> usize {
    let lines: Vec<_> = include_str!("../src/bin/scene.rs").lines().collect();
    let found: Vec<_> = (1..).zip(&lines).filter(|(_, line)| line.contains(text)).collect();
    assert_eq!(found.len(), 1, "{text}");
    found[0].0
}

/// Threads of the scene, what each has called, and what the line has from which.
const THREADS: &[(&str, &str, &str)] = &[
    ("reader", "<std_shim::net::tcp::stream::TcpStream as std::io::Read>::read", "\"reader\""),
    ("acceptor", "std_shim::net::tcp::listener::TcpListener::accept", "\"acceptor\""),
    ("sleeper", "std_shim::thread::functions::sleep", "\"sleeper\""),
    ("second", "std_shim::sync::mutex::Mutex<T>::lock", "\"second\""),
    ("a", "std_shim::sync::mutex::Mutex<T>::lock", "second.lock()"),
    ("condvar", "std_shim::sync::condvar::Condvar::wait", "\"condvar\""),
    ("receiver", "std_shim::sync::mpsc::receiver::Receiver<T>::recv", "\"receiver\""),
    ("joiner", "std_shim::thread::join_handle::JoinHandle<T>::join", "\"joiner\""),
    ("once", "std_shim::sync::once::Once::call_once", "\"once\""),
    ("child", "std_shim::process::child::Child::wait", "drop(child.wait())"),
];

/// The stack of the thread of this name, its functions from the innermost on, each with where it is.
fn stack<'a>(said: &'a str, name: &str) -> Vec<&'a str> {
    let of_it =
        |part: &&str| part.lines().next().is_some_and(|head| head.contains(&format!("'{name}' (")));
    let stack = said.split("\n\n").find(of_it).unwrap_or_else(|| panic!("no {name} in\n{said}"));
    stack.lines().skip(1).map(str::trim_start).collect()
}

#[track_caller]
fn assert_succeeds(said: &Said) {
    assert_eq!((said.status, &*said.stderr), (Some(0), ""), "{said:?}");
}

#[track_caller]
fn assert_shows_all(said: &Said) {
    assert_succeeds(said);
    for (name, called, line) in THREADS {
        let [innermost, from] = stack(&said.stdout, name)[..] else { panic!("{name}: {said:?}") };
        assert!(innermost.starts_with(&format!("{called} at ")), "{name}: {innermost}");
        assert!(from.starts_with("scene::main::{{closure}} at "), "{name}: {from}");
        let place = format!("src/bin/scene.rs:{}", line_of(line));
        assert!(from.ends_with(&place), "{name}: {from}, {place}");
    }
    // It is one loop, wherever it was just now.
    let computes = stack(&said.stdout, "computes");
    assert!(computes.last().unwrap().starts_with("scene::main::{{closure}} at "), "{computes:?}");
    assert!(!said.stdout.contains("not known") && !said.stdout.contains("(running)"), "{said:?}");
}

#[track_caller]
fn assert_is_in_a_sleep(said: &Said, name: &str, line: &str) {
    let stack = stack(&said.stdout, name);
    assert!(stack.iter().any(|it| it.starts_with("std::thread::functions::sleep")), "{stack:?}");
    let place = format!("src/bin/scene.rs:{}", line_of(line));
    assert!(stack.last().unwrap().ends_with(&place), "{stack:?}, {place}");
}

#[test]
fn each_thread_is_shown_with_what_it_has_called_and_from_where() {
    let scene = scene("own");
    let said = stacks(&scene, &[]);
    assert_shows_all(&said);
    // The second look finds what the first one has interrupted.
    for said in [said, stacks(&scene, &[])] {
        assert_is_in_a_sleep(&said, "bound", "std::thread::sleep(seconds);");
        assert_is_in_a_sleep(&said, "blocks", "sylvan::blocking(");
    }
}

#[test]
fn each_thread_is_shown_where_thread_locals_are_shared() {
    assert_shows_all(&stacks(&scene("shared"), &[]));
}

#[test]
fn a_process_that_was_stopped_is_shown_and_stays_so() {
    let scene = scene("own");
    scene.signal(Signal::STOP);
    let state = || {
        let status = fs::read_to_string(format!("/proc/{}/stat", scene.pid())).unwrap();
        status.rsplit_once(") ").unwrap().1.chars().next()
    };
    while state() != Some('T') {
        std::thread::yield_now();
    }
    let said = stacks(&scene, &[]);
    assert_shows_all(&said);
    assert_is_in_a_sleep(&said, "blocks", "sylvan::blocking(");
    assert_eq!(state(), Some('T'));
    scene.signal(Signal::CONT);
    assert_shows_all(&stacks(&scene, &[]));
}

#[test]
fn a_core_file_is_shown() {
    let folder = folder("core");
    let limit = "ulimit -c unlimited && exec \"$0\"";
    let mut command = Command::new("sh");
    let scene = Scene::start(command.args(["-c", limit, SCENE]).current_dir(&folder)).at_rest(LOOK);
    if let Some(core) = core_of(scene, &folder) {
        let said = look(LOOK, &["stacks", "--core", core.to_str().unwrap(), SCENE]);
        assert_shows_all(&said);
        assert_is_in_a_sleep(&said, "bound", "std::thread::sleep(seconds);");
        assert_is_in_a_sleep(&said, "blocks", "sylvan::blocking(");
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn equal_stacks_are_one_in_each_form() {
    let scene = Scene::start_until("parked", Command::new(PARKED).arg("1000")).at_rest(LOOK);
    let said = stacks(&scene, &[]);
    assert_succeeds(&said);
    assert!(said.stdout.contains(": 1000 green threads, 1 stacks "), "{}", said.stdout);
    let head = said.stdout.lines().nth(2).unwrap();
    assert_eq!(head, "1000 parked (park): 2, 3, 4, 5, 6, 7, 8, 9, and 992 more");

    let said = stacks(&scene, &["--collapsed"]);
    assert_succeeds(&said);
    let line = "parked::main::{{closure}};std_shim::thread::functions::park 1000\n";
    assert_eq!(said.stdout, line);

    let said = stacks(&scene, &["--json"]);
    assert_succeeds(&said);
    assert!(said.stdout.contains("\"count\":1000,\"complete\":true,\"frames\":[{\"function\":\"std_shim::thread::functions::park\",\"file\":\""), "{}", said.stdout);
    let thread = "{\"id\":2,\"name\":null,\"state\":\"parked\",\"reason\":\"park\"}";
    assert_eq!(said.stdout.matches(thread).count(), 1);
}

#[test]
fn one_thread_is_shown_by_its_name_and_by_its_number() {
    let scene = scene("own");
    let by_name = stacks(&scene, &["--thread", "writer"]);
    assert_succeeds(&by_name);
    let [_, id] = by_name.stdout.split("'writer' (").collect::<Vec<_>>()[..] else {
        panic!("{by_name:?}");
    };
    let id = id.split(')').next().unwrap();
    assert_eq!(stacks(&scene, &["--thread", id]).stdout, by_name.stdout);
    assert!(by_name.stdout.contains(": 1 green threads, 1 stacks "), "{by_name:?}");
}

#[test]
fn with_all_frames_a_stack_reaches_from_the_switch_to_the_first_function() {
    let scene = scene("own");
    let said = stacks(&scene, &["--thread", "parked", "--all"]);
    assert_succeeds(&said);
    let stack = stack(&said.stdout, "parked");
    let (first, last) = (stack[0], stack.last().unwrap());
    assert!(first.starts_with("sylvan::context::switch::arch::switch"), "{stack:?}");
    assert!(last.starts_with("sylvan::context::switch::arch::begin"), "{stack:?}");
    assert!(stack.iter().any(|it| it.starts_with("sylvan::park::")), "{stack:?}");
}

#[test]
fn without_debug_information_functions_are_named_by_symbols() {
    let (folder, program) = copy_of(SCENE, "symbols");
    assert!(Command::new("strip").arg("-g").arg(&program).status().unwrap().success());
    let scene = Scene::start(&mut Command::new(&program)).at_rest(LOOK);
    let said = stacks(&scene, &["--thread", "sleeper"]);
    assert_succeeds(&said);
    let expected = ["std_shim::thread::functions::sleep", "scene::main::{{closure}}"];
    assert_eq!(stack(&said.stdout, "sleeper"), expected);
    fs::remove_dir_all(&folder).unwrap();
}

/// A program's own inlined functions, and the mirror's: `read` waits.
const SHORT: &str = "\
fn main() {
    let (mut left, _right) = std_shim::os::unix::net::UnixStream::pair().unwrap();
    std_shim::thread::spawn(move || std::io::Read::read(&mut left, &mut [0]).unwrap());
    println!(\"ready\");
    std_shim::thread::park();
}
";

#[test]
fn with_line_tables_alone_functions_of_the_runtime_are_left_out_by_their_files() {
    let folder = folder("lines");
    fs::create_dir(folder.join("src")).unwrap();
    let source = folder.join("src/main.rs");
    fs::write(&source, SHORT).unwrap();
    let program = compile(&source, &["-Copt-level=1", "-Cdebuginfo=line-tables-only"]);
    let scene = Scene::start(&mut Command::new(program)).at_rest(LOOK);
    let first = |options: &[&str]| {
        let said = stacks(&scene, &[&["--thread", "2"], options].concat());
        assert_succeeds(&said);
        said.stdout.lines().skip(3).map(|it| it.trim_start().to_owned()).collect::<Vec<_>>()
    };
    let all = first(&["--all"]);
    let is_bare = |frame: &&String| !frame.split(['<', ' ']).next().unwrap().contains("::");
    let bare: Vec<_> = all.iter().filter(is_bare).collect();
    for folder in ["/runtime/src/", "/library/std/src/"] {
        assert!(bare.iter().any(|it| it.contains(folder)), "none of {folder} in {all:#?}");
    }
    let [called, from] = &first(&[])[..] else { panic!("{:#?}\nof {all:#?}", first(&[])) };
    assert!(called.contains("read at ") && called.contains("/std-shim/src/"), "{called}");
    assert!(from.ends_with(&format!(" at {}:3", source.display())), "{from}");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn without_symbols_code_is_named_by_its_address_and_its_file() {
    let (folder, program) = copy_of(PARKED, "none");
    assert!(Command::new("strip").arg("-s").arg(&program).status().unwrap().success());
    let scene = Scene::start_until("parked", Command::new(&program).arg("1")).at_rest(LOOK);
    let said = stacks(&scene, &["--json"]);
    assert_succeeds(&said);
    assert!(said.stdout.contains("\"complete\":true,\"frames\":[{\"function\":\"0x"), "{said:?}");
    assert!(said.stdout.contains(" in parked\",\"file\":null,\"line\":null,"), "{said:?}");
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_program_that_has_gone_from_its_folder_is_shown() {
    let (folder, program) = copy_of(SCENE, "gone");
    let scene = Scene::start(&mut Command::new(&program)).at_rest(LOOK);
    fs::remove_dir_all(&folder).unwrap();
    assert_shows_all(&stacks(&scene, &[]));
}

#[test]
fn names_are_those_of_a_file_that_was_linked_as_what_was_loaded() {
    let (folder, stripped) = copy_of(SCENE, "linked");
    assert!(Command::new("strip").arg("-s").arg(&stripped).status().unwrap().success());
    let limit = "ulimit -c unlimited && exec \"$0\"";
    let mut command = Command::new("sh");
    let cores = folder.join("cores");
    fs::create_dir(&cores).unwrap();
    let scene =
        Scene::start(command.args(["-c", limit]).arg(&stripped).current_dir(&cores)).at_rest(LOOK);
    if let Some(core) = core_of(scene, &cores) {
        let of = |program: &Path| {
            let args = ["stacks", "--core", core.to_str().unwrap(), program.to_str().unwrap()];
            look(LOOK, &args)
        };
        assert_shows_all(&of(Path::new(SCENE)));
        // Another hash of what was linked.
        let mut program = fs::read(SCENE).unwrap();
        let head = [4_u32, 20, 3].map(u32::to_ne_bytes).concat();
        let note = [&head[..], b"GNU\0"].concat();
        let at = program.windows(note.len()).position(|it| it == note).expect("a build ID");
        program[at + note.len()] ^= 1;
        fs::write(&stripped, program).unwrap();
        let said = of(&stripped);
        assert_succeeds(&said);
        assert!(stack(&said.stdout, "sleeper").iter().all(|it| it.starts_with("0x")), "{said:?}");
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_program_that_was_made_green_is_shown() {
    let scene =
        Scene::start(whole::green(&mut Command::new(whole::program("looked_at")))).at_rest(LOOK);
    let said = stacks(&scene, &[]);
    assert_succeeds(&said);
    let [called, from] = stack(&said.stdout, "reads a pipe")[..] else { panic!("{said:?}") };
    assert!(called.starts_with("sylvan_posix::transfer::read at "), "{called}");
    assert!(from.starts_with("reads at ") && from.contains("looked_at.c:"), "{from}");
    assert!(said.stdout.contains("\n    locks at "), "{said:?}");
    assert!(!said.stdout.contains("not known"), "{said:?}");
}

#[test]
fn a_thread_that_has_not_started_says_so() {
    let one = |command: &mut Command| Scene::start(command.env("SYLVAN_WORKERS", "1"));
    let scene = one(Command::new(SCENE).env("SYLVAN_TLS", "shared"));
    let said = stacks(&scene, &["--thread", "blocks"]);
    assert_eq!(stack(&said.stdout, "blocks"), ["(not started)"], "{said:?}");
    let collapsed = stacks(&scene, &["--thread", "blocks", "--collapsed"]);
    assert_eq!(collapsed.stdout, "[not started] 1\n");
}

#[test]
fn what_cannot_be_looked_at_is_told_as_by_ps() {
    assert_refuses_others(LOOK, "stacks", SCENE);
    assert_refuses(LOOK, &["stacks", "--thread"], 2, "`--thread` expected");
}

fn folder(name: &str) -> PathBuf {
    let folder = env::temp_dir().join(format!("sylvan-stacks-{name}-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A copy of a program, in a folder of its own.
fn copy_of(program: &str, name: &str) -> (PathBuf, PathBuf) {
    let folder = folder(name);
    let copy = folder.join(Path::new(program).file_name().unwrap());
    fs::copy(program, &copy).unwrap();
    (folder, copy)
}

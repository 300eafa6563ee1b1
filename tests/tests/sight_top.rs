//! `sylvan top`: what it counts of a program whose doings are known, and how it looks at one that was stopped, that has
//! left a core file, and on a terminal.
#![cfg(target_os = "linux")]

use std::env;
use std::fs;
use std::io::{Read, Write};
use std::process::{self, Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use std_shim::sync::Arc;
use std_shim::thread;
use tests::are_thread_locals_shared;
use tests::counts::{OsThread, eventually, os_threads_of};
use tests::look::{Said, Scene, assert_refuses, assert_refuses_others, core_of, look};

const LOOK: &str = env!("CARGO_BIN_EXE_look");
const SCENE: &str = env!("CARGO_BIN_EXE_scene");
const PARKED: &str = env!("CARGO_BIN_EXE_parked");

fn scene() -> Scene {
    Scene::start(&mut Command::new(SCENE)).at_rest(LOOK)
}

fn top(pid: u32) -> Said {
    let said = look(LOOK, &["top", "--once", "--interval", "0.5", &pid.to_string()]);
    assert_eq!((said.status, &*said.stderr), (Some(0), ""), "{said:?}");
    said
}

/// What stands below a heading of the workers' table, for each worker.
fn column(said: &Said, heading: &str) -> Vec<String> {
    let mut lines = said.stdout.lines().skip_while(|line| !line.starts_with("CORE"));
    let head = lines.next().unwrap_or_else(|| panic!("{said:?}"));
    let end = head.find(heading).unwrap_or_else(|| panic!("no {heading}")) + heading.len();
    let cell = |line: &str| line[..end].split_whitespace().last().unwrap().to_owned();
    lines.take_while(|line| !line.starts_with("in the queue")).map(cell).collect()
}

/// The same, as a sum of numbers.
fn sum(said: &Said, heading: &str) -> u64 {
    column(said, heading).iter().map(|cell| cell.parse::<u64>().expect("a number")).sum()
}

/// What the threads of the scene do.
#[track_caller]
fn assert_counts(said: &Said) {
    for count in [
        "1 parked (channel), ",
        "1 parked (send), ",
        "1 blocking, ",
        "1 bound, ",
        "1 parked (join), ",
        "1 running",
        "1 parked (sleep), ",
    ] {
        assert!(said.stdout.contains(count), "no {count} in\n{}", said.stdout);
    }
}

#[test]
fn what_threads_do_is_counted_and_who_computes_is_the_busiest() {
    let said = top(scene().pid());
    assert_counts(&said);
    let (_, busiest) = said.stdout.split_once("  WAITS FOR\n").expect("the busiest");
    let [busiest] = busiest.lines().collect::<Vec<_>>()[..] else { panic!("{}", said.stdout) };
    assert!(busiest.starts_with("100 % ") && busiest.contains(" computes "), "{}", said.stdout);
    // It has no core any more, since it computes for long.
    let beside = said.stdout.lines().find(|line| line.starts_with("OS threads beside"));
    assert!(beside.is_some_and(|line| line.contains("sylvan-monitor (")), "{}", said.stdout);
}

#[test]
fn a_process_that_was_stopped_is_shown() {
    let scene = scene();
    scene.signal(Signal::STOP);
    let is_stopped = |thread: &OsThread| thread.read("stat").contains(") T ");
    let threads = || os_threads_of(scene.pid()).expect("it is there");
    eventually("all have stopped", || threads().iter().all(is_stopped));
    let said = top(scene.pid());
    assert_counts(&said);
    assert!(said.stdout.contains("\na second: 0 switches "), "{}", said.stdout);
    let head = format!("process {}, stopped: ", scene.pid());
    assert!(said.stdout.starts_with(&head), "no {head} in\n{}", said.stdout);
    let (_, busiest) = said.stdout.split_once("  WAITS FOR\n").expect("the busiest");
    assert!(busiest.starts_with("  0 % ") && busiest.contains(" computes "), "{}", said.stdout);
}

#[test]
fn a_core_file_is_shown_without_rates() {
    let folder = env::temp_dir().join(format!("sylvan-top-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let limit = "ulimit -c unlimited && exec \"$0\"";
    let mut command = Command::new("sh");
    let scene = Scene::start(command.args(["-c", limit, SCENE]).current_dir(&folder)).at_rest(LOOK);
    if let Some(core) = core_of(scene, &folder) {
        let said = look(LOOK, &["top", "--core", core.to_str().unwrap(), SCENE]);
        assert_eq!((said.status, &*said.stderr), (Some(0), ""), "{said:?}");
        assert_counts(&said);
        assert!(column(&said, "SWITCHES").iter().all(|cell| cell == "-"), "{}", said.stdout);
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_thread_that_wakes_up_each_10_ms_is_as_many_switches_and_looks() {
    let mut command = Command::new(PARKED);
    let scene = Scene::start_until("parked", command.args(["10", "0.01"])).at_rest(LOOK);
    let said = top(scene.pid());
    let (n_switches, n_looks) = (sum(&said, "SWITCHES"), sum(&said, "LOOKS"));
    // On a busy machine it wakes up late.
    assert!((5..=110).contains(&n_switches), "{}", said.stdout);
    assert!(n_looks >= n_switches, "{}", said.stdout);
    let rates = said.stdout.lines().find_map(|line| line.strip_prefix("a second: "));
    let numbers = rates.unwrap().split(|c: char| !c.is_ascii_digit()).filter(|it| !it.is_empty());
    let numbers: Vec<u64> = numbers.map(|it| it.parse().unwrap()).collect();
    let [switches, first, others, ..] = numbers[..] else { panic!("{}", said.stdout) };
    assert_eq!((switches, first + others), (n_switches, n_switches), "{}", said.stdout);
    // The last of those that only park may have begun meanwhile.
    assert!(first <= 10, "{}", said.stdout);
}

/// What `top` says of this process, once it says that there is something.
fn top_until(what: &str, is_there: impl Fn(&Said) -> bool) {
    let begin = Instant::now();
    loop {
        let said = top(process::id());
        if is_there(&said) {
            return;
        }
        assert!(begin.elapsed() < Duration::from_secs(60), "no {what}:\n{}", said.stdout);
    }
}

/// So many threads compute for 3 ms at a time and sleep for so long in between, until `top` says that there is something.
fn top_of_naps(n: usize, nap: Duration, what: &str, is_there: impl Fn(&Said) -> bool) {
    let goes_on = Arc::new(AtomicBool::new(true));
    let naps = |_| {
        let theirs = Arc::clone(&goes_on);
        let naps = move || {
            while theirs.load(Ordering::Relaxed) {
                let begin = Instant::now();
                while begin.elapsed() < Duration::from_millis(3) {}
                thread::sleep(nap);
            }
        };
        thread::Builder::new().name("naps".to_owned()).spawn(naps).unwrap()
    };
    let threads: Vec<_> = (0..n).map(naps).collect();
    top_until(what, is_there);
    goes_on.store(false, Ordering::Relaxed);
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

#[test]
fn the_busiest_that_wait_are_told_as_by_ps() {
    top_of_naps(1, Duration::from_millis(60), "nap", |said| {
        let naps = |line: &str| {
            line.contains(" naps ") && line.contains("  sleep, ") && line.ends_with(" s left")
        };
        said.stdout.lines().any(naps)
    });
}

/// Runs that last, of more threads than there are cores, go on without one, in turn.
#[test]
fn those_that_are_to_run_without_a_core_are_counted() {
    // Where they are shared a thread stays with its worker.
    if are_thread_locals_shared() {
        return;
    }
    top_of_naps(8, Duration::from_millis(1), "thread that waits", |said| {
        let (_, n) = said.stdout.split_once(" without a core: ").expect("how many");
        !n.starts_with('0')
    });
}

#[test]
fn what_is_spawned_stolen_and_handed_over_is_counted() {
    let goes_on = Arc::new(AtomicBool::new(true));
    let theirs = Arc::clone(&goes_on);
    let blocks = thread::spawn(move || {
        while theirs.load(Ordering::Relaxed) {
            sylvan::blocking(|| std::thread::sleep(Duration::from_millis(5)));
            // For others to take.
            let computes = || {
                let begin = Instant::now();
                while begin.elapsed() < Duration::from_micros(300) {}
            };
            let threads: Vec<_> = (0..20).map(|_| thread::spawn(computes)).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
    });
    // Where they are shared each core stays with its worker.
    if !are_thread_locals_shared() {
        top_until("hand-over", |said| sum(said, "HAND-OVERS") > 0);
    }
    top_until("steal", |said| sum(said, "STEALS") > 0);
    top_until("event", |said| sum(said, "EVENTS") > 0);
    top_until("spawn", |said| !said.stdout.contains(" switches (0 first ones, "));
    goes_on.store(false, Ordering::Relaxed);
    blocks.join().unwrap();
}

/// `top` on a terminal.
struct Terminal {
    script: Child,
    stdout: ChildStdout,
    shown: String,
}

impl Terminal {
    fn open(scene: &Scene) -> Self {
        let command = format!("stty rows 50 cols 200; {LOOK} top --interval 0.2 {}", scene.pid());
        let mut script = Command::new("script")
            .args(["-qec", &command, "/dev/null"])
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script runs");
        let stdout = script.stdout.take().unwrap();
        Self { script, stdout, shown: String::new() }
    }

    /// Waits until it has shown a text twice: the second time it is written over the first.
    fn shows_twice(&mut self, text: &str) {
        let mut bytes = [0; 4096];
        while self.shown.matches(text).count() < 2 {
            let n = self.stdout.read(&mut bytes).unwrap();
            assert_ne!(n, 0, "{}", self.shown);
            self.shown.push_str(&String::from_utf8_lossy(&bytes[..n]));
        }
        assert!(self.shown.contains("\u{1b}[?1049h"), "the screen is another one: {}", self.shown);
    }

    /// How it ends, and what it shows where it was before.
    fn end(mut self) -> (Option<i32>, String) {
        self.stdout.read_to_string(&mut self.shown).unwrap();
        let status = self.script.wait().unwrap().code();
        let last = self.shown.rsplit_once("\u{1b}[?1049l").expect("the screen is left").1;
        (status, last.trim().to_owned())
    }
}

#[test]
fn on_a_terminal_it_goes_on_until_a_key_ends_it() {
    let scene = scene();
    let mut terminal = Terminal::open(&scene);
    terminal.shows_twice(" computes ");
    terminal.script.stdin.as_mut().unwrap().write_all(b"q").unwrap();
    assert_eq!(terminal.end(), (Some(0), String::new()));
}

#[test]
fn a_terminal_is_given_back_when_the_process_ends() {
    let scene = scene();
    let mut terminal = Terminal::open(&scene);
    terminal.shows_twice(" computes ");
    drop(scene);
    let (status, last) = terminal.end();
    assert_eq!(status, Some(120));
    assert!(last.ends_with("there is no such process, or no longer"), "{last}");
}

#[test]
fn what_cannot_be_looked_at_is_told_as_by_ps() {
    assert_refuses_others(LOOK, "top", SCENE);
    assert_refuses(LOOK, &["top", "--interval", "0"], 2, "`--interval` expected");
}

//! What a process says of its own threads, by `sylvan::dump` and at a signal (`SYLVAN_DUMP`): the same as
//! `sylvan ps` says of it, without holding anybody up.

#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use std_shim::sync::{Barrier, Mutex};
use std_shim::thread::{self, Builder, JoinHandle};
use tests::look::{Scene, look};
use tests::process::{Process, Way};
use tests::whole;

const LOOK: &str = env!("CARGO_BIN_EXE_look");
const SCENE: &str = env!("CARGO_BIN_EXE_scene");

/// How long a dump may take that comes soon.
const PATIENCE: Duration = Duration::from_secs(20);

tests::in_each_mode!(
    a_program_dumps_from_a_green_thread_and_from_an_ordinary_one,
    before_the_first_thread_a_dump_says_that_there_is_none,
    what_the_writer_says_is_what_a_dump_says,
    a_name_stays_within_its_place,
    a_thread_that_was_spawned_before_is_in_the_dump,
    a_dump_does_not_look_for_threads_that_have_ended,
    a_signal_that_all_have_blocked_dumps_all_the_same,
    dumps_under_load_hold_nobody_up_and_are_whole,
    each_signal_appends_a_dump_to_the_file,
    an_unusable_variable_is_an_error_of_the_start,
    a_thread_that_has_lost_its_core_is_in_a_section_no_longer_than_that_lasts,
);

/// A file for this test, and nothing in its place.
fn place(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("dump-{name}"));
    let _ = fs::remove_file(&path);
    path
}

fn place_of(process: &Process, name: &str) -> PathBuf {
    place(&format!("{:?}-{name}", process.way()))
}

/// What is in the file once it is what it is to be.
#[track_caller]
fn wait_for(path: &Path, is_it: impl Fn(&str) -> bool) -> String {
    let begin = Instant::now();
    loop {
        let text = fs::read_to_string(path).unwrap_or_default();
        if is_it(&text) {
            return text;
        }
        assert!(begin.elapsed() < PATIENCE, "not in time: {text}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How many threads a dump has a line for; it has as many as it says.
#[track_caller]
fn n_threads(dump: &str) -> usize {
    let mut lines = dump.lines();
    let head = lines.next().expect("a line");
    let (_, rest) = head.split_once(": ").expect("whose it is");
    let n: usize = rest.split(' ').next().unwrap().parse().unwrap_or_else(|_| panic!("{head}"));
    assert!(rest.contains(" green threads, ") && rest.contains("(runtime in /"), "{head}");
    let columns = |line: &&str| line.trim_start().starts_with("ID  NAME");
    let found = lines.skip_while(|line| !columns(line)).skip(1).count();
    assert_eq!(n, found, "{dump}");
    n
}

/// A text without what changes from one look to the next: for how long somebody has waited, and waits yet.
fn without_times(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split(", for ").next().unwrap_or_default().to_owned()).collect()
}

fn dump() -> String {
    let mut text = Vec::new();
    sylvan::dump(&mut text).expect("a dump");
    String::from_utf8(text).expect("text")
}

/// A thread that has started, and waits until it is unparked.
fn parked(name: &str) -> JoinHandle<()> {
    let has_started = Arc::new(Barrier::new(2));
    let theirs = Arc::clone(&has_started);
    let body = move || {
        theirs.wait();
        thread::park();
    };
    let thread = Builder::new().name(name.to_owned()).spawn(body).unwrap();
    has_started.wait();
    thread
}

fn raise(signal: i32) {
    // SAFETY: there is a handler since the runtime has started.
    unsafe { libc::kill(libc::getpid(), signal) };
}

#[track_caller]
fn assert_says_what_ps_says(mode: &str) {
    let path = place(&format!("scene-{mode}"));
    let scene = Scene::start(
        Command::new(SCENE)
            .env("SYLVAN_TLS", mode)
            .env("SYLVAN_DUMP", "SIGUSR1")
            .env("SYLVAN_DUMP_FILE", &path),
    )
    .at_rest(LOOK);
    scene.signal(Signal::USR1);
    let dump = wait_for(&path, |text| text.ends_with('\n'));
    let ps = look(LOOK, &["ps", &scene.pid().to_string()]);
    assert_eq!(without_times(&dump), without_times(&ps.stdout));
    assert!(dump.contains("most likely a deadlock: "), "{dump}");
    assert!(n_threads(&dump) > 20);
}

#[test]
fn a_dump_says_what_ps_says() {
    assert_says_what_ps_says("own");
}

#[test]
fn a_dump_says_what_ps_says_where_thread_locals_are_shared() {
    assert_says_what_ps_says("shared");
}

#[test]
fn a_program_that_was_made_green_dumps_at_a_signal_and_goes_on() {
    let path = place("whole");
    let stderr = File::create(&path).unwrap();
    let mut command = Command::new(whole::program("looked_at"));
    let scene =
        Scene::start(whole::green(&mut command).env("SYLVAN_DUMP", "SIGQUIT").stderr(stderr))
            .at_rest(LOOK);
    let ps = look(LOOK, &["ps", &scene.pid().to_string()]);
    assert!(ps.stdout.contains("reads a pipe"), "{ps:?}");
    for n in 1..=2 {
        scene.signal(Signal::QUIT);
        let n_lines = n * ps.stdout.lines().count();
        let text = wait_for(&path, |text| text.lines().count() == n_lines && text.ends_with('\n'));
        assert_eq!(without_times(&text), without_times(&ps.stdout.repeat(n)));
    }
}

fn a_program_dumps_from_a_green_thread_and_from_an_ordinary_one(process: &Process) {
    process.passes(|| {
        let waits = parked("waits");
        let asks = Builder::new().name("asks".to_owned()).spawn(dump).unwrap();
        let mine = asks.join().unwrap();
        assert_eq!(n_threads(&mine), 2, "{mine}");
        let asker = mine.lines().find(|line| line.contains("  asks  ")).unwrap();
        if process.way() == Way::Own {
            assert!(asker.contains("  blocking  ") && asker.ends_with("  this look"), "{asker}");
        }
        let theirs = dump();
        assert_eq!(n_threads(&theirs), 1, "{theirs}");
        assert!(theirs.contains("  waits "), "{theirs}");
        waits.thread().unpark();
        waits.join().unwrap();
    });
}

fn before_the_first_thread_a_dump_says_that_there_is_none(process: &Process) {
    process.passes(|| {
        assert!(dump().contains(": 0 green threads, 0 workers (runtime in /"), "{}", dump());
        assert!(!sylvan::has_started());
    });
}

fn what_the_writer_says_is_what_a_dump_says(process: &Process) {
    struct Full;
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::StorageFull.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    process.passes(|| {
        let error = sylvan::dump(&mut Full).expect_err("it is full");
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    });
}

fn a_name_stays_within_its_place(process: &Process) {
    process.passes(|| {
        let waits = parked("red\u{1b}[31m\nand blue");
        let dump = dump();
        assert_eq!(n_threads(&dump), 1, "{dump}");
        assert!(dump.contains(r"  red\u{1b}[31m\nand …  parked  "), "{dump}");
        waits.thread().unpark();
        waits.join().unwrap();
    });
}

fn a_thread_that_was_spawned_before_is_in_the_dump(process: &Process) {
    const SPAWNED: usize = 16;
    static IS_OVER: AtomicBool = AtomicBool::new(false);
    process.passes(|| {
        // A worker that waits for a processor has for long in its hands what it is about to start.
        let burn = || {
            while !IS_OVER.load(Relaxed) {
                std::hint::spin_loop()
            }
        };
        let burners: Vec<_> = (0..4).map(|_| std::thread::spawn(burn)).collect();
        let spawns_and_dumps = || {
            let begin = Instant::now();
            while begin.elapsed() < Duration::from_secs(1) {
                let spawn = |_| Builder::new().name("there".to_owned()).spawn(thread::park);
                let spawned: Vec<_> = (0..SPAWNED).map(|n| spawn(n).unwrap()).collect();
                let dump = dump();
                assert_eq!(dump.matches("  there  ").count(), SPAWNED, "{dump}");
                spawned.iter().for_each(|thread| thread.thread().unpark());
                spawned.into_iter().for_each(|thread| thread.join().unwrap());
            }
        };
        spawns_and_dumps();
        thread::spawn(spawns_and_dumps).join().unwrap();
        IS_OVER.store(true, Relaxed);
        burners.into_iter().for_each(|burner| burner.join().unwrap());
    });
}

fn a_dump_does_not_look_for_threads_that_have_ended(process: &Process) {
    /// One that misses a thread looks again for longer.
    const SOON: Duration = Duration::from_millis(50);
    process.passes(|| {
        let bound = || {
            let is_bound = sylvan::thread::bind().is_ok();
            assert_eq!(sylvan::thread::is_green(), !is_bound);
        };
        thread::spawn(bound).join().unwrap();
        thread::spawn(|| std::panic::resume_unwind(Box::new(()))).join().unwrap_err();
        let several: Vec<_> = (0..100).map(|_| thread::spawn(thread::yield_now)).collect();
        several.into_iter().for_each(|thread| thread.join().unwrap());
        std::thread::spawn(|| assert!(sylvan::current().id().get() > 1)).join().unwrap();
        let begin = Instant::now();
        let takes = || {
            let begin = Instant::now();
            assert_eq!(n_threads(&dump()), 0);
            begin.elapsed()
        };
        while takes() > SOON {
            assert!(begin.elapsed() < PATIENCE, "each has taken long");
        }
    });
}

fn a_signal_that_all_have_blocked_dumps_all_the_same(process: &Process) {
    let path = place_of(process, "blocked");
    let asked = process.env("SYLVAN_DUMP", "USR2").env("SYLVAN_DUMP_FILE", &path);
    asked.passes(|| {
        let block = || {
            sylvan::contract::signal::change_mask(libc::SIG_BLOCK, Some(1 << (libc::SIGUSR2 - 1)))
        };
        block().unwrap();
        let waits = parked("waits");
        raise(libc::SIGUSR2);
        assert_eq!(n_threads(&wait_for(&path, |text| text.ends_with('\n'))), 1);
        waits.thread().unpark();
        waits.join().unwrap();
    });
}

fn each_signal_appends_a_dump_to_the_file(process: &Process) {
    let path = place_of(process, "appended");
    let name = format!("{}-%p", path.display());
    let asked =
        process.env("SYLVAN_DUMP", libc::SIGUSR1.to_string()).env("SYLVAN_DUMP_FILE", &name);
    let ended = asked.passes(|| {
        let waits = parked("waits");
        let pid = std::process::id().to_string();
        let path = PathBuf::from(name.replace("%p", &pid));
        let heads = |text: &str| text.matches(&format!("process {pid}: 1 green threads, ")).count();
        for n in 1..=3 {
            raise(libc::SIGUSR1);
            wait_for(&path, |text| heads(text) == n && text.lines().count() == 3 * n);
        }
        fs::remove_file(path).unwrap();
        waits.thread().unpark();
        waits.join().unwrap();
    });
    assert_eq!(ended.stderr, "");
}

fn dumps_under_load_hold_nobody_up_and_are_whole(process: &Process) {
    let path = place_of(process, "load");
    let asked = process.env("SYLVAN_DUMP", "SIGUSR1").env("SYLVAN_DUMP_FILE", &path);
    asked.passes(|| {
        let (is_over, n_turns) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (lock, have_started) = (Arc::new(Mutex::new(0)), Arc::new(Barrier::new(33)));
        let mut threads = Vec::new();
        for i in 0..32 {
            let (is_over, n_turns) = (Arc::clone(&is_over), Arc::clone(&n_turns));
            let (lock, have_started) = (Arc::clone(&lock), Arc::clone(&have_started));
            let body = move || {
                have_started.wait();
                while !is_over.load(Relaxed) {
                    let name = format!("short-{i}");
                    let short = Builder::new().name(name).spawn(thread::yield_now).unwrap();
                    *lock.lock().unwrap() += 1;
                    short.join().unwrap();
                    thread::sleep(Duration::from_micros(100));
                    n_turns.fetch_add(1, Relaxed);
                }
            };
            threads.push(thread::spawn(body));
        }
        have_started.wait();
        let is_enough = Arc::new(AtomicBool::new(false));
        let dumper = {
            let is_enough = Arc::clone(&is_enough);
            thread::spawn(move || {
                let mut n_dumps = 0;
                while !is_enough.load(Relaxed) {
                    // Those that are there for a moment are found or not.
                    assert!(n_threads(&dump()) > 32);
                    n_dumps += 1;
                }
                n_dumps
            })
        };
        let (begin, n_before) = (Instant::now(), n_turns.load(Relaxed));
        while begin.elapsed() < Duration::from_secs(2) {
            raise(libc::SIGUSR1);
            std::thread::sleep(Duration::from_millis(50));
        }
        assert!(n_turns.load(Relaxed) > n_before + 1000, "all go on");
        is_enough.store(true, Relaxed);
        assert!(dumper.join().unwrap() > 3);
        is_over.store(true, Relaxed);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.matches(" green threads, ").count() > 3, "{text}");
}

fn an_unusable_variable_is_an_error_of_the_start(process: &Process) {
    let said = |process: &Process| {
        let ended = process.passes(|| {
            let error = sylvan::Config::new().start().expect_err("it cannot start");
            println!("error: {error}");
        });
        ended.said("error: ").to_owned()
    };
    let signal = said(&process.env("SYLVAN_DUMP", "SIGKILL"));
    let line = "`SYLVAN_DUMP` expected a signal such as `SIGQUIT` or `SIGUSR1`, got `SIGKILL`";
    assert_eq!(signal, line);
    let asked = process.env("SYLVAN_DUMP", "SIGQUIT");
    let nowhere = said(&asked.env("SYLVAN_DUMP_FILE", "/nowhere/at/all"));
    assert!(
        nowhere.starts_with("`SYLVAN_DUMP_FILE`: /nowhere/at/all cannot be written"),
        "{nowhere}"
    );
}

fn a_thread_that_has_lost_its_core_is_in_a_section_no_longer_than_that_lasts(process: &Process) {
    static IS_BESIDE: AtomicBool = AtomicBool::new(false);
    static IS_BEHIND: AtomicBool = AtomicBool::new(false);
    static IS_OVER: AtomicBool = AtomicBool::new(false);
    if process.way() == Way::Shared {
        println!("does not hold in the shared mode: nobody takes the core of a thread that runs");
        return;
    }
    process.env("SYLVAN_WORKERS", "1").passes(|| {
        let computes = || {
            let other = thread::spawn(|| IS_BESIDE.store(true, Relaxed));
            let computes_until = |it: &AtomicBool| while !it.load(Relaxed) {};
            computes_until(&IS_BESIDE);
            sylvan::blocking(|| ());
            IS_BEHIND.store(true, Relaxed);
            computes_until(&IS_OVER);
            other.join().expect("no panic");
        };
        let computes = Builder::new().name("computes".to_owned()).spawn(computes).unwrap();
        while !IS_BEHIND.load(Relaxed) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let dump = dump();
        IS_OVER.store(true, Relaxed);
        computes.join().expect("no panic");
        let line = dump.lines().find(|line| line.contains(" computes ")).expect("a line");
        assert!(line.contains(" running"), "{line}");
    });
}

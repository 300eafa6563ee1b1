//! Deadlocks that a process tells of itself (`SYLVAN_DEADLOCK`): each that there is, once, and no other.

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use std_shim::io::{Read, Write};
use std_shim::net::{TcpListener, TcpStream};
use std_shim::sync::{Arc, Barrier, Condvar, Mutex, Once, RwLock, mpsc};
use std_shim::thread::{self, Builder, JoinHandle};
use tests::look::look;
use tests::process::{Ended, Process};
use tests::whole;

tests::in_each_mode!(
    two_that_have_each_others_lock_are_told_once_while_others_go_on,
    main_that_joins_with_a_lock_that_the_other_wants_is_told,
    one_that_waits_for_its_own_lock_is_told,
    main_that_waits_for_its_own_lock_is_told,
    one_that_waits_for_a_lock_of_an_ended_thread_is_told,
    writers_and_initializers_are_told,
    those_who_have_got_a_lock_by_trying_are_told,
    a_scope_whose_thread_wants_a_lock_that_its_own_has_is_told,
    a_thread_that_joins_itself_by_others_is_told,
    a_deadlock_aborts_if_it_is_to,
    a_healthy_busy_program_is_not_told,
    what_an_event_a_deadline_or_a_call_may_end_is_not_told,
    who_leaves_its_wait_is_not_told,
    an_unusable_variable_is_an_error_of_the_start,
    without_it_nothing_is_told,
);

/// Some looks.
const LOOKS: Duration = Duration::from_millis(2600);

fn spawn<T: Send + 'static>(name: &str, f: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    Builder::new().name(name.to_owned()).spawn(f).unwrap()
}

/// Threads 'a' and 'b', each with a lock that the other one waits for.
fn lock_each_others() -> [JoinHandle<()>; 2] {
    let (a, b, both) =
        (Arc::new(Mutex::new(())), Arc::new(Mutex::new(())), Arc::new(Barrier::new(2)));
    [("a", &a, &b), ("b", &b, &a)].map(|(name, first, second)| {
        let (first, second, both) = (Arc::clone(first), Arc::clone(second), Arc::clone(&both));
        spawn(name, move || {
            let _first = first.lock();
            both.wait();
            let _second = second.lock();
        })
    })
}

/// What the process has said of deadlocks, a line each.
fn told(ended: &Ended) -> Vec<&str> {
    ended.stderr.lines().filter_map(|line| line.strip_prefix("sylvan: deadlock: ")).collect()
}

/// Runs a scene with a deadlock, which ends the process soon, though another thread goes on; what it has said.
fn deadlock(process: &Process, scene: impl FnOnce()) -> String {
    let ended = process.env("SYLVAN_DEADLOCK", "abort").run(|| {
        spawn("goes-on", || {
            for _ in 0..40_000 {
                thread::sleep(Duration::from_millis(1));
            }
            std::process::exit(0);
        });
        scene();
        std::thread::sleep(Duration::from_secs(40));
    });
    assert_eq!(ended.signal(), Some(libc::SIGABRT), "{}", ended.stderr);
    let [line] = told(&ended)[..] else { panic!("{}", ended.stderr) };
    without_numbers(line)
}

/// A line in which each number in parentheses, and each address, is `#`.
fn without_numbers(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some(at) = rest.find("0x").into_iter().chain(rest.find(" (")).min() {
        let (before, after) = rest.split_at(at + 2);
        text += before;
        text.push('#');
        let digits = |c: char| !c.is_ascii_hexdigit();
        let after = after.strip_prefix("OS thread ").unwrap_or(after);
        rest = &after[after.find(digits).unwrap_or(after.len())..];
    }
    text + rest
}

fn two_that_have_each_others_lock_are_told_once_while_others_go_on(process: &Process) {
    let ended = process.env("SYLVAN_DEADLOCK", "warn").passes(|| {
        let _threads = lock_each_others();
        let begin = Instant::now();
        let goes_on = thread::spawn(move || {
            while begin.elapsed() < 3 * LOOKS {
                thread::sleep(Duration::from_millis(1));
            }
        });
        goes_on.join().unwrap();
    });
    let [line] = told(&ended)[..] else { panic!("{}", ended.stderr) };
    let expected = "'a' (#) holds 0x# and waits for 0x#; 'b' (#) holds 0x# and waits for 0x#";
    assert_eq!(without_numbers(line), expected);
    let mut locks = line.split("0x").skip(1).map(|it| it.split([' ', ';']).next().unwrap());
    let [a_has, a_wants, b_has, b_wants] = std::array::from_fn(|_| locks.next().unwrap());
    assert_eq!((a_has, b_has), (b_wants, a_wants), "{line}");
}

fn main_that_joins_with_a_lock_that_the_other_wants_is_told(process: &Process) {
    let line = deadlock(process, || {
        let lock = Arc::new(Mutex::new(()));
        let theirs = Arc::clone(&lock);
        let _guard = lock.lock();
        spawn("other", move || drop(theirs.lock())).join().unwrap();
    });
    let (other, main) = line.split_once("; ").unwrap();
    assert_eq!(other, "'other' (#) waits for 0x#");
    // It is the harness that has the first OS thread.
    assert!(main.starts_with("OS thread "), "{main}");
    assert!(main.ends_with(" holds 0x# and waits for the end of 'other' (#)"), "{main}");
}

fn one_that_waits_for_its_own_lock_is_told(process: &Process) {
    let line = deadlock(process, || {
        spawn("selfish", || {
            let lock = Mutex::new(());
            let _first = lock.lock();
            let _second = lock.lock();
        });
    });
    assert_eq!(line, "'selfish' (#) waits for 0x#, which it holds itself");
}

fn main_that_waits_for_its_own_lock_is_told(process: &Process) {
    let line = deadlock(process, || {
        let lock = Mutex::new(());
        let _first = lock.lock();
        let _second = lock.lock();
    });
    let circle = line.strip_prefix("OS thread ").unwrap_or_else(|| panic!("{line}"));
    assert!(circle.ends_with(" waits for 0x#, which it holds itself"), "{line}");
}

fn one_that_waits_for_a_lock_of_an_ended_thread_is_told(process: &Process) {
    let line = deadlock(process, || {
        let lock = Arc::new(Mutex::new(()));
        let theirs = Arc::clone(&lock);
        let leaves = move || std::mem::forget(theirs.lock());
        spawn("leaves", leaves).join().unwrap();
        spawn("waits", move || drop(lock.lock()));
    });
    let held = line.strip_prefix("'waits' (#) waits for 0x#, held by ");
    let owner = held.and_then(|held| held.strip_suffix(", which has ended"));
    assert!(owner.is_some_and(|id| id.parse::<u64>().is_ok()), "{line}");
}

fn writers_and_initializers_are_told(process: &Process) {
    let line = deadlock(process, || {
        static ONCE: Once = Once::new();
        let (lock, both) = (Arc::new(RwLock::new(())), Arc::new(Barrier::new(2)));
        let (theirs, both_are_there) = (Arc::clone(&lock), Arc::clone(&both));
        let initializes = move || {
            ONCE.call_once(|| {
                both.wait();
                drop(lock.write());
            });
        };
        spawn("writes", move || {
            let _guard = theirs.write();
            both_are_there.wait();
            ONCE.call_once(|| ());
        });
        spawn("initializes", initializes);
    });
    let writes = "'writes' (#) holds 0x# and waits for 0x#";
    assert_eq!(line, format!("{writes}; 'initializes' (#) holds 0x# and waits for 0x#"));
}

fn those_who_have_got_a_lock_by_trying_are_told(process: &Process) {
    let line = deadlock(process, || {
        let locks = Arc::new((Mutex::new(()), RwLock::new(()), Barrier::new(2)));
        let theirs = Arc::clone(&locks);
        spawn("locks", move || {
            let _guard = locks.0.try_lock().unwrap();
            locks.2.wait();
            drop(locks.1.read());
        });
        spawn("writes", move || {
            let _guard = theirs.1.try_write().unwrap();
            theirs.2.wait();
            drop(theirs.0.lock());
        });
    });
    let locks = "'locks' (#) holds 0x# and waits for 0x#";
    assert_eq!(line, format!("{locks}; 'writes' (#) holds 0x# and waits for 0x#"));
}

fn a_scope_whose_thread_wants_a_lock_that_its_own_has_is_told(process: &Process) {
    let line = deadlock(process, || {
        spawn("scopes", || {
            let lock = Mutex::new(());
            let _guard = lock.lock();
            thread::scope(|scope| {
                scope.spawn(thread::park);
                let inside = Builder::new().name("inside".to_owned());
                inside.spawn_scoped(scope, || drop(lock.lock())).unwrap();
            });
        });
    });
    let scopes = "'scopes' (#) holds 0x# and waits for the end of 'inside' (#)";
    assert_eq!(line, format!("{scopes}; 'inside' (#) waits for 0x#"));
}

fn a_thread_that_joins_itself_by_others_is_told(process: &Process) {
    let line = deadlock(process, || {
        let (give, take) = mpsc::channel::<JoinHandle<()>>();
        let first = spawn("first", move || take.recv().unwrap().join().unwrap());
        let second = spawn("second", move || first.join().unwrap());
        give.send(second).unwrap();
    });
    let first = "'first' (#) waits for the end of 'second' (#)";
    assert_eq!(line, format!("{first}; 'second' (#) waits for the end of 'first' (#)"));
}

/// A program whose threads all wait, in each mode; once there were some looks `wake` ends that, and it ends well.
#[track_caller]
fn assert_is_not_told(what_for: &str, wake: impl Fn(&mut Child)) {
    for mode in ["own", "shared"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waits"));
        command.arg(what_for).env("SYLVAN_TLS", mode).env("SYLVAN_DEADLOCK", "abort");
        let piped = command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        std::thread::sleep(LOOKS);
        wake(&mut child);
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
}

#[test]
fn all_that_wait_for_each_other_are_told() {
    for mode in ["own", "shared"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_waits"));
        command.arg("for-good").env("SYLVAN_TLS", mode).env("SYLVAN_DEADLOCK", "abort");
        let output = whole::finish(&mut command);
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{stderr}");
        let expected = "sylvan: deadlock: all 4 threads wait for each other, and nothing outside can wake any: \
            main (#) at channel 0x#, empty, 1 sender; 'waits' (#) at condvar 0x#; 'stays' (#) at park; \
            'joins' (#) at join of 'waits' (#)\n\
            fatal runtime error: a deadlock, aborting\n";
        assert_eq!(without_numbers(&stderr), expected);
    }
}

#[test]
fn all_that_wait_in_a_whole_program_are_told() {
    let mut command = Command::new(whole::program("all_wait"));
    let output = whole::finish(whole::green(&mut command).env("SYLVAN_DEADLOCK", "abort"));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{stderr}");
    let told =
        "sylvan: deadlock: all 2 threads wait for each other, and nothing outside can wake any: ";
    let waits = without_numbers(&stderr);
    let waits = waits.strip_prefix(told).unwrap_or_else(|| panic!("{stderr}"));
    assert!(waits.starts_with("main (#) at join of "), "{stderr}");
    assert!(waits.lines().next().is_some_and(|it| it.ends_with(" at condvar 0x#")), "{stderr}");
}

#[test]
fn circles_of_libcs_locks_are_told_and_seen_from_outside() {
    let mut command = Command::new(whole::program("circles"));
    let command = whole::green(&mut command).env("SYLVAN_DEADLOCK", "warn");
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let pid = child.id();
    let kinds = ["normal", "checking", "recursive", "tried", "writes", "reads", "with-main"];
    let expected = kinds.map(|kind| {
        let second = match kind {
            "with-main" => "main (#)".to_owned(),
            kind => format!("'{kind}-b' (#)"),
        };
        format!("'{kind}-a' (#) holds 0x# and waits for 0x#; {second} holds 0x# and waits for 0x#")
    });
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let told: BTreeSet<_> = lines.by_ref().take(kinds.len()).collect();
    let said = look(env!("CARGO_BIN_EXE_look"), &["ps", &pid.to_string()]);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(lines.next(), None);
    let circles = |lines: &mut dyn Iterator<Item = &str>| {
        let lines = lines.filter_map(|line| line.strip_prefix("deadlock: "));
        lines.map(without_numbers).collect::<BTreeSet<_>>()
    };
    let expected = BTreeSet::from(expected);
    let mut told_lines = told.iter().filter_map(|line| line.strip_prefix("sylvan: "));
    assert_eq!(circles(&mut told_lines), expected, "{told:?}");
    assert_eq!(circles(&mut said.stdout.lines()), expected, "{}", said.stdout);
    assert_eq!(
        said.stdout.matches(", held by ").count(),
        // And a lock of a thread that has ended, which is named before that.
        2 * kinds.len() - 1 + 3,
        "{}",
        said.stdout
    );
}

#[test]
fn who_waits_for_input_as_well_is_not_told() {
    assert_is_not_told("for-input", |child| {
        child.stdin.take().unwrap().write_all(b"!").unwrap();
    });
}

#[test]
fn who_waits_for_a_signal_as_well_is_not_told() {
    assert_is_not_told("for-a-signal", |child| {
        let pid = rustix::process::Pid::from_child(child);
        rustix::process::kill_process(pid, rustix::process::Signal::USR1).unwrap();
    });
}

fn a_deadlock_aborts_if_it_is_to(process: &Process) {
    let ended = process.env("SYLVAN_DEADLOCK", "abort").run(|| {
        let [a, b] = lock_each_others();
        a.join().unwrap();
        b.join().unwrap();
    });
    assert_eq!(ended.signal(), Some(libc::SIGABRT));
    assert_eq!(told(&ended).len(), 1, "{}", ended.stderr);
    let last = ended.stderr.lines().last().unwrap();
    assert_eq!(last, "fatal runtime error: a deadlock, aborting");
}

/// Locks that many want, in one order and in any where that does no harm, joins, channels and conditions.
fn a_healthy_busy_program_is_not_told(process: &Process) {
    let ended = process.env("SYLVAN_DEADLOCK", "abort").passes(|| {
        let is_over = Arc::new(AtomicBool::new(false));
        let locks: Arc<Vec<_>> = Arc::new((0..4).map(Mutex::new).collect());
        let shared = Arc::new(RwLock::new(0_u64));
        let turn = Arc::new((Mutex::new(0_u64), Condvar::new()));
        let mut threads = Vec::new();
        for i in 0..24 {
            let (is_over, locks) = (Arc::clone(&is_over), Arc::clone(&locks));
            let (shared, turn) = (Arc::clone(&shared), Arc::clone(&turn));
            threads.push(thread::spawn(move || {
                while !is_over.load(Relaxed) {
                    let first = locks[i % 3].lock().unwrap();
                    let second = locks[3].lock().unwrap();
                    drop(first);
                    // In the other order, but without waiting.
                    drop(locks[i % 3].try_lock());
                    drop(second);
                    *shared.write().unwrap() += 1;
                    assert!(*shared.read().unwrap() > 0);
                    let theirs = Arc::clone(&locks);
                    let child = thread::spawn(move || drop(theirs[3].lock()));
                    thread::scope(|scope| {
                        scope.spawn(|| drop(locks[i % 3].lock()));
                        thread::scope(|scope| drop(scope.spawn(|| drop(locks[3].lock()))));
                    });
                    *turn.0.lock().unwrap() += 1;
                    turn.1.notify_all();
                    let seen = turn.0.lock().unwrap();
                    drop(turn.1.wait_timeout(seen, Duration::from_millis(1)).unwrap());
                    child.join().unwrap();
                }
            }));
        }
        std::thread::sleep(2 * LOOKS);
        is_over.store(true, Relaxed);
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    assert_eq!(ended.stderr, "");
}

/// All threads wait but one, each time one that something else may wake.
fn what_an_event_a_deadline_or_a_call_may_end_is_not_told(process: &Process) {
    let ended = process.env("SYLVAN_DEADLOCK", "abort").passes(|| {
        // Who waits for it has a lock that others wait for.
        let held = |name: &str, wait: Box<dyn FnOnce() + Send>| {
            let (lock, has_begun) = (Arc::new(Mutex::new(())), Arc::new(Barrier::new(2)));
            let (theirs, begun) = (Arc::clone(&lock), Arc::clone(&has_begun));
            let holder = spawn(name, move || {
                let _guard = theirs.lock();
                begun.wait();
                wait();
            });
            has_begun.wait();
            [holder, spawn("second", move || drop(lock.lock()))]
        };
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut mine = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut theirs, _) = listener.accept().unwrap();
        let reads = held("reads", Box::new(move || assert_eq!(theirs.read(&mut [0]).unwrap(), 1)));
        std::thread::sleep(LOOKS);
        mine.write_all(b"!").unwrap();
        reads.into_iter().for_each(|thread| thread.join().unwrap());
        let sleeps = held("sleeps", Box::new(|| thread::sleep(LOOKS)));
        sleeps.into_iter().for_each(|thread| thread.join().unwrap());
        let blocks = held("blocks", Box::new(|| sylvan::blocking(|| std::thread::sleep(LOOKS))));
        blocks.into_iter().for_each(|thread| thread.join().unwrap());
        // An OS thread may wake who waits.
        let (sender, receiver) = mpsc::channel();
        let receives = held("receives", Box::new(move || receiver.recv().unwrap()));
        std::thread::spawn(move || {
            std::thread::sleep(LOOKS);
            sender.send(()).unwrap();
        });
        receives.into_iter().for_each(|thread| thread.join().unwrap());
    });
    assert_eq!(ended.stderr, "");
}

/// Each has the other's lock, but one of them gives up in the end.
fn who_leaves_its_wait_is_not_told(process: &Process) {
    let ended = process.env("SYLVAN_DEADLOCK", "abort").passes(|| {
        let (a, b) = (Arc::new(Mutex::new(())), Arc::new((Mutex::new(()), Condvar::new())));
        let both = Arc::new(Barrier::new(2));
        let (theirs, pair, both_are_there) = (Arc::clone(&a), Arc::clone(&b), Arc::clone(&both));
        let patient = spawn("patient", move || {
            let _pair = pair.0.lock();
            both_are_there.wait();
            let _lock = theirs.lock();
        });
        let impatient = spawn("impatient", move || {
            let guard = a.lock();
            both.wait();
            let begin = Instant::now();
            while begin.elapsed() < LOOKS {
                assert!(b.0.try_lock().is_err());
                thread::sleep(Duration::from_millis(1));
            }
            drop(guard);
        });
        patient.join().unwrap();
        impatient.join().unwrap();
    });
    assert_eq!(ended.stderr, "");
}

fn an_unusable_variable_is_an_error_of_the_start(process: &Process) {
    let ended = process.env("SYLVAN_DEADLOCK", "yes").passes(|| {
        let error = sylvan::Config::new().start().expect_err("it cannot start");
        println!("error: {error}");
    });
    assert_eq!(ended.said("error: "), "`SYLVAN_DEADLOCK` expected `warn` or `abort`, got `yes`");
}

fn without_it_nothing_is_told(process: &Process) {
    let ended = process.passes(|| {
        let _threads = lock_each_others();
        std::thread::sleep(LOOKS);
    });
    assert_eq!(ended.stderr, "");
}

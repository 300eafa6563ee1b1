//! `sylvan ps`: what it says of a program with a thread of each kind, by both modes, stopped or not, and of what
//! cannot be looked at.
#![cfg(target_os = "linux")]

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{self, Command};

use rustix::process::{Signal, WaitId, WaitIdOptions};
use tests::look::{
    Said, Scene, assert_refuses, assert_refuses_others, compile, core_of, look, once_written, until,
};
use tests::whole;

const LOOK: &str = env!("CARGO_BIN_EXE_look");
const SCENE: &str = env!("CARGO_BIN_EXE_scene");
const WAITS: &str = env!("CARGO_BIN_EXE_waits");
const PARKED: &str = env!("CARGO_BIN_EXE_parked");

fn scene(mode: &str) -> Scene {
    Scene::start(Command::new(SCENE).env("SYLVAN_TLS", mode)).at_rest(LOOK)
}

fn ps(scene: &Scene) -> Said {
    look(LOOK, &["ps", &scene.pid().to_string()])
}

/// Threads of the scene, with their states and how it begins what they wait for, in which `{lock}` is an address.
fn threads(scene: &Scene) -> Vec<(&'static str, &'static str, String)> {
    let said = |what: &str, n: usize| &scene.said[what][n];
    let main = scene.pid();
    let rows = [
        ("reader", format!("TCP {} <- {}, read", said("tcp", 0), said("tcp", 1))),
        ("acceptor", format!("TCP {}, accept", said("listener", 0))),
        ("datagrams", format!("UDP {}, read", said("udp", 0))),
        ("unix", format!("unix socket {} [", said("unix", 0))),
        ("pipe", format!("pipe {} [", said("pipe", 0))),
        ("sleeper", "sleep, for ".to_owned()),
        ("parked", "park".to_owned()),
        ("顧客の接続を待つス…", "park".to_owned()),
        ("writer", "park".to_owned()),
        ("second", format!("mutex {}, most likely held by 'writer' (", said("mutex", 0))),
        ("third", format!("mutex {}, perhaps held by main (OS thread {main})", said("of-main", 0))),
        ("a", "mutex 0x".to_owned()),
        ("b", "mutex 0x".to_owned()),
        ("read-locks", "park".to_owned()),
        ("write-locks", "rwlock 0x".to_owned()),
        ("condvar", "condvar 0x".to_owned()),
        ("barrier", "barrier 0x".to_owned()),
        ("initializes", "park".to_owned()),
        ("once", "once 0x".to_owned()),
        ("receiver", "channel 0x".to_owned()),
        ("sender", "channel".to_owned()),
        ("joined", "park".to_owned()),
        ("joiner", "join of 'joined' (".to_owned()),
        ("scope", "scope, 1 thread: 'in-scope' (".to_owned()),
        ("in-scope", "park".to_owned()),
        ("child", format!("child {}", said("child", 0))),
    ];
    let parked = rows.into_iter().map(|(name, words)| (name, "parked", words));
    let others = [
        ("computes", "running", String::new()),
        ("bound", "bound", "sleep of its OS thread".to_owned()),
    ];
    parked.chain(others).collect()
}

/// The line of a thread: its number, state and what it waits for.
fn line<'a>(said: &'a str, name: &str) -> [&'a str; 3] {
    let cells = |line: &'a str| line.split("  ").map(str::trim).filter(|it| !it.is_empty());
    let of_that_name = |line: &&'a str| cells(line).nth(1) == Some(name);
    let line = said.lines().find(of_that_name).unwrap_or_else(|| panic!("no {name} in:\n{said}"));
    let cells: Vec<_> = cells(line).collect();
    [cells[0], cells[2], cells.get(4).copied().unwrap_or("")]
}

/// How much of what the scene's threads wait for is known.
#[track_caller]
fn assert_shows_all(said: &Said, threads: &[(&str, &str, String)]) {
    assert_eq!((said.status, &*said.stderr), (Some(0), ""), "{said:?}");
    for (name, state, words) in threads {
        let [_, is, waits_for] = line(&said.stdout, name);
        assert_eq!(is, *state, "{name}:\n{}", said.stdout);
        assert!(waits_for.starts_with(words), "{name}, {words}:\n{}", said.stdout);
        assert_eq!(waits_for.is_empty(), words.is_empty(), "{name}:\n{}", said.stdout);
    }
    for (name, words) in
        [("receiver", ", empty, 2 senders"), ("sender", ", full"), ("barrier", ", 1 of 2")]
    {
        let [.., waits_for] = line(&said.stdout, name);
        assert!(waits_for.contains(words), "{name}: {waits_for}");
    }
    let [[a, _, a_waits], [b, _, b_waits]] = ["a", "b"].map(|name| line(&said.stdout, name));
    let lock = |words: &str| words.split([' ', ',']).nth(1).unwrap().to_owned();
    let (a_lock, b_lock) = (lock(a_waits), lock(b_waits));
    let circle = format!(
        "most likely a deadlock: 'a' ({a}) holds {b_lock} and waits for {a_lock}; \
         'b' ({b}) holds {a_lock} and waits for {b_lock}"
    );
    assert!(said.stdout.lines().any(|line| line == circle), "no {circle} in\n{}", said.stdout);
    assert_eq!(said.stdout.matches("deadlock").count(), 1, "{}", said.stdout);
    let n_lines = said.stdout.lines().count();
    assert_eq!(n_lines, threads.len() + 4, "{}", said.stdout);
}

#[test]
fn each_thread_is_shown_with_what_it_does() {
    let scene = scene("own");
    let said = ps(&scene);
    assert_shows_all(&said, &threads(&scene));
    assert_eq!(line(&said.stdout, "blocks")[1..], ["blocking", "sleep of its OS thread"]);
    // By the columns that it takes on a terminal, the last of which a character of two does not fit in.
    let is_cut = said.stdout.contains("  顧客の接続を待つス…   parked         ");
    assert!(is_cut, "{}", said.stdout);
    assert!(line(&said.stdout, "sleeper")[2].ends_with(" s left"), "{}", said.stdout);
    for (name, ends) in [("unix", &scene.said["unix"]), ("pipe", &scene.said["pipe"])] {
        let [.., waits_for] = line(&said.stdout, name);
        let other = format!("] <- descriptor {}, read, for ", ends[1]);
        assert!(waits_for.contains(&other), "no {other} in {waits_for}");
    }
}

#[test]
fn each_thread_is_shown_where_thread_locals_are_shared() {
    let scene = scene("shared");
    let said = ps(&scene);
    let mut threads = threads(&scene);
    // There none can have its worker for itself.
    *threads.last_mut().unwrap() = ("bound", "parked", "park".to_owned());
    assert_shows_all(&said, &threads);
    let [_, state, waits_for] = line(&said.stdout, "blocks");
    assert!(
        state == "parked" && waits_for.starts_with("a call by another OS thread, for "),
        "{}",
        said.stdout
    );
}

#[test]
fn a_dump_says_the_same() {
    let scene = scene("own");
    let said = look(LOOK, &["dump", &scene.pid().to_string()]);
    assert_eq!((said.status, &*said.stderr), (Some(0), ""), "{said:?}");
    let [lock] = &scene.said["mutex"][..] else { panic!("{:?}", scene.said) };
    let lock = u64::from_str_radix(&lock[2..], 16).unwrap();
    let second =
        said.stdout.split("{\"id\":").find(|it| it.contains("\"name\":\"second\"")).unwrap();
    assert!(second.contains(&format!("\"reason\":\"mutex\",\"descriptors\":[],\"file\":null,\"address\":{lock},\"owner\":null,\"owner_ended\":null,\"holders\":[")), "{second}");
    assert!(!said.stdout.contains("\"deadlocks\":[]"), "{}", said.stdout);
}

#[test]
fn a_process_that_was_stopped_is_shown() {
    let scene = scene("own");
    scene.signal(Signal::STOP);
    assert_shows_all(&ps(&scene), &threads(&scene));
}

#[test]
fn a_core_file_is_shown() {
    let folder = env::temp_dir().join(format!("sylvan-sight-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let limit = "ulimit -c unlimited && exec \"$0\"";
    let mut command = Command::new("sh");
    let scene = Scene::start(command.args(["-c", limit, SCENE]).current_dir(&folder)).at_rest(LOOK);
    let mut threads = threads(&scene);
    for (_, state, words) in &mut threads {
        if *state == "bound" {
            words.clear();
        }
        // Descriptors are known by their numbers alone, and it is no time.
        let is_file =
            ["TCP", "UDP", "unix", "pipe", "child"].iter().any(|of| words.starts_with(of));
        // Nor is it known where OS threads are.
        let until = if words.contains("main") { ", " } else { ", for" };
        let known = if is_file { "descriptor " } else { words.split(until).next().unwrap() };
        *words = known.to_owned();
    }
    if let Some(core) = core_of(scene, &folder) {
        let core = core.to_str().unwrap();
        assert_shows_all(&look(LOOK, &["ps", "--core", core, SCENE]), &threads);
        let other = look(LOOK, &["ps", "--core", core, LOOK]);
        assert_eq!((other.status, other.stderr.lines().count()), (Some(115), 1), "{other:?}");
        assert!(other.stderr.ends_with("/look: the core file is another program's\n"), "{other:?}");
        // As where a disk was full.
        let file = fs::File::options().write(true).open(core).unwrap();
        let mut len = file.metadata().unwrap().len();
        let mut n_notes = 0;
        loop {
            len /= 2;
            file.set_len(len).unwrap();
            let said = look(LOOK, &["ps", "--core", core, SCENE]);
            if said.status != Some(0) {
                assert!([124, 125].map(Some).contains(&said.status), "{said:?}");
                break;
            }
            let is_told = said.stderr.contains(" stacks cannot be read; ");
            let are_all =
                threads.iter().all(|(name, ..)| said.stdout.contains(&format!("  {name}  ")));
            assert!(is_told || are_all, "{said:?}");
            n_notes += u32::from(is_told);
        }
        assert_ne!(n_notes, 0, "none of these has a part of the stacks");
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_cannot_be_looked_at_is_told_in_a_line() {
    assert_refuses_others(LOOK, "ps", SCENE);
    let mut ended = Command::new("true").spawn().unwrap();
    let pid = rustix::process::Pid::from_child(&ended);
    // It has ended, and is there until somebody has waited for it.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    rustix::process::waitid(WaitId::Pid(pid), options).unwrap();
    let pid = ended.id().to_string();
    assert_refuses(LOOK, &["ps", &pid], 120, "there is no such process");
    ended.wait().unwrap();
    assert_refuses(LOOK, &["ps", "--core", "/nowhere", SCENE], 124, "/nowhere");
}

#[test]
fn a_program_that_was_made_green_is_shown() {
    let scene =
        Scene::start(whole::green(&mut Command::new(whole::program("looked_at")))).at_rest(LOOK);
    let said = ps(&scene);
    assert_eq!((said.status, &*said.stderr), (Some(0), ""), "{said:?}");
    let pipe = format!(" pipe {} [", scene.said["descriptor"][0]);
    assert!(said.stdout.contains(&pipe), "no {pipe} in\n{}", said.stdout);
    assert!(said.stdout.contains(&format!(" mutex {}", scene.said["lock"][0])), "{}", said.stdout);
    assert!(said.stdout.contains("  reads a pipe  "), "{}", said.stdout);
    assert!(said.stdout.contains("libsylvan_preload.so)"), "{}", said.stdout);
    // Of its child that is shown which is there, though the memory of the others is.
    let said = look(LOOK, &["ps", &scene.said["child"][0]]);
    assert!(said.stdout.contains(": 1 green threads, "), "{said:?}");
    assert!(said.stdout.contains(&pipe), "no {pipe} in\n{}", said.stdout);
}

#[test]
fn the_thread_that_a_child_of_a_fork_goes_on_with_says_what_its_os_thread_waits_for() {
    let program = whole::program("forks_and_reads");
    let scene = Scene::start(whole::green(&mut Command::new(program)));
    for (name, words) in [("reads", "read pipe:["), ("pauses", "a signal, by its OS thread\n")] {
        let child = &scene.said[name][0];
        until(|| {
            let said = look(LOOK, &["ps", child]);
            let words = format!("  bound            -  {words}");
            if said.stdout.contains(&words) { Ok(()) } else { Err(format!("{name}: {said:?}")) }
        });
        let child = rustix::process::Pid::from_raw(child.parse().unwrap()).unwrap();
        rustix::process::kill_process(child, Signal::KILL).unwrap();
    }
}

/// Each wait that libc has, by its own words.
#[test]
fn what_libcs_functions_wait_for_is_told() {
    let scene =
        Scene::start(whole::green(&mut Command::new(whole::program("waits")))).at_rest(LOOK);
    let text = ps(&scene).stdout;
    let said = |what: &str| scene.said[what].iter().map(String::as_str).collect::<Vec<_>>();
    let one = |what: &str| said(what)[0];
    let [a, a_in, b, b_in, c, c_in] = said("pipes")[..] else { panic!("{:?}", scene.said) };
    let [left, right] = said("pair")[..] else { panic!("{:?}", scene.said) };
    let pipe = |out: &str, into: &str| format!("pipe {out} [*] <- descriptor {into}, read");
    let pair = format!("unix socket {left} [*] <- descriptor {right}, read");
    let meets = format!("barrier {}, 2 of 3", one("barrier"));
    let rows = [
        ("child", format!("child {}", one("child"))),
        ("begins", "a signal (pause)".to_owned()),
        ("semaphore", format!("semaphore {}, value 0", one("semaphore"))),
        ("pause", "a signal (pause)".to_owned()),
        ("sigsuspend", "a signal (sigsuspend)".to_owned()),
        ("sigwait", "SIGUSR2 or SIGTERM (sigwait)".to_owned()),
        ("meets-one", meets.clone()),
        ("meets-other", meets),
        ("once", format!("once {}", one("once"))),
        ("futex", format!("futex {}, value 7", one("futex"))),
        ("condition", format!("condvar {}", one("condition"))),
        ("poll", format!("3 descriptors: {}; {}; {}", pipe(a, a_in), pipe(b, b_in), pipe(c, c_in))),
        ("poll-many", "epoll *, 12 descriptors: pipe *; and 9 more".to_owned()),
        ("select", format!("2 descriptors: {}; {pair}", pipe(a, a_in))),
        ("epoll", format!("epoll *, 1 descriptor: {}", pipe(a, a_in))),
        ("accept", format!("unix {}, accept", one("listener"))),
        ("pair", pair),
    ];
    for (name, words) in rows {
        let [_, state, mut waits_for] = line(&text, name);
        assert_eq!(state, "parked", "{name}: {text}");
        // A star is anything.
        for (i, part) in words.split('*').enumerate() {
            let (before, rest) = waits_for.split_once(part).unwrap_or_else(|| {
                panic!("{name}: no {words} in\n{text}");
            });
            assert!(i > 0 || before.is_empty(), "{name}: no {words} in\n{text}");
            waits_for = rest;
        }
        assert!(waits_for.starts_with(", "), "{name}: no {words} in\n{text}");
    }
}

#[test]
fn who_has_the_lock_itself_that_it_waits_for_is_not_told_as_waiting_for_main() {
    let scene = Scene::start(Command::new(WAITS).arg("for-itself")).at_rest(LOOK);
    // So long somebody has waited who may wait for nobody else.
    std::thread::sleep(std::time::Duration::from_millis(700));
    let said = ps(&scene).stdout;
    let perhaps = ", perhaps held by itself or by one that has ended, for ";
    assert!(line(&said, "locks")[2].contains(perhaps), "{said}");
    assert!(line(&said, "upgrades")[2].contains(", perhaps held by itself, for "), "{said}");
    let in_doubt = format!(", perhaps held by main (OS thread {}) or itself, for ", scene.pid());
    assert!(line(&said, "locks-mains")[2].contains(&in_doubt), "{said}");
    let waits = |name| {
        let [id, _, words] = line(&said, name);
        format!("deadlock: '{name}' ({id}) waits for {}", words.split([' ', ',']).nth(1).unwrap())
    };
    let mutex = format!("perhaps a {}, which nobody else is seen to hold", waits("locks"));
    let rwlock = format!("perhaps a {}, which nobody else is seen to hold", waits("upgrades"));
    let told: Vec<_> = said.lines().filter(|line| line.contains("deadlock")).collect();
    assert_eq!(told, [mutex, rwlock], "{said}");
}

#[test]
fn of_many_who_may_have_a_lock_some_are_named_and_the_others_counted() {
    let scene = Scene::start(Command::new(WAITS).arg("in-a-crowd"));
    let said = until(|| {
        let said = ps(&scene).stdout;
        let n = said.matches(" or one of 16 others, for ").count();
        if n == 20 { Ok(said) } else { Err(said) }
    });
    let [_, _, words] = line(&said, "waiter 20");
    assert!(words.contains(", most likely held by 'knows "), "{said}");
    assert_eq!(words.matches("'knows ").count(), 4, "{said}");
    let dump = look(LOOK, &["dump", &scene.pid().to_string()]).stdout;
    assert_eq!(dump.matches("],\"n_holders\":20,").count(), 20, "{dump}");
}

#[test]
fn a_thread_that_waits_in_the_kernel_says_in_which_call() {
    let scene = Scene::start(Command::new(WAITS).arg("in-the-kernel"));
    until(|| {
        let said = ps(&scene).stdout;
        let [_, state, words] = line(&said, "sleeps");
        let is_said = (state, words) == ("running", "sleep of its OS thread");
        if is_said { Ok(()) } else { Err(said) }
    });
}

#[test]
fn who_waits_for_main_which_waits_for_its_end_is_told_as_perhaps_a_deadlock() {
    let scene = Scene::start(Command::new(WAITS).arg("for-main")).at_rest(LOOK);
    let said = ps(&scene).stdout;
    let [id, _, words] = line(&said, "waits");
    let lock = words.split([' ', ',']).nth(1).unwrap();
    let main = format!("main (OS thread {})", scene.pid());
    let told = format!(
        "perhaps a deadlock: 'waits' ({id}) waits for {lock}; {main} holds {lock} and waits for the end of 'waits' ({id})"
    );
    let found: Vec<_> = said.lines().filter(|line| line.contains("deadlock")).collect();
    assert_eq!(found, [told], "{said}");
}

#[test]
fn a_circle_of_two_locks_is_told_where_one_of_the_threads_is_main() {
    let scene = Scene::start(Command::new(WAITS).arg("for-each-other"));
    until(|| {
        let said = ps(&scene).stdout;
        let [id, _, words] = line(&said, "other");
        let lock = words.split([' ', ',']).nth(1).unwrap_or_default();
        let begin = format!("perhaps a deadlock: 'other' ({id}) holds ");
        let end = format!(
            " and waits for {lock}; main (OS thread {}) holds {lock} and waits for ",
            scene.pid()
        );
        let is_it = |line: &str| {
            let locks = line.strip_prefix(&*begin).and_then(|line| line.split_once(&*end));
            locks.is_some_and(|(its, wanted)| its == wanted)
        };
        if said.lines().any(is_it) { Ok(()) } else { Err(said) }
    });
}

/// Threads that have a lock themselves that they wait for, in ways of which an optimized program has nothing in memory.
const UPGRADES: &str = "\
use std_shim::sync::{Arc, Mutex, RwLock};
static SHARED: RwLock<u64> = RwLock::new(0);
static LOCK: Mutex<u64> = Mutex::new(0);
fn named(name: &str, f: impl FnOnce() + Send + 'static) {
    std_shim::thread::Builder::new().name(name.to_owned()).spawn(f).unwrap();
}
fn main() {
    named(\"upgrades-static\", || {
        let value = SHARED.read().unwrap();
        *SHARED.write().unwrap() = *value + 1;
    });
    let shared = Arc::new(RwLock::new(0));
    named(\"upgrades\", move || {
        let value = shared.read().unwrap();
        *shared.write().unwrap() = *value + 1;
    });
    named(\"locks-static\", || {
        let value = LOCK.lock().unwrap();
        *LOCK.lock().unwrap() = *value + 1;
    });
    println!(\"ready\");
    std_shim::thread::park();
}
";

#[test]
fn who_has_the_lock_itself_that_it_waits_for_is_told_in_an_optimized_program() {
    let folder = env::temp_dir().join(format!("sylvan-ps-optimized-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let source = folder.join("upgrades.rs");
    fs::write(&source, UPGRADES).unwrap();
    let program = compile(&source, &["-Copt-level=3"]);
    let scene = Scene::start(&mut Command::new(program)).at_rest(LOOK);
    // So it is once they have waited for some time.
    let said = until(|| {
        let said = ps(&scene).stdout;
        let n = said.matches(", perhaps held by itself").count();
        if n == 3 { Ok(said) } else { Err(said) }
    });
    for name in ["upgrades-static", "upgrades", "locks-static"] {
        let [id, _, words] = line(&said, name);
        let lock = words.split([' ', ',']).nth(1).unwrap();
        let told = format!(
            "perhaps a deadlock: '{name}' ({id}) waits for {lock}, which nobody else is seen to hold"
        );
        assert!(said.lines().any(|line| line == told), "no {told} in\n{said}");
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_process_whose_first_thread_has_ended_is_shown_by_its_number() {
    let program = whole::program("looked_at");
    let path = env::temp_dir().join(format!("sylvan-first-thread-{}", process::id()));
    let mut command = Command::new(program);
    command
        .arg("the first thread ends")
        .env("SYLVAN_DUMP", "SIGUSR1")
        .env("SYLVAN_DUMP_FILE", &path);
    let scene = Scene::start(whole::green(&mut command));
    let stat = format!("/proc/{}/stat", scene.pid());
    until(|| {
        let said = fs::read_to_string(&stat).unwrap();
        if said.contains(") Z ") { Ok(()) } else { Err(said) }
    });
    let scene = scene.at_rest(LOOK);
    let said = ps(&scene);
    let head = format!("process {}: 2 green threads, ", scene.pid());
    assert!(said.stdout.starts_with(&head), "no {head} in\n{}", said.stdout);
    let pipe = format!(" pipe {} [", scene.said["descriptor"][0]);
    assert!(said.stdout.contains(&pipe), "no {pipe} in\n{}", said.stdout);
    // And so it says itself.
    scene.signal(Signal::USR1);
    let dump = until(|| match fs::read_to_string(&path) {
        Ok(dump) if dump.ends_with('\n') => Ok(dump),
        other => Err(format!("{other:?}")),
    });
    fs::remove_file(&path).unwrap();
    assert!(dump.starts_with(&head) && dump.contains(&pipe), "{dump}");
}

#[test]
fn joins_and_locks_of_ended_threads_are_shown_in_a_whole_program() {
    let scene =
        Scene::start(whole::green(&mut Command::new(whole::program("orphans")))).at_rest(LOOK);
    let said = ps(&scene).stdout;
    let [[joins, _, joins_words], [joined, _, joined_words]] =
        ["joins", "joined"].map(|name| line(&said, name));
    assert!(joins_words.starts_with(&format!("join of 'joined' ({joined})")), "{said}");
    let held = format!(", held by 'joins' ({joins})");
    assert!(joined_words.contains(&held), "no {held} in\n{said}");
    // A join may be cancelled.
    let circle = format!(
        "most likely a deadlock: 'joined' ({joined}) waits for {}; \
         'joins' ({joins}) holds {0} and waits for the end of 'joined' ({joined})",
        joined_words.split([' ', ',']).nth(1).unwrap()
    );
    let other = format!("most likely a deadlock: 'joins' ({joins}) ");
    let is_circle = |it: &str| it == circle || it.starts_with(&other);
    assert_eq!(said.lines().filter(|line| is_circle(line)).count(), 1, "no {circle} in\n{said}");
    let orphan = format!("mutex {}, held by a thread that has ended", scene.said["orphan"][0]);
    let [.., waits] = line(&said, "waits");
    assert!(waits.starts_with(&orphan), "no {orphan} in\n{said}");
    let told = format!(" waits for {}, held by a thread that has ended", scene.said["orphan"][0]);
    let of_orphan = |line: &&str| line.starts_with("most likely a deadlock: ");
    let mut lines = said.lines().filter(of_orphan);
    assert!(lines.any(|line| line.ends_with(&told)), "no {told} in\n{said}");
}

#[test]
fn a_thread_that_has_not_started_says_so() {
    let one = |command: &mut Command| Scene::start(command.env("SYLVAN_WORKERS", "1"));
    let scene = one(Command::new(SCENE).env("SYLVAN_TLS", "shared"));
    let said = ps(&scene);
    let of_that_name = |line: &&str| line.contains(" blocks ");
    let line = said.stdout.lines().find(of_that_name).unwrap_or_else(|| panic!("{said:?}"));
    assert!(line.contains(" not started "), "{line}");
}

#[test]
fn a_runtime_with_another_table_is_told_by_its_own_status() {
    let ours = sylvan_sight::table::VERSION;
    let version = |version: u64| format!("version {version} of the table");
    let words = |n: usize| format!("{} with {n} words", version(ours));
    let n_words = sylvan_sight::table::LEN / size_of::<u64>();
    // Which word of it is another one, and what is said.
    let others = [(1, 99, version(99), version(ours)), (2, 100, words(100), words(n_words))];
    for (at, word, its, ours) in others {
        let path = env::temp_dir().join(format!("sylvan-sight-other-{}", process::id()));
        fs::write(&path, with_another_table(at, word)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        let scene = Scene::start_until("parked", Command::new(&path).arg("1"));
        let said = ps(&scene);
        let why =
            format!("the runtime in {} has {its}, and this program reads {ours}", path.display());
        assert_eq!((said.status, &*said.stdout), (Some(123), ""), "{said:?}");
        assert_eq!(said.stderr, format!("error: {why}\n"));
        fs::remove_file(&path).unwrap();
    }
}

/// A program with the runtime, and a table which has another word in its head.
fn with_another_table(n: usize, word: u64) -> Vec<u8> {
    let mut program = fs::read(PARKED).unwrap();
    let head = [*b"SylvanAt", sylvan_sight::table::VERSION.to_ne_bytes()].concat();
    // The table, and what the program compares one with that it reads itself.
    let is_head = |at: &usize| program[*at..].starts_with(&head);
    let heads: Vec<_> = (0..program.len()).filter(is_head).collect();
    assert!(!heads.is_empty());
    for at in heads {
        let at = at + n * size_of::<u64>();
        program[at..at + size_of::<u64>()].copy_from_slice(&word.to_ne_bytes());
    }
    program
}

#[test]
fn what_cannot_be_written_is_an_error() {
    let scene = Scene::start_until("parked", Command::new(PARKED).arg("1"));
    for verb in ["ps", "stacks", "dump", "top"] {
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let pid = scene.pid().to_string();
        let mut command = Command::new(LOOK);
        let ended = command.args([verb, &pid]).stdout(full).output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_eq!((ended.status.code(), stderr.lines().count()), (Some(1), 1), "{verb}: {stderr}");
    }
}

#[test]
fn somebody_elses_process_is_told_by_its_own_status() {
    const NOBODY: u32 = 65_534;
    if !rustix::process::geteuid().is_root() {
        return eprintln!("left out: it takes root to be somebody else");
    }
    let scene = scene("own");
    // Where everybody may execute it.
    let program = env::temp_dir().join(format!("sylvan-sight-look-{}", process::id()));
    fs::copy(LOOK, &program).unwrap();
    let mut command = Command::new(&program);
    command.args(["ps", &scene.pid().to_string()]).uid(NOBODY);
    let looked = once_written(|| command.output()).unwrap();
    fs::remove_file(&program).unwrap();
    let stderr = String::from_utf8(looked.stderr).unwrap();
    assert_eq!((looked.status.code(), stderr.lines().count()), (Some(121), 1), "{stderr}");
}

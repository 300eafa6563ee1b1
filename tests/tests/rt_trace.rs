//! A run that is recorded (`SYLVAN_TRACE`): what happened in the process is in the file.

#![cfg(target_os = "linux")]

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use std_shim::net::{TcpListener, TcpStream};
use std_shim::sync::Mutex;
use std_shim::thread::{self, Builder};
use sylvan_sight::file::{self, Run, Why};
use sylvan_sight::history::{Activity, History, State, Thread, Waker};
use sylvan_sight::trace::Kind;
use tests::process::{Process, Way};

tests::in_each_mode!(
    a_life_is_in_the_file_from_the_spawn_to_the_end,
    who_waits_is_there_with_its_reason_and_its_waker,
    an_event_wakes_who_reads,
    a_thread_that_computes_is_seen_to,
    a_blocking_section_is_there,
    a_process_that_exits_leaves_its_file,
    a_signal_has_it_written_while_the_process_goes_on,
    a_signal_that_ends_a_process_still_does,
    a_ring_of_bounded_size_keeps_the_last_part,
    a_child_of_a_fork_has_a_file_of_its_own,
    an_unusable_variable_is_an_error_of_the_start,
    warnings_and_a_trace_go_together,
    every_event_of_many_threads_is_there,
);

/// How long a file may take that is written soon.
const PATIENCE: Duration = Duration::from_secs(20);

/// A file for this test, and nothing in its place.
fn place(process: &Process, name: &str) -> PathBuf {
    let way = match process.way() {
        Way::Own => "own",
        _ => "shared",
    };
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("trace-{way}-{name}"));
    let _ = fs::remove_file(&path);
    path
}

fn read(path: &PathBuf) -> (Run, History) {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let run = file::read(&bytes).unwrap();
    assert!(!run.is_cut);
    let history = History::of(&run);
    (run, history)
}

/// Runs `scene` with a trace, to its end.
fn trace(process: &Process, name: &str, scene: impl FnOnce()) -> (Run, History) {
    let path = place(process, name);
    process.env("SYLVAN_TRACE", &path).passes(scene);
    read(&path)
}

fn spawn(name: &str, f: impl FnOnce() + Send + 'static) -> thread::JoinHandle<()> {
    Builder::new().name(name.to_owned()).spawn(f).unwrap()
}

fn named<'a>(history: &'a History, name: &str) -> &'a Thread {
    let mut found = history.threads.iter().filter(|it| it.name.as_deref() == Some(name));
    let first = found.next().unwrap_or_else(|| panic!("{name} is in {history:#?}"));
    assert!(found.next().is_none(), "one of that name");
    first
}

/// How long a thread was in such a state, in all.
fn in_state(thread: &Thread, state: impl Fn(State) -> bool) -> Duration {
    let spans = thread.spans.iter().filter(|span| state(span.state));
    Duration::from_nanos(spans.map(|span| span.lasted_ns()).sum())
}

fn waits_for(run: &Run, reason: &str) -> impl Fn(State) -> bool {
    move |state| matches!(state, State::Waiting(number) if run.reason(number) == reason)
}

fn a_life_is_in_the_file_from_the_spawn_to_the_end(process: &Process) {
    let (run, history) = trace(process, "life", || {
        let outer = spawn("outer", || {
            let threads: Vec<_> = (0..10).map(|i| spawn(&format!("inner-{i}"), || {})).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        });
        outer.join().unwrap();
    });
    let about = run.about.as_ref().unwrap();
    assert_eq!(about.why, Why::Exit);
    assert!(about.program.contains("rt_trace"), "{}", about.program);
    let outer = named(&history, "outer");
    assert_eq!(outer.spans[0].waker, Some(Waker::OsThread), "the test has spawned it");
    for i in 0..10 {
        let inner = named(&history, &format!("inner-{i}"));
        assert_eq!(inner.spans[0].state, State::Runnable);
        assert_eq!(inner.spans[0].waker, Some(Waker::Thread(outer.id)));
        assert_eq!(inner.spans[1].state, State::Running);
        let place = inner.spans[1].place.expect("a place");
        assert!(place.core < about.n_cores);
        assert!(history.os_threads.iter().any(|it| it.id == place.os_thread));
        let (spawned_ns, ended_ns) = (inner.spawned_ns.unwrap(), inner.ended_ns.unwrap());
        assert!(outer.spawned_ns.unwrap() <= spawned_ns && spawned_ns <= ended_ns);
        assert!(ended_ns <= outer.ended_ns.unwrap());
    }
}

fn who_waits_is_there_with_its_reason_and_its_waker(process: &Process) {
    let waits = Duration::from_millis(30);
    let (run, history) = trace(process, "waits", || {
        let lock = Arc::new(Mutex::new(()));
        let (tell, told) = std_shim::sync::mpsc::channel();
        let (come, has_come) = std_shim::sync::mpsc::channel();
        let holder = {
            let lock = lock.clone();
            spawn("holder", move || {
                let guard = lock.lock().unwrap();
                tell.send(()).unwrap();
                has_come.recv().unwrap();
                thread::sleep(waits);
                drop(guard);
            })
        };
        let waiter = spawn("waiter", move || {
            told.recv().unwrap();
            come.send(()).unwrap();
            drop(lock.lock().unwrap());
        });
        holder.join().unwrap();
        waiter.join().unwrap();
    });
    let (holder, waiter) = (named(&history, "holder"), named(&history, "waiter"));
    assert!(in_state(holder, waits_for(&run, "sleep")) >= waits);
    assert!(in_state(waiter, waits_for(&run, "mutex")) >= waits / 2);
    let mutex = waits_for(&run, "mutex");
    let woken = waiter.spans.windows(2).find(|pair| mutex(pair[0].state)).expect("it has waited");
    assert_eq!(woken[1].state, State::Runnable);
    assert_eq!(woken[1].waker, Some(Waker::Thread(holder.id)));
    let sleep = waits_for(&run, "sleep");
    let woken = holder.spans.windows(2).find(|pair| sleep(pair[0].state)).expect("it has slept");
    assert_eq!(woken[1].waker, Some(Waker::Event));
}

fn an_event_wakes_who_reads(process: &Process) {
    let (run, history) = trace(process, "echo", || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = spawn("server", move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut byte = [0];
            while stream.read(&mut byte).unwrap() == 1 {
                stream.write_all(&byte).unwrap();
            }
        });
        let client = spawn("client", move || {
            let mut stream = TcpStream::connect(address).unwrap();
            for _ in 0..10 {
                thread::sleep(Duration::from_millis(1));
                stream.write_all(b"x").unwrap();
                stream.read_exact(&mut [0]).unwrap();
            }
        });
        client.join().unwrap();
        server.join().unwrap();
    });
    let server = named(&history, "server");
    let reads = waits_for(&run, "read");
    let woken = server.spans.windows(2).filter(|pair| reads(pair[0].state));
    let by_events = woken.filter(|pair| pair[1].waker == Some(Waker::Event)).count();
    assert!(by_events >= 5, "{server:#?}");
    let looks: usize = history.os_threads.iter().map(|it| it.looks.len()).sum();
    assert!(looks > 5, "{looks} looks at event loops");
    let slept = |span: &(u64, u64, Activity, u32)| span.2 == Activity::Sleep;
    assert!(history.os_threads.iter().any(|it| it.spans.iter().any(slept)));
}

/// The spans of a thread follow one another, and where it runs nobody else does meanwhile.
fn a_thread_that_computes_is_seen_to(process: &Process) {
    let lasts = Duration::from_millis(50);
    let (_, history) = trace(process, "computes", || {
        let threads: Vec<_> = (0..4)
            .map(|i| {
                spawn(&format!("computes-{i}"), move || {
                    let begin = Instant::now();
                    while begin.elapsed() < lasts {
                        std::hint::spin_loop();
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
    let mut runs = Vec::new();
    for i in 0..4 {
        let thread = named(&history, &format!("computes-{i}"));
        assert!(in_state(thread, |state| state == State::Running) >= lasts);
        for span in &thread.spans {
            if let (State::Running, Some(place)) = (span.state, span.place) {
                runs.push((place.os_thread, span.begin_ns, span.end_ns));
            }
        }
    }
    runs.sort_unstable();
    for pair in runs.windows(2) {
        let [(this, _, end_ns), (next, begin_ns, _)] = pair else { unreachable!() };
        assert!(this != next || end_ns <= begin_ns, "two at a time on one OS thread: {runs:?}");
    }
}

fn a_blocking_section_is_there(process: &Process) {
    let lasts = Duration::from_millis(30);
    let (run, history) = trace(process, "section", || {
        let thread = spawn("blocks", move || {
            sylvan::blocking(move || std::thread::sleep(lasts));
        });
        thread.join().unwrap();
    });
    let blocked = in_state(named(&history, "blocks"), |state| match process.way() {
        Way::Own => state == State::Blocking,
        // Elsewhere, on a helper's OS thread: it waits for that.
        _ => waits_for(&run, "blocking")(state),
    });
    assert!(blocked >= lasts, "{blocked:?}");
}

fn a_process_that_exits_leaves_its_file(process: &Process) {
    let path = place(process, "exit");
    let ended = process.env("SYLVAN_TRACE", &path).run(|| {
        let thread = spawn("exits", || process::exit(7));
        let _ = thread.join();
    });
    assert_eq!(ended.status.code(), Some(7));
    let (_, history) = read(&path);
    let thread = named(&history, "exits");
    assert_eq!(thread.ended_ns, None);
    assert_eq!(thread.spans.last().map(|span| span.state), Some(State::Running));
}

fn a_signal_has_it_written_while_the_process_goes_on(process: &Process) {
    let path = place(process, "signal");
    let nth = |n: u32| PathBuf::from(format!("{}.{n}", path.display()));
    let _ = (fs::remove_file(nth(1)), fs::remove_file(nth(2)));
    let with_signal = process.env("SYLVAN_TRACE", &path).env("SYLVAN_TRACE_SIGNAL", "SIGUSR2");
    with_signal.passes(|| {
        spawn("before", || {}).join().unwrap();
        for n in 1..=2 {
            // SAFETY: there is a handler since the runtime has started.
            unsafe { libc::kill(libc::getpid(), libc::SIGUSR2) };
            let begin = Instant::now();
            let is_whole = |bytes: Vec<u8>| file::read(&bytes).is_ok_and(|run| !run.is_cut);
            while !fs::read(nth(n)).is_ok_and(is_whole) && begin.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        spawn("after", || {}).join().unwrap();
    });
    let (first, history) = read(&nth(1));
    assert_eq!(first.about.unwrap().why, Why::Signal);
    let names =
        |history: &History| history.threads.iter().filter_map(|it| it.name.clone()).collect();
    let at_signal: Vec<String> = names(&history);
    assert_eq!(at_signal, ["before"]);
    let at_end: Vec<String> = names(&read(&path).1);
    assert_eq!(at_end, ["before", "after"]);
    assert!(nth(2).exists());
}

fn a_signal_that_ends_a_process_still_does(process: &Process) {
    let path = place(process, "terminated");
    let with_signal = process.env("SYLVAN_TRACE", &path).env("SYLVAN_TRACE_SIGNAL", "TERM");
    let ended = with_signal.run(|| {
        spawn("before", || {}).join().unwrap();
        // SAFETY: as above.
        unsafe { libc::kill(libc::getpid(), libc::SIGTERM) };
        std::thread::sleep(Duration::from_secs(30));
    });
    assert_eq!(ended.signal(), Some(libc::SIGTERM));
    let (_, history) = read(&PathBuf::from(format!("{}.1", path.display())));
    named(&history, "before");
}

fn a_ring_of_bounded_size_keeps_the_last_part(process: &Process) {
    let path = place(process, "bounded");
    let bounded =
        process.env("SYLVAN_TRACE", &path).env("SYLVAN_TRACE_MB", "3").env("SYLVAN_WORKERS", "1");
    bounded.passes(|| {
        // Two events each, and more.
        spawn("long", || (0..150_000).for_each(|_| thread::yield_now())).join().unwrap();
        spawn("last", || {}).join().unwrap();
    });
    let size = fs::metadata(&path).unwrap().len();
    assert!(size < 4 << 20, "{size} bytes");
    let (run, history) = read(&path);
    let lost: u64 = run.rings.iter().map(|ring| ring.n_lost).sum();
    assert!(lost > 100_000, "{lost} events lost");
    assert!(history.begin_ns > 0);
    named(&history, "last");
    // Its start is gone, and its name is not.
    let long = named(&history, "long");
    assert!(long.spans[0].begin_ns >= history.begin_ns && long.ended_ns.is_some());
    let of_one = |ring: &&file::Ring| ring.os_thread != 0;
    let n_worker = run.rings.iter().filter(of_one).map(|ring| ring.moments.len()).max().unwrap();
    assert!((120_000..=131_072).contains(&n_worker), "{n_worker} events of 16 bytes: 2 MB of 3");
}

fn a_child_of_a_fork_has_a_file_of_its_own(process: &Process) {
    let path = place(process, "fork");
    let ended = process.env("SYLVAN_TRACE", &path).passes(|| {
        spawn("parent", || {}).join().unwrap();
        // SAFETY: what is tried here.
        let child = unsafe { libc::fork() };
        if child == 0 {
            spawn("child", || {}).join().unwrap();
            process::exit(0);
        }
        println!("child: {child}");
        let mut status = 0;
        // SAFETY: waits for the child.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0);
        spawn("parent-later", || {}).join().unwrap();
    });
    let (_, history) = read(&path);
    named(&history, "parent");
    named(&history, "parent-later");
    let pid: u32 = ended.said("child: ").parse().unwrap();
    let (run, history) = read(&PathBuf::from(format!("{}.{pid}", path.display())));
    assert_eq!(run.about.unwrap().pid, pid);
    named(&history, "child");
    assert!(history.threads.iter().all(|it| it.name.as_deref() != Some("parent")));
}

fn an_unusable_variable_is_an_error_of_the_start(process: &Process) {
    let path = place(process, "unusable");
    let with_file = process.env("SYLVAN_TRACE", &path);
    let said = |process: &Process| {
        let ended = process.passes(|| {
            let error = sylvan::Config::new().start().expect_err("it cannot start");
            println!("error: {error}");
        });
        ended.said("error: ").to_owned()
    };
    let nowhere = said(&process.env("SYLVAN_TRACE", "/nowhere/at/all"));
    assert!(nowhere.starts_with("`SYLVAN_TRACE`: /nowhere/at/all cannot be written"), "{nowhere}");
    let size = said(&with_file.env("SYLVAN_TRACE_MB", "many"));
    assert_eq!(size, "`SYLVAN_TRACE_MB` expected a positive integer, got `many`");
    let signal = said(&with_file.env("SYLVAN_TRACE_SIGNAL", "SIGKILL"));
    assert!(signal.starts_with("`SYLVAN_TRACE_SIGNAL` expected a signal such as "), "{signal}");
}

fn warnings_and_a_trace_go_together(process: &Process) {
    let path = place(process, "warnings");
    let both = process.env("SYLVAN_TRACE", &path).env("SYLVAN_WARN_BLOCKING", "50ms");
    let ended = both.passes(|| {
        let thread = spawn("holds", || std::thread::sleep(Duration::from_millis(300)));
        thread.join().unwrap();
    });
    assert!(ended.stderr.contains("thread 'holds'"), "{}", ended.stderr);
    named(&read(&path).1, "holds");
}

/// A process that goes on, in which two threads talk.
struct Busy(process::Child);

impl Busy {
    /// With this in its environment.
    fn start(name: &str, value: impl AsRef<OsStr>) -> Self {
        let mut command = process::Command::new(env!("CARGO_BIN_EXE_talks"));
        let piped = command.env(name, value).stdout(process::Stdio::piped());
        let mut child = piped.spawn().unwrap();
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "ready\n");
        Self(child)
    }

    /// Records it from outside, by the words of a command line.
    fn trace(&self, words: &[&str], path: &Path) -> (Run, History) {
        let pid = self.0.id().to_string();
        let mut args = vec!["trace", &pid];
        args.extend(words);
        args.extend(["-o", path.to_str().unwrap()]);
        let status = sylvan_cli::main(args.iter().map(Into::into));
        assert_eq!(format!("{status:?}"), format!("{:?}", process::ExitCode::SUCCESS));
        read(&path.to_owned())
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_process_is_recorded_from_outside_again_and_again() {
    for tls in ["own", "shared"] {
        let busy = Busy::start("SYLVAN_TLS", tls);
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("trace-outside-{tls}"));
        for _ in 0..3 {
            let (run, history) = busy.trace(&["--seconds", "0.3", "--mb", "1"], &path);
            let about = run.about.as_ref().unwrap();
            assert_eq!((about.why, about.pid), (Why::Asked, busy.0.id()));
            let asks = named(&history, "asks");
            let sleep = waits_for(&run, "sleep");
            let n = asks.spans.iter().filter(|span| sleep(span.state)).count();
            assert!((5..=300).contains(&n), "{n} times a millisecond");
            let channel = waits_for(&run, "channel");
            let echoes = named(&history, "echoes");
            let woken = echoes.spans.windows(2).find(|pair| channel(pair[0].state)).unwrap();
            assert_eq!(woken[1].waker, Some(Waker::Thread(asks.id)));
            let lasted = Duration::from_nanos(history.end_ns - history.begin_ns);
            assert!(
                lasted < Duration::from_secs(5),
                "what came before is no part of it: {lasted:?}"
            );
        }
    }
}

#[test]
fn a_process_is_recorded_also_where_who_asked_before_was_killed() {
    let busy = Busy::start("SYLVAN_TLS", "own");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let left = folder.join("trace-left");
    let mut killed = process::Command::new(env!("CARGO_BIN_EXE_look"));
    killed.args(["trace", &busy.0.id().to_string(), "--seconds", "1000", "-o"]).arg(&left);
    let mut killed = killed.spawn().unwrap();
    // So that it most likely records by then.
    std::thread::sleep(Duration::from_millis(500));
    killed.kill().unwrap();
    killed.wait().unwrap();
    let (_, history) = busy.trace(&["--seconds", "0.3"], &folder.join("trace-after-killed"));
    assert!(named(&history, "asks").spans.len() > 5, "it has run meanwhile");
}

#[test]
fn who_is_asked_to_end_writes_what_was_recorded_until_then() {
    let busy = Busy::start("SYLVAN_TLS", "own");
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    for signal in ["INT", "TERM"] {
        let path = folder.join(format!("trace-ended-{signal}"));
        let mut look = process::Command::new(env!("CARGO_BIN_EXE_look"));
        look.args(["trace", &busy.0.id().to_string(), "--seconds", "1000", "-o"]).arg(&path);
        let mut look = look.spawn().unwrap();
        // So that it records by then.
        std::thread::sleep(Duration::from_millis(700));
        let kill =
            process::Command::new("kill").args(["-s", signal, &look.id().to_string()]).status();
        assert!(kill.unwrap().success());
        assert!(look.wait().unwrap().success());
        let (_, history) = read(&path);
        assert!(named(&history, "asks").spans.len() > 5, "it has run meanwhile");
        let lasted = Duration::from_nanos(history.end_ns - history.begin_ns);
        assert!(lasted < Duration::from_secs(30), "{lasted:?}");
    }
    // The next one finds a process that does not record any more.
    let (_, history) = busy.trace(&["--seconds", "0.3"], &folder.join("trace-after-ended"));
    assert!(named(&history, "asks").spans.len() > 5);
}

#[test]
fn a_process_that_records_from_its_start_is_looked_at_in_between() {
    let own = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("trace-own-start");
    let busy = Busy::start("SYLVAN_TRACE", &own);
    std::thread::sleep(Duration::from_millis(300));
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("trace-in-between");
    let (_, history) = busy.trace(&["--seconds", "0.2"], &path);
    let asks = named(&history, "asks");
    let known = asks.spans.iter().map(|span| span.begin_ns).min().unwrap();
    assert!(history.end_ns - known < 2_000_000_000);
    assert_eq!(asks.spawned_ns, None, "that was before");
}

/// Events come from many OS threads at a time, and each is there.
fn every_event_of_many_threads_is_there(process: &Process) {
    let (run, history) = trace(process, "every", || {
        let barrier = Arc::new(Barrier::new(4));
        let spawn_some = move || {
            barrier.wait();
            let one = || (0..10).for_each(|_| thread::yield_now());
            let threads: Vec<_> = (0..500).map(|_| thread::spawn(one)).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        };
        let spawners: Vec<_> = (0..4).map(|_| std::thread::spawn(spawn_some.clone())).collect();
        spawners.into_iter().for_each(|spawner| spawner.join().unwrap());
    });
    let count = |kind| {
        let moments = run.rings.iter().flat_map(|ring| &ring.moments);
        moments.filter(|moment| moment.kind == kind).count()
    };
    assert_eq!((count(Kind::Spawn), count(Kind::Start), count(Kind::End)), (2_000, 2_000, 2_000));
    let runs = count(Kind::Start) + count(Kind::Run);
    assert_eq!(count(Kind::Park) + count(Kind::Yield) + count(Kind::End), runs);
    assert!(count(Kind::Yield) >= 20_000, "each has yielded ten times");
    for thread in &history.threads {
        assert!(thread.spawned_ns.is_some() && thread.ended_ns.is_some());
    }
}

//! `std_shim::process`, `io` and `fs` where they have no std to be compared with: conversions,
//! what a green thread cannot have, and what is missing when descriptors run out.

use std::env;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::thread::JoinHandleExt;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std_shim::process::{Child, ChildStdout, Command, Stdio};
use std_shim::{fs, io, thread};
use tests::counts::{OsThread, eventually, os_threads_of};

const IN_CHILD: &str = "STD_PROCESS_MIRROR_CHILD";

/// Runs the test named `fact` in a child, where this function runs `scene` on a green thread;
/// elsewhere, says what the child has written.
fn in_child(fact: &'static str, scene: impl FnOnce() + Send + 'static) -> String {
    if env::var_os(IN_CHILD).is_some() {
        tests::green(fact, scene);
        return String::new();
    }
    let mut child = Command::new(env::current_exe().expect("the path of this test"));
    let output = child.args(["--exact", fact, "--nocapture"]).env(IN_CHILD, "").output();
    let output = output.expect("a child");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn a_child_crosses_between_std_and_the_mirror() {
    tests::green("a_child_crosses", || {
        let mut command = Command::new("cat");
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = std::process::Child::from(command.spawn().unwrap());
        let mut child = Child::from(child);
        child.stdin.take().unwrap().write_all(b"there and back").unwrap();
        let stdout = std::process::ChildStdout::from(child.stdout.take().unwrap());
        let mut said = String::new();
        ChildStdout::from(stdout).read_to_string(&mut said).unwrap();
        assert_eq!(said, "there and back");
        assert!(child.wait().unwrap().success());

        let mut plain = std::process::Command::from(command);
        plain.stdin(std::process::Stdio::from(Stdio::null()));
        assert_eq!(plain.output().unwrap().stdout, b"");
        let null = Stdio::from(std::process::Stdio::null());
        assert!(Command::new("cat").stdin(null).status().unwrap().success());
    });
}

#[test]
fn files_and_pipes_cross_between_std_and_the_mirror() {
    tests::green("files_and_pipes_cross", || {
        let (reader, writer) = std::io::pipe().unwrap();
        let mut reader = io::PipeReader::from(reader);
        let late = thread::spawn(move || {
            thread::sleep(Duration::from_millis(10));
            io::PipeWriter::from(writer).write_all(b"late").unwrap();
        });
        let mut start = [0; 2];
        reader.read_exact(&mut start).unwrap();
        // std's read holds the worker. With shared thread-locals the writer, which has started
        // on it, could not go on to close its end.
        late.join().unwrap();
        let mut rest = String::new();
        std::io::PipeReader::from(reader).read_to_string(&mut rest).unwrap();
        assert_eq!((&start, &*rest), (b"la", "te"));

        let file = fs::File::from(std::fs::File::open("/dev/null").unwrap());
        assert_eq!(io::read_to_string(std::fs::File::from(file)).unwrap(), "");
        let mut options = std::fs::OpenOptions::new();
        options.read(true);
        fs::OpenOptions::from(options).open("/dev/null").unwrap();
    });
}

#[test]
fn a_green_thread_has_no_pthread() {
    let thread = thread::spawn(|| ());
    for asked in [
        thread::spawn(move || thread.as_pthread_t()).join(),
        thread::spawn(|| thread::spawn(|| ()).into_pthread_t()).join(),
    ] {
        let why = asked.unwrap_err();
        let why = why.downcast_ref::<&str>().unwrap();
        assert!(why.starts_with("a green thread has no `pthread_t`"), "{why}");
    }
}

#[test]
fn a_child_is_awaited_though_no_descriptor_is_left() {
    in_child("a_child_is_awaited_though_no_descriptor_is_left", || {
        let limit = Rlimit { current: Some(100), ..getrlimit(Resource::Nofile) };
        setrlimit(Resource::Nofile, limit).unwrap();
        let mut child = Command::new("sleep").arg("0.05").spawn().unwrap();
        let mut all = Vec::new();
        while let Ok(one) = fs::File::open("/dev/null") {
            all.push(one);
        }
        assert!(child.wait().unwrap().success());
        let error = Command::new("true").stdout(Stdio::piped()).spawn().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMFILE));
        drop(all);
        assert!(Command::new("true").status().unwrap().success());
    });
}

/// Of a child that ends one waiter learns how; the other learns that there is no such child.
#[test]
fn of_two_who_wait_for_a_child_one_is_told_that_there_is_none() {
    tests::within_bounds("of_two_who_wait", || {
        for _ in 0..20 {
            let cat = || Command::new("cat").stdin(Stdio::piped()).spawn();
            let mut child = thread::spawn(cat).join().unwrap().unwrap();
            let (number, stdin) = (child.id().cast_signed(), child.stdin.take());
            let green = thread::spawn(move || child.wait());
            drop(stdin);
            // SAFETY: asks for no status.
            let found = unsafe { libc::waitpid(number, std::ptr::null_mut(), 0) };
            let error = std::io::Error::last_os_error();
            let refused = match green.join().unwrap() {
                Ok(status) => {
                    assert!(status.success());
                    assert_eq!(found, -1);
                    error
                }
                Err(error) => {
                    assert_eq!(found, number);
                    error
                }
            };
            assert_eq!(refused.raw_os_error(), Some(libc::ECHILD));
        }
    });
}

/// In a child that is to trace another one: the number of that one.
const TRACED: &str = "STD_PROCESS_MIRROR_TRACED";

/// Traces a process until its own input ends, and says whether it may. It does not ask for the end.
#[cfg(target_os = "linux")]
fn trace(number: &str) {
    let number: libc::pid_t = number.parse().expect("a number");
    let nothing = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: passes no memory.
    let traced = unsafe { libc::ptrace(libc::PTRACE_SEIZE, number, nothing, nothing) };
    println!("{}", if traced == 0 { "traced" } else { "refused" });
    std::io::stdin().read_to_end(&mut Vec::new()).expect("an end");
}

/// The end of a traced child is its tracer's first. Until that one has heard of it the child's pidfd is
/// readable, and yet the kernel has nothing for the parent.
#[cfg(target_os = "linux")]
#[test]
fn a_child_whose_end_is_a_tracers_first_is_awaited_in_the_kernel() {
    const FACT: &str = "a_child_whose_end_is_a_tracers_first_is_awaited_in_the_kernel";
    if let Ok(number) = env::var(TRACED) {
        return trace(&number);
    }
    tests::within_bounds(FACT, || {
        let cat = || Command::new("cat").stdin(Stdio::piped()).spawn();
        let mut child = thread::spawn(cat).join().unwrap().unwrap();
        let number = child.id();
        let mut tracer = Command::new(env::current_exe().unwrap());
        tracer.args(["--exact", FACT, "--nocapture"]).env(TRACED, number.to_string());
        let mut tracer = tracer.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(tracer.stdout.take().unwrap()).lines().map(Result::unwrap);
        let is_traced = said
            .find_map(|line| match line.rsplit(' ').next() {
                Some("traced") => Some(true),
                Some("refused") => Some(false),
                _ => None,
            })
            .expect("an answer");
        drop(child.stdin.take());
        let waiting = thread::spawn(move || child.wait());
        if is_traced {
            let waits = |thread: &OsThread| {
                let call = thread.read("syscall");
                let mut words = call.split_whitespace();
                words.next() == Some(&libc::SYS_wait4.to_string())
                    && words.next() == Some(&format!("{number:#x}"))
                    && words.nth(1) == Some("0x0")
            };
            let process = std::process::id();
            eventually("the kernel waits", || os_threads_of(process).unwrap().iter().any(waits));
            assert!(!waiting.is_finished());
        } else {
            println!("nothing is shown: no process may trace another one here");
        }
        drop(tracer.stdin.take());
        said.for_each(drop);
        assert!(tracer.wait().unwrap().success());
        assert!(waiting.join().unwrap().unwrap().success());
    });
}

#[test]
fn a_bare_println_does_not_wait_for_a_holder_that_is_parked() {
    let said = in_child("a_bare_println_does_not_wait_for_a_holder_that_is_parked", || {
        let mut lock = io::stdout().lock();
        writeln!(lock, "[[before").unwrap();
        thread::spawn(|| println!("between")).join().unwrap();
        writeln!(lock, "after]]").unwrap();
    });
    assert!(env::var_os(IN_CHILD).is_some() || said.contains("[[before\nbetween\nafter]]"));
}

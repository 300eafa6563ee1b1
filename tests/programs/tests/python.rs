//! CPython: servers that have a thread for each client, and its own tests of what threads touch.

use std::path::Path;
use std::process::Command;

use programs::servers::{self, PYTHON};
use programs::{Program, Threads, client, guest, on_each, sylvan};
use rustix::process::Signal;

/// At most: workers, their spares, the monitor, `main`.
fn few(threads: Threads, program: &Program, n_clients: usize) {
    let n = program.os_threads();
    match threads {
        Threads::Os => assert!(n > n_clients, "{n} OS threads"),
        Threads::Green => assert!(n <= 12, "{n} OS threads"),
    }
}

#[test]
fn a_thread_for_each_of_five_hundred_clients() {
    on_each(&["python3"], |threads| {
        for name in ["multithread.py", "tcp_server.py"] {
            let program = servers::python(threads, name);
            client::echo_crowd(program.address, 500, || few(threads, &program, 500));
            let status = program.stopped_by(Signal::INT);
            assert!(!status.success(), "it was interrupted: {status}");
        }
        let program = servers::python(threads, "http_server.py");
        client::crowd(100, |_| {
            let answer = client::get(program.address, "/")?;
            assert!(
                answer.starts_with("HTTP/1.1 200") && answer.ends_with("Hello, World!"),
                "{answer}"
            );
            Ok(())
        });
    });
}

#[test]
fn a_thousand_clients_are_served_by_an_event_loop() {
    on_each(&["python3", "strace"], |threads| {
        let address = programs::free_address();
        let port = address.port().to_string();
        let mut prove = Command::new(sylvan());
        // Under the tracer OS threads get little done.
        let n = if threads == Threads::Green { "1000" } else { "100" };
        prove.args(["prove", "--clients", n, &address.to_string(), "--"]);
        if threads == Threads::Green {
            prove.arg(sylvan()).arg("run");
        }
        let output =
            prove.arg(PYTHON).arg(guest("multithread.py")).arg(port).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let expected = match threads {
            Threads::Os => (Some(1), "NOT an event loop"),
            Threads::Green => (Some(0), "an event loop"),
        };
        let verdict =
            said.lines().find_map(|line| line.strip_prefix("verdict")).unwrap_or_default();
        let is_right = output.status.code() == expected.0 && verdict.trim().starts_with(expected.1);
        assert!(is_right, "{said}{}", String::from_utf8_lossy(&output.stderr));
        println!("{threads:?}:\n{said}");
    });
}

/// Runs modules of CPython's own tests, two at a time.
fn own_tests(args: &[&str]) {
    if !Path::new("/usr/lib/python3.11/test/test_threading.py").exists() {
        eprintln!("SKIPPED: CPython's own tests are not installed (see ci/install.sh)");
        return;
    }
    on_each(&["python3"], |threads| {
        let mut program = Program::start("regrtest", |_, folder| {
            let mut command = threads.command(PYTHON);
            command.args(["-m", "test", "-j2", "--timeout", "140", "-w"]).args(args);
            command.current_dir(folder.path()).env("TMPDIR", folder.path());
            command
        });
        let status = program.ended();
        assert!(status.success(), "{threads:?}: {status}");
    });
}

#[test]
fn its_own_tests_of_threads_pass() {
    own_tests(&[
        "test_threading",
        "test_thread",
        "test_queue",
        "test_threadsignals",
        "test_subprocess",
    ]);
}

#[test]
fn its_own_tests_of_descriptors_pass() {
    // Sockets of virtual machines are left out: in some of them nobody answers, on OS threads neither.
    let modules = ["test_select", "test_poll", "test_epoll", "test_socket", "test_ssl"];
    own_tests(&[&["--ignore", "*VSOCK*"], &modules[..]].concat());
}

#[test]
fn its_own_tests_of_pools_and_loops_pass() {
    // Those of what is done with threads, sockets and children; all take minutes.
    let parts = ["streams", "sock_lowlevel", "threads", "unix_events"];
    let parts = parts.map(|part| format!("*test_asyncio.test_{part}.*"));
    let matched = parts.iter().map(|it| &**it).chain(["*ThreadPool*"]);
    let mut args: Vec<&str> = matched.flat_map(|it| ["--match", it]).collect();
    args.extend(["test_asyncio", "test_concurrent_futures"]);
    own_tests(&args);
}

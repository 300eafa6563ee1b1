//! The end of a process, and the start of others: whatever green threads are doing, as with std.

use std::env;
use std::path::Path;
use std::process::{Command, Output};

use std::os::unix::process::ExitStatusExt;

tests::on_std_and_in_each_mode! {
    items {
        use std::io::{Read, Write};
        use std::net::{TcpListener, UdpSocket};
        use std::process::{self, Command, Stdio};
        use std::sync::Arc;
        use std::thread;
        use std::time::{Duration, Instant};
        use std::os::unix::process::CommandExt;

        /// Starts threads that do not end: they wait in every way there is, and some compute.
        fn keep_busy(n: usize) {
            let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
            for n in 0..n {
                let listener = listener.clone();
                thread::spawn(move || match n % 8 {
                    0 => thread::sleep(Duration::from_secs(3600)),
                    1 => loop {
                        thread::park();
                    },
                    2 => drop(listener.accept()),
                    3 => {
                        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                        socket.set_read_timeout(Some(Duration::from_secs(3600))).unwrap();
                        drop(socket.recv(&mut [0]));
                    }
                    4 => drop(thread::spawn(thread::park).join()),
                    5 => loop {
                        thread::sleep(Duration::from_micros(500));
                    },
                    6 => loop {
                        thread::yield_now();
                        thread::sleep(Duration::from_micros(100));
                    },
                    _ => loop {
                        let begin = Instant::now();
                        while begin.elapsed() < Duration::from_micros(300) {}
                        thread::sleep(Duration::from_millis(3));
                    },
                });
            }
        }
    }

    fn exit_from_a_thread_ends_the_process_with_its_status(process) {
        let ended = process.run(|| {
            keep_busy(100);
            thread::spawn(|| {
                thread::sleep(Duration::from_millis(20));
                // Without the end of the line: what is buffered is written.
                print!("last words");
                process::exit(7);
            });
            loop {
                thread::park();
            }
        });
        assert_eq!(ended.status.code(), Some(7), "{}", ended.status);
        assert!(ended.stdout.ends_with("last words"), "{}", ended.stdout);
    }

    fn of_many_that_exit_at_once_one_does_whatever_is_to_be_done_before(process) {
        extern "C" fn before() {
            // Others have their turn meanwhile.
            thread::sleep(Duration::from_millis(20));
            let _ = writeln!(std::io::stdout(), "before the end");
            assert!(std::fs::metadata("/").is_ok());
        }
        for workers in ["1", "2"] {
            let ended = process.env("SYLVAN_WORKERS", workers).run(|| {
                // SAFETY: it may be called when the process ends.
                assert_eq!(unsafe { libc::atexit(before) }, 0);
                let exit = |n| move || {
                    thread::sleep(Duration::from_millis(20));
                    process::exit(100 + n)
                };
                let threads: Vec<_> = (0..40).map(|n| thread::spawn(exit(n))).collect();
                threads.into_iter().for_each(|thread| thread.join().unwrap());
            });
            assert!(ended.status.code().is_some_and(|code| code >= 100), "{}", ended.status);
            assert_eq!(ended.stdout.matches("before the end").count(), 1, "{}", ended.stdout);
        }
    }

    fn an_exit_from_within_an_exit_is_an_abort(process) {
        extern "C" fn again() {
            process::exit(8);
        }
        let ended = process.run(|| {
            // SAFETY: it may be called when the process ends.
            assert_eq!(unsafe { libc::atexit(again) }, 0);
            let _ = thread::spawn(|| process::exit(7)).join();
        });
        assert_eq!(ended.signal(), Some(libc::SIGABRT));
        assert!(ended.stderr.contains("re-entrantly"), "{}", ended.stderr);
    }

    fn an_abort_from_a_thread_is_an_abort(process) {
        let ended = process.run(|| {
            keep_busy(100);
            let _ = thread::spawn(|| process::abort()).join();
        });
        assert_eq!(ended.signal(), Some(libc::SIGABRT));
    }

    fn main_returns_while_a_thousand_wait(process) {
        let begin = Instant::now();
        let ended = process.passes(|| {
            struct Never;
            impl Drop for Never {
                fn drop(&mut self) {
                    println!("dropped");
                }
            }
            keep_busy(1_000);
            thread::spawn(|| {
                let _never = Never;
                thread::sleep(Duration::from_secs(3600));
            });
            thread::sleep(Duration::from_millis(50));
            println!("main returns");
        });
        assert!(ended.stdout.contains("main returns") && !ended.stdout.contains("dropped"));
        assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    }

    fn main_returns_while_others_block_their_os_threads(process) {
        let begin = Instant::now();
        process.passes(|| {
            for n in 0..6 {
                thread::spawn(move || match n % 2 {
                    0 => sylvan::blocking(|| ::std::thread::sleep(Duration::from_secs(3600))),
                    _ => loop {
                        ::std::hint::spin_loop();
                    },
                });
            }
            ::std::thread::sleep(Duration::from_millis(50));
        });
        assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
    }

    fn commands_start_and_end_while_a_hundred_threads_are_busy(process) {
        process.passes(|| {
            keep_busy(100);
            let commands: Vec<_> = (0..24)
                .map(|n| {
                    thread::spawn(move || {
                        let mut command = Command::new("sh");
                        command.env("N", n.to_string());
                        if n % 3 == 0 {
                            // Forces a fork, where std would spawn otherwise.
                            let before = || Ok(());
                            // SAFETY: it does nothing.
                            unsafe { command.pre_exec(before) };
                        }
                        if n % 3 == 1 {
                            command.args(["-c", "read line; echo $line $N; exit 3"]);
                            command.stdin(Stdio::piped()).stdout(Stdio::piped());
                            let mut child = command.spawn().unwrap();
                            child.stdin.take().unwrap().write_all(b"heard\n").unwrap();
                            let mut said = String::new();
                            child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
                            assert_eq!(said, format!("heard {n}\n"));
                            assert_eq!(child.wait().unwrap().code(), Some(3));
                        } else {
                            let output = command.args(["-c", "echo $N"]).output().unwrap();
                            assert_eq!(output.stdout, format!("{n}\n").into_bytes());
                            assert!(output.status.success());
                        }
                    })
                })
                .collect();
            commands.into_iter().for_each(|thread| thread.join().unwrap());
        });
    }

    fn a_program_that_is_not_there_is_an_error(process) {
        process.passes(|| {
            keep_busy(20);
            let error = thread::spawn(|| Command::new("/nowhere/to/be/found").spawn().unwrap_err());
            assert_eq!(error.join().unwrap().kind(), std::io::ErrorKind::NotFound);
        });
    }
}

/// Builds `panics` as a program in which a panic aborts, and runs it.
fn panics_in_a_build_that_aborts(threads: &str) -> Output {
    let here = env::current_exe().expect("the path of this test");
    // `target/<profile>/deps/<test>`
    let built = here.ancestors().nth(2).expect("the folder of what is built");
    let target = built.join("panic-abort");
    let release = built.file_name() == Some("release".as_ref());
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--offline", "--bin", "panics", "--target-dir"]).arg(&target);
    cargo.env("CARGO_PROFILE_DEV_PANIC", "abort").env("CARGO_PROFILE_RELEASE_PANIC", "abort");
    if release {
        cargo.arg("--release");
    }
    assert!(cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo").success());
    let profile = Path::new(if release { "release" } else { "debug" });
    let program = target.join(profile).join("panics");
    Command::new(program).arg(threads).env_remove("RUST_BACKTRACE").output().expect("the program")
}

#[test]
fn where_a_panic_aborts_it_says_the_same_and_aborts() {
    // The number of the thread is its own.
    let without_number = |stderr: Vec<u8>| {
        let stderr = String::from_utf8(stderr).expect("text");
        let (before, rest) = stderr.split_once('(').expect("a number");
        format!("{before}{}", rest.split_once(')').expect("its end").1)
    };
    let [green, os] = ["green", "os"].map(|threads| {
        let output = panics_in_a_build_that_aborts(threads);
        assert_eq!(output.status.signal(), Some(libc::SIGABRT));
        assert!(output.stdout.is_empty());
        without_number(output.stderr)
    });
    assert!(os.contains("thread 'the one' ") && os.contains("as it should"), "{os}");
    assert_eq!(green, os);
}

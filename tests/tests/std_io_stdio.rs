//! `std::io`: standard input, output and error.
//!
//! A scene runs in a child: the same test again, in a process of its own. What it says between
//! `[[` and `]]` is the scene's; the rest is the test harness's.

tests::on_each! {
    items {
        use std::env;
        use std::fs::File;
        use std::io::{self, BufRead, ErrorKind, IsTerminal, Read, Write};
        use std::os::fd::AsFd;
        use std::process::{self, Command, Output, Stdio};
        use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
        use std::sync::{Arc, mpsc};
        use std::thread;
        use std::time::Duration;

        const IN_CHILD: &str = "STD_IO_STDIO_CHILD";
        const SOON: Duration = Duration::from_millis(20);

        /// The test named `fact`, to be run in a child.
        fn child(fact: &str) -> Command {
            let (_, module) = module_path!().split_once("::").expect("a module of this file");
            let mut child = Command::new(env::current_exe().expect("the path of this test"));
            child.args(["--exact", &format!("{module}::{fact}"), "--nocapture"]).env(IN_CHILD, "");
            child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            child
        }

        /// In the child, runs `scene` and returns nothing; elsewhere, how a child ended that was
        /// given `input`.
        fn in_child(fact: &str, input: &str, scene: impl FnOnce()) -> Option<Output> {
            if env::var_os(IN_CHILD).is_some() {
                scene();
                return None;
            }
            let mut child = child(fact).spawn().expect("a child");
            // Fails where the scene does not read.
            let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
            let output = child.wait_with_output().expect("an end");
            assert!(output.status.success(), "{output:?}");
            Some(output)
        }

        fn scene_of(bytes: &[u8]) -> &str {
            let text = std::str::from_utf8(bytes).expect("text");
            let (_, rest) = text.split_once("[[").unwrap_or_else(|| panic!("no scene: {text}"));
            rest.split_once("]]").unwrap_or_else(|| panic!("no end: {text}")).0
        }
    }

    fn the_lines_of_standard_input_are_read() {
        let output = in_child("the_lines_of_standard_input_are_read", "one\ntwo\r\n\nlast", || {
            println!("[[");
            for line in io::stdin().lines() {
                println!("{:?}", line.unwrap());
            }
            assert_eq!(io::stdin().read(&mut [0; 8]).unwrap(), 0);
            println!("]]");
        });
        let Some(output) = output else { return };
        assert_eq!(scene_of(&output.stdout), "\n\"one\"\n\"two\"\n\"\"\n\"last\"\n");
    }

    fn all_ways_to_read_share_one_buffer() {
        let fact = "all_ways_to_read_share_one_buffer";
        let output = in_child(fact, "line\nword rest until+to the end", || {
            let mut line = String::new();
            assert_eq!(io::stdin().read_line(&mut line).unwrap(), 5);
            assert_eq!(line, "line\n");
            let mut word = [0; 5];
            io::stdin().read_exact(&mut word).unwrap();
            assert_eq!(&word, b"word ");
            {
                let mut lock = io::stdin().lock();
                assert!(lock.fill_buf().unwrap().starts_with(b"rest"));
                lock.consume(5);
                let mut until = Vec::new();
                lock.read_until(b'+', &mut until).unwrap();
                assert_eq!(until, b"until+");
            }
            let mut rest = String::new();
            (&io::stdin()).read_to_string(&mut rest).unwrap();
            assert_eq!(rest, "to the end");
            assert_eq!(io::read_to_string(io::stdin()).unwrap(), "");
        });
        drop(output);
    }

    fn more_than_a_pipe_holds_is_read_to_the_end() {
        let input = "0123456789".repeat(50_000);
        in_child("more_than_a_pipe_holds_is_read_to_the_end", &input, || {
            let mut all = Vec::new();
            assert_eq!(io::stdin().read_to_end(&mut all).unwrap(), 500_000);
            assert!(all.chunks(10).all(|ten| ten == b"0123456789"));
        });
    }

    fn each_line_goes_to_one_of_the_threads_that_read() {
        let input: String = (0..1000).map(|n| format!("{n}\n")).collect();
        in_child("each_line_goes_to_one_of_the_threads_that_read", &input, || {
            let (send, lines) = mpsc::channel();
            for _ in 0..10 {
                let send = send.clone();
                thread::spawn(move || {
                    let mut line = String::new();
                    while io::stdin().read_line(&mut line).unwrap() > 0 {
                        send.send(line.trim().parse::<u32>().unwrap()).unwrap();
                        line.clear();
                        thread::yield_now();
                    }
                });
            }
            drop(send);
            let mut lines: Vec<_> = lines.iter().collect();
            lines.sort_unstable();
            assert!(lines.into_iter().eq(0..1000));
        });
    }

    fn who_locks_standard_input_has_it_alone() {
        in_child("who_locks_standard_input_has_it_alone", "first\nsecond\n", || {
            let mut lock = io::stdin().lock();
            let other = thread::spawn(|| io::stdin().lines().next().unwrap().unwrap());
            thread::sleep(SOON);
            let mut line = String::new();
            lock.read_line(&mut line).unwrap();
            assert_eq!(line, "first\n");
            assert!(!other.is_finished());
            drop(lock);
            assert_eq!(other.join().unwrap(), "second");
        });
    }

    fn who_waits_for_input_holds_nobody_up() {
        let fact = "who_waits_for_input_holds_nobody_up";
        if env::var_os(IN_CHILD).is_some() {
            let reader = thread::spawn(|| io::stdin().lines().next().unwrap().unwrap());
            for _ in 0..20 {
                thread::sleep(Duration::from_millis(1));
                thread::spawn(thread::yield_now).join().unwrap();
            }
            // Not a line: it comes by the flush.
            print!("[[prompt]]");
            io::stdout().flush().unwrap();
            assert_eq!(reader.join().unwrap(), "answer");
            return;
        }
        let mut child = child(fact).env("SYLVAN_WORKERS", "1").spawn().unwrap();
        let mut said = Vec::new();
        while !said.ends_with(b"]]") {
            let mut byte = [0];
            child.stdout.as_mut().unwrap().read_exact(&mut byte).unwrap();
            said.push(byte[0]);
        }
        assert_eq!(scene_of(&said), "prompt");
        child.stdin.as_mut().unwrap().write_all(b"answer\n").unwrap();
        assert!(child.wait_with_output().unwrap().status.success());
    }

    fn a_file_serves_as_standard_input() {
        let fact = "a_file_serves_as_standard_input";
        if env::var_os(IN_CHILD).is_some() {
            let text = io::read_to_string(io::stdin()).unwrap();
            assert!(text.contains("it reads itself"));
            return;
        }
        let source = env::current_dir().unwrap().join("tests").join("std_io_stdio.rs");
        let status = child(fact).stdin(File::open(source).unwrap()).output().unwrap().status;
        assert!(status.success());
    }

    fn a_closed_standard_input_is_empty() {
        in_child("a_closed_standard_input_is_empty", "", || {
            // SAFETY: nobody in this process uses it but the lines below.
            unsafe { libc::close(0) };
            assert_eq!(io::stdin().read(&mut [0; 8]).unwrap(), 0);
            assert_eq!(io::stdin().lines().count(), 0);
        });
    }

    fn a_standard_input_that_does_not_block_would_block() {
        let fact = "a_standard_input_that_does_not_block_would_block";
        if env::var_os(IN_CHILD).is_some() {
            rustix::io::ioctl_fionbio(io::stdin().as_fd(), true).unwrap();
            for _ in 0..2 {
                let error = io::stdin().read(&mut [0; 8]).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
            }
            return;
        }
        let mut child = child(fact).spawn().unwrap();
        let stdin = child.stdin.take();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        drop(stdin);
    }

    fn another_file_in_place_of_standard_input_is_read() {
        in_child("another_file_in_place_of_standard_input_is_read", "first\n", || {
            let mut line = String::new();
            io::stdin().read_line(&mut line).unwrap();
            assert_eq!((&*line, io::stdin().read(&mut [0; 8]).unwrap()), ("first\n", 0));
            let (reader, mut writer) = io::pipe().unwrap();
            // SAFETY: the number stays open; what it means is read on purpose.
            unsafe { libc::dup2(std::os::fd::AsRawFd::as_raw_fd(&reader), 0) };
            let late = thread::spawn(move || {
                thread::sleep(SOON);
                writer.write_all(b"second\n").unwrap();
                writer
            });
            line.clear();
            io::stdin().read_line(&mut line).unwrap();
            assert_eq!(line, "second\n");
            late.join().unwrap();
        });
    }

    fn prints_and_writes_come_out_in_order() {
        let output = in_child("prints_and_writes_come_out_in_order", "", || {
            print!("[[a");
            io::stdout().write_all(b"b").unwrap();
            println!("c");
            let (d, e) = ('d', "ef");
            write!(io::stdout().lock(), "{d}").unwrap();
            writeln!(&io::stdout(), "{e}").unwrap();
            print!("g]]");
        });
        let Some(output) = output else { return };
        assert_eq!(scene_of(&output.stdout), "abc\ndef\ng");
    }

    fn standard_output_is_written_line_by_line() {
        let fact = "standard_output_is_written_line_by_line";
        if env::var_os(IN_CHILD).is_some() {
            io::stdout().write_all(b"[[whole\npart").unwrap();
            process::abort();
        }
        let output = child(fact).output().unwrap();
        assert!(output.stdout.ends_with(b"[[whole\n"), "{output:?}");
    }

    fn standard_error_is_written_at_once() {
        let fact = "standard_error_is_written_at_once";
        if env::var_os(IN_CHILD).is_some() {
            io::stderr().write_all(b"[[whole\npart").unwrap();
            process::abort();
        }
        let output = child(fact).output().unwrap();
        assert!(output.stderr.ends_with(b"[[whole\npart"), "{output:?}");
    }

    fn a_lock_keeps_others_out_while_its_holder_waits() {
        let output = in_child("a_lock_keeps_others_out_while_its_holder_waits", "", || {
            println!("[[");
            let mut lock = io::stdout().lock();
            let others: Vec<_> = (0..300)
                .map(|_| thread::spawn(|| io::stdout().write_all(b"other\n").unwrap()))
                .collect();
            for part in ["one ", "two ", "three\n"] {
                lock.write_all(part.as_bytes()).unwrap();
                thread::sleep(SOON);
            }
            drop(lock);
            others.into_iter().for_each(|other| other.join().unwrap());
            println!("]]");
        });
        let Some(output) = output else { return };
        let expected = format!("\none two three\n{}", "other\n".repeat(300));
        assert_eq!(scene_of(&output.stdout), expected);
    }

    fn the_holder_may_lock_again_and_the_last_lock_counts() {
        in_child("the_holder_may_lock_again_and_the_last_lock_counts", "", || {
            for _ in 0..2 {
                let outer = io::stderr().lock();
                let inner = io::stderr().lock();
                writeln!(io::stderr(), "through a third").unwrap();
                let done = Arc::new(AtomicBool::new(false));
                let other = thread::spawn({
                    let done = done.clone();
                    move || {
                        drop(io::stderr().lock());
                        done.store(true, SeqCst);
                    }
                });
                drop(outer);
                thread::sleep(SOON);
                assert!(!done.load(SeqCst));
                drop(inner);
                other.join().unwrap();
            }
        });
    }

    fn a_panic_leaves_the_locks_usable() {
        in_child("a_panic_leaves_the_locks_usable", "", || {
            let panicked = thread::spawn(|| {
                let _locks = (io::stdout().lock(), io::stdin().lock());
                panic!("with the locks held");
            });
            panicked.join().unwrap_err();
            io::stdout().write_all(b"still\n").unwrap();
            assert_eq!(io::stdin().lines().count(), 0);
        });
    }

    fn what_one_call_writes_stays_together() {
        let output = in_child("what_one_call_writes_stays_together", "", || {
            println!("[[");
            let threads: Vec<_> = (0..8)
                .map(|n| {
                    thread::spawn(move || {
                        for _ in 0..100 {
                            match n % 2 {
                                0 => println!("{n}-{n}-{n}"),
                                _ => writeln!(io::stdout(), "{n}-{n}-{n}").unwrap(),
                            }
                        }
                    })
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            println!("]]");
        });
        let Some(output) = output else { return };
        let mut lines: Vec<_> = scene_of(&output.stdout).trim().lines().collect();
        lines.sort_unstable();
        let expected = (0..8).flat_map(|n| [n; 100]).map(|n| format!("{n}-{n}-{n}"));
        assert!(lines.into_iter().eq(expected));
    }

    fn more_than_a_pipe_holds_is_written_to_a_slow_reader() {
        let fact = "more_than_a_pipe_holds_is_written_to_a_slow_reader";
        if env::var_os(IN_CHILD).is_some() {
            let ticking = thread::spawn(|| (0..20).for_each(|_| thread::sleep(SOON / 20)));
            println!("[[");
            for _ in 0..10_000 {
                writeln!(io::stdout(), "0123456789").unwrap();
            }
            print!("]]");
            ticking.join().unwrap();
            return;
        }
        let child = child(fact).spawn().unwrap();
        thread::sleep(SOON);
        let output = child.wait_with_output().unwrap();
        assert_eq!(scene_of(&output.stdout).len(), 1 + 11 * 10_000);
    }

    #[allow(clippy::items_after_statements, reason = "a type for one fact")]
    fn a_format_that_fails_panics() {
        struct Fails;
        impl std::fmt::Display for Fails {
            fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                Err(std::fmt::Error)
            }
        }
        let panicked = thread::spawn(|| write!(io::stderr(), "{Fails}")).join().unwrap_err();
        let message = panicked.downcast_ref::<&str>().unwrap();
        assert!(message.starts_with("a formatting trait implementation"), "{message}");
    }

    fn pipes_are_no_terminals() {
        in_child("pipes_are_no_terminals", "", || {
            assert!(!io::stdin().is_terminal() && !io::stdin().lock().is_terminal());
            assert!(!io::stdout().is_terminal() && !io::stdout().lock().is_terminal());
            assert!(!io::stderr().is_terminal() && !io::stderr().lock().is_terminal());
            assert!(!File::open("/dev/null").unwrap().is_terminal());
            assert!(!io::stdin().as_fd().is_terminal());
        });
    }

    fn the_streams_serve_a_child_as_its_own() {
        let fact = "the_streams_serve_a_child_as_its_own";
        let output = in_child(fact, "", || {
            print!("[[");
            io::stdout().flush().unwrap();
            let status = Command::new("sh").args(["-c", "echo out; echo err >&2"])
                .stdout(io::stderr())
                .stderr(io::stdout())
                .status();
            assert!(status.unwrap().success());
            println!("]]");
        });
        let Some(output) = output else { return };
        assert_eq!(scene_of(&output.stdout), "err\n");
        assert!(String::from_utf8_lossy(&output.stderr).contains("out\n"));
    }

    fn the_streams_print_as_in_std() {
        assert_eq!(format!("{:?}", io::stdin()), "Stdin { .. }");
        assert_eq!(format!("{:?}", io::stdin().lock()), "StdinLock { .. }");
        assert_eq!(format!("{:?}", io::stdout()), "Stdout { .. }");
        assert_eq!(format!("{:?}", io::stdout().lock()), "StdoutLock { .. }");
        assert_eq!(format!("{:?}", io::stderr()), "Stderr { .. }");
        assert_eq!(format!("{:?}", io::stderr().lock()), "StderrLock { .. }");
    }
}

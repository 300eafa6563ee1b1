//! `std::process`: children, how they end, what they are given.

tests::on_each! {
    items {
        use std::io::{self, ErrorKind, Read, Write};
        use std::os::unix::process::ExitStatusExt;
        use std::process::{Child, Command, ExitStatus, Stdio};
        use std::thread;
        use std::time::{Duration, Instant};

        fn sh(script: &str) -> Command {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            command
        }

        fn send(child: &Child, signal: &str) {
            let id = child.id().to_string();
            assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        }

        /// Waits until `child` ends by itself, or ends it when the time is up.
        fn wait_or_terminate(child: &mut Child, patience: Duration) -> ExitStatus {
            let start = Instant::now();
            while start.elapsed() < patience {
                if let Some(status) = child.try_wait().unwrap() {
                    return status;
                }
                thread::sleep(Duration::from_millis(1));
            }
            send(child, "TERM");
            child.wait().unwrap()
        }
    }

    fn status_tells_how_a_child_has_ended() {
        assert!(sh("exit 0").status().unwrap().success());
        let failed = sh("exit 7").status().unwrap();
        assert_eq!((failed.success(), failed.code(), failed.signal()), (false, Some(7), None));
        let killed = sh("kill -9 $$").status().unwrap();
        assert_eq!((killed.success(), killed.code(), killed.signal()), (false, None, Some(9)));
    }

    fn a_program_that_is_not_there_is_not_found() {
        let mut missing = Command::new("there is no such program");
        assert_eq!(missing.spawn().unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(missing.output().unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(missing.status().unwrap_err().kind(), ErrorKind::NotFound);
        let denied = Command::new("/dev/null").spawn().unwrap_err();
        assert_eq!(denied.kind(), ErrorKind::PermissionDenied);
        assert_eq!(Command::new("with\0nul").spawn().unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    fn output_brings_all_that_a_child_has_written() {
        let output = sh("echo out; echo err >&2; exit 3").output().unwrap();
        assert_eq!(output.stdout, b"out\n");
        assert_eq!(output.stderr, b"err\n");
        assert_eq!(output.status.code(), Some(3));
    }

    fn output_gives_a_child_nothing_to_read() {
        assert_eq!(Command::new("cat").output().unwrap().stdout, b"");
    }

    fn output_leaves_chosen_streams_alone() {
        let output = sh("echo out; echo err >&2").stdout(Stdio::null()).output().unwrap();
        assert_eq!((output.stdout, output.stderr), (vec![], b"err\n".to_vec()));
        let (mut reader, writer) = io::pipe().unwrap();
        let output = sh("echo out; echo err >&2").stderr(writer).output().unwrap();
        assert_eq!((output.stdout, output.stderr), (b"out\n".to_vec(), vec![]));
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        assert_eq!(said, "err\n");
    }

    fn a_command_runs_as_often_as_asked() {
        let mut command = sh("cat");
        assert_eq!(command.output().unwrap().stdout, b"");
        let mut child = command.stdin(Stdio::null()).spawn().unwrap();
        assert!(child.stdin.is_none() && child.stdout.is_none() && child.stderr.is_none());
        assert!(child.wait().unwrap().success());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"again").unwrap();
        assert_eq!(child.wait_with_output().unwrap().stdout, b"again");
    }

    fn try_wait_says_nothing_until_the_end() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        for _ in 0..10 {
            assert_eq!(child.try_wait().unwrap(), None);
            thread::sleep(Duration::from_millis(1));
        }
        drop(child.stdin.take());
        let status = wait_or_terminate(&mut child, Duration::from_secs(30));
        assert!(status.success());
        assert_eq!(child.try_wait().unwrap(), Some(status));
        assert_eq!(child.wait().unwrap(), status);
    }

    fn work_goes_on_while_a_child_is_polled() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let mut worked = 0;
        while child.try_wait().unwrap().is_none() {
            worked += 1;
            if worked == 10 {
                drop(child.stdin.take());
            }
            thread::yield_now();
        }
        assert!(worked >= 10, "{worked}");
    }

    fn who_waits_too_long_is_terminated() {
        let start = Instant::now();
        let mut child = Command::new("sleep").arg("3600").spawn().unwrap();
        let status = wait_or_terminate(&mut child, Duration::from_millis(50));
        assert_eq!((status.code(), status.signal()), (None, Some(15)));
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    fn wait_gives_the_same_answer_twice() {
        let mut child = sh("exit 5").spawn().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(5));
        assert_eq!(child.wait().unwrap().code(), Some(5));
    }

    fn wait_closes_standard_input() {
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        assert!(child.wait().unwrap().success());
        assert!(child.stdin.is_none());
    }

    fn kill_ends_a_child_and_later_does_nothing() {
        let mut child = Command::new("sleep").arg("3600").spawn().unwrap();
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        child.kill().unwrap();
    }

    fn a_dropped_child_runs_on() {
        let mut child = sh("read line; echo $line").stdin(Stdio::piped()).stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        drop(child);
        stdin.write_all(b"still here\n").unwrap();
        let mut said = String::new();
        stdout.read_to_string(&mut said).unwrap();
        assert_eq!(said, "still here\n");
    }

    fn two_hundred_children_run_at_once() {
        let start = Instant::now();
        let threads: Vec<_> = (0..200)
            .map(|n| {
                thread::spawn(move || {
                    let script = format!("sleep 0.3; exit {}", n % 100);
                    sh(&script).spawn().unwrap().wait().unwrap().code()
                })
            })
            .collect();
        for (n, thread) in threads.into_iter().enumerate() {
            assert_eq!(thread.join().unwrap(), Some(n as i32 % 100));
        }
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    fn a_child_sees_its_arguments_environment_and_directory() {
        let mut command = sh("echo $1-$2 $GIVEN $MORE ${TAKEN-none}; pwd");
        command.args(["name", "one"]).arg("two words").env("GIVEN", "given");
        command.envs([("MORE", "more"), ("TAKEN", "taken")]).env_remove("TAKEN").current_dir("/");
        let output = command.output().unwrap();
        assert_eq!(output.stdout, b"one-two words given more none\n/\n");
        assert_eq!(command.get_program(), "sh");
        assert_eq!(command.get_args().len(), 5);
        assert_eq!(command.get_args().last().unwrap(), "two words");
        assert_eq!(command.get_current_dir().unwrap(), std::path::Path::new("/"));
        let taken = command.get_envs().find(|(name, _)| *name == "TAKEN").unwrap();
        assert_eq!(taken.1, None);
        let cleared = Command::new("env").env_clear().env("ONLY", "this").output().unwrap();
        assert_eq!(cleared.stdout, b"ONLY=this\n");
    }

    fn everything_prints_as_in_std() {
        let mut command = Command::new("cat");
        command.arg("a file").stdin(Stdio::piped());
        assert_eq!(format!("{command:?}"), r#""cat" "a file""#);
        assert_eq!(format!("{:?}", Stdio::null()), "Stdio { .. }");
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        let printed = format!("{child:?}");
        let expected =
            "Child { stdin: Some(ChildStdin { .. }), stdout: None, stderr: None, .. }";
        assert_eq!(printed, expected);
        child.wait().unwrap();
    }
}

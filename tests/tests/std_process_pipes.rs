//! `std::process`: the pipes to and from a child.

tests::on_each! {
    items {
        use std::fs::File;
        use std::io::{self, BufRead, BufReader, ErrorKind, IoSlice, IoSliceMut, Read, Write};
        use std::os::fd::{AsFd, OwnedFd};
        use std::process::{ChildStdin, ChildStdout, Command, Stdio};
        use std::thread;
        use std::time::Duration;

        use rustix::fs::{OFlags, fcntl_getfl};

        /// Many times what a pipe holds.
        const MUCH: usize = 1_000_000;

        fn cat() -> Command {
            let mut cat = Command::new("cat");
            cat.stdin(Stdio::piped()).stdout(Stdio::piped());
            cat
        }

        fn pattern(len: usize) -> Vec<u8> {
            (0..len).map(|n| (n % 251) as u8).collect()
        }

        fn is_blocking(fd: impl AsFd) -> bool {
            !fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK)
        }
    }

    fn more_than_a_pipe_holds_goes_through_both_ways() {
        let mut child = cat().spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writer = thread::spawn(move || stdin.write_all(&pattern(MUCH)));
        let mut echo = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut echo).unwrap();
        assert!(echo == pattern(MUCH));
        writer.join().unwrap().unwrap();
        assert!(child.wait().unwrap().success());
    }

    fn one_write_takes_all_however_much() {
        let mut child = cat().spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let writer = thread::spawn(move || {
            let single = stdin.write(&pattern(MUCH)).unwrap();
            let bytes = pattern(MUCH);
            let (head, tail) = bytes.split_at(MUCH / 3);
            (single, stdin.write_vectored(&[IoSlice::new(head), IoSlice::new(tail)]).unwrap())
        });
        let output = child.wait_with_output().unwrap();
        assert!(output.stdout == [pattern(MUCH), pattern(MUCH)].concat());
        assert_eq!(writer.join().unwrap(), (MUCH, MUCH));
    }

    fn wait_with_output_reads_two_full_pipes() {
        let script = "i=0; while [ $i -lt 6000 ]; do i=$((i+1)); \
                      echo ------------------------------------out; \
                      echo ------------------------------------err >&2; done; exit 4";
        let output = Command::new("sh").args(["-c", script]).output().unwrap();
        assert_eq!(output.status.code(), Some(4));
        assert_eq!((output.stdout.len(), output.stderr.len()), (240_000, 240_000));
        assert!(output.stdout.ends_with(b"-out\n") && output.stderr.ends_with(b"-err\n"));
    }

    fn wait_with_output_closes_standard_input() {
        let mut child = cat().spawn().unwrap();
        child.stdin.as_mut().unwrap().write_all(b"all there is").unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.stdout, output.stderr), (b"all there is".to_vec(), vec![]));
        assert!(output.status.success());
    }

    fn a_dialogue_goes_line_by_line() {
        let mut child = cat().spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        for n in 0..100 {
            writeln!(stdin, "line {n}").unwrap();
            let mut echo = String::new();
            stdout.read_line(&mut echo).unwrap();
            assert_eq!(echo, format!("line {n}\n"));
        }
        drop(stdin);
        assert_eq!(stdout.read_line(&mut String::new()).unwrap(), 0);
        assert!(child.wait().unwrap().success());
    }

    fn a_reader_waits_for_a_child_that_takes_its_time() {
        let script = "sleep 0.1; echo late";
        let mut child = Command::new("sh").args(["-c", script]).stdout(Stdio::piped()).spawn()
            .unwrap();
        let mut said = [0; 16];
        assert_eq!(child.stdout.as_mut().unwrap().read(&mut said).unwrap(), 5);
        assert_eq!(child.stdout.as_mut().unwrap().read(&mut said).unwrap(), 0);
        child.wait().unwrap();
    }

    fn a_shared_stdin_takes_from_several_threads() {
        let mut child = cat().spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        let reader = thread::spawn(move || child.wait_with_output().unwrap().stdout);
        thread::scope(|scope| {
            for n in 0..8 {
                let mut stdin = &stdin;
                scope.spawn(move || {
                    // What fits into PIPE_BUF is written in one piece.
                    (0..200).for_each(|_| stdin.write_all(&[b'a' + n; 500]).unwrap());
                });
            }
        });
        drop(stdin);
        let bytes = reader.join().unwrap();
        assert_eq!(bytes.len(), 8 * 200 * 500);
        assert!(bytes.chunks(500).all(|chunk| chunk.iter().all(|byte| *byte == chunk[0])));
    }

    fn to_write_for_nobody_is_a_broken_pipe() {
        let mut child = Command::new("true").stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        child.wait().unwrap();
        assert_eq!(stdin.write(b"hello?").unwrap_err().kind(), ErrorKind::BrokenPipe);
    }

    fn a_writer_that_waits_learns_that_the_child_is_gone() {
        // It takes a bit, to show that the write has begun.
        let script = "head -c 1 > /dev/null; sleep 0.05";
        let mut child =
            Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let waiter = thread::spawn(move || child.wait());
        // What went into the pipe before is the answer; the error is the next one's.
        let some = stdin.write(&pattern(MUCH)).unwrap();
        assert!(0 < some && some < MUCH, "{some}");
        assert_eq!(stdin.write(b"more").unwrap_err().kind(), ErrorKind::BrokenPipe);
        assert!(waiter.join().unwrap().unwrap().success());
    }

    fn nothing_is_read_and_written_at_once() {
        let mut child = cat().spawn().unwrap();
        assert_eq!(child.stdin.as_mut().unwrap().write(&[]).unwrap(), 0);
        assert_eq!(child.stdin.as_mut().unwrap().write_vectored(&[]).unwrap(), 0);
        assert_eq!(child.stdout.as_mut().unwrap().read(&mut []).unwrap(), 0);
        assert_eq!(child.stdout.as_mut().unwrap().read_vectored(&mut []).unwrap(), 0);
        child.stdin.as_mut().unwrap().flush().unwrap();
        assert!(child.wait().unwrap().success());
    }

    fn a_vectored_read_fills_buffer_by_buffer() {
        let mut child = cat().spawn().unwrap();
        child.stdin.take().unwrap().write_all(b"abcde").unwrap();
        child.wait().unwrap();
        let (mut one, mut two) = ([0; 2], [0; 8]);
        let mut bufs = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
        assert_eq!(child.stdout.as_mut().unwrap().read_vectored(&mut bufs).unwrap(), 5);
        assert_eq!((&one, &two[..3]), (b"ab", &b"cde"[..]));
    }

    fn one_childs_output_is_anothers_input() {
        let mut first = cat().spawn().unwrap();
        let mut stdin = first.stdin.take().unwrap();
        let mut stdout = first.stdout.take().unwrap();
        // It has been waited for here, too, before it goes to the second child.
        stdin.write_all(b"one").unwrap();
        let mut start = [0; 3];
        stdout.read_exact(&mut start).unwrap();
        let second = Command::new("cat").stdin(stdout).stdout(Stdio::piped()).spawn().unwrap();
        let writer = thread::spawn(move || stdin.write_all(&pattern(MUCH)));
        assert!(second.wait_with_output().unwrap().stdout == pattern(MUCH));
        writer.join().unwrap().unwrap();
        assert!(first.wait().unwrap().success());
    }

    fn files_and_pipes_serve_as_streams() {
        let (mut reader, writer) = io::pipe().unwrap();
        let zeros = File::open("/dev/zero").unwrap();
        let status = Command::new("head").args(["-c", "5"]).stdin(zeros).stdout(writer).status();
        assert!(status.unwrap().success());
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes).unwrap();
        assert_eq!(bytes, [0; 5]);

        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"through").unwrap();
        drop(writer);
        assert_eq!(Command::new("cat").stdin(reader).output().unwrap().stdout, b"through");

        let (mut reader, writer) = io::pipe().unwrap();
        let status = Command::new("echo").arg("raw").stdout(OwnedFd::from(writer)).status();
        assert!(status.unwrap().success());
        let mut said = String::new();
        reader.read_to_string(&mut said).unwrap();
        assert_eq!(said, "raw\n");
    }

    fn a_descriptor_that_goes_out_is_a_plain_blocking_one() {
        let mut child = cat().spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let writer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            stdin.write_all(&pattern(MUCH)).unwrap();
            stdin
        });
        let mut bytes = vec![0; MUCH];
        stdout.read_exact(&mut bytes).unwrap();
        let stdin = OwnedFd::from(writer.join().unwrap());
        let stdout = OwnedFd::from(stdout);
        assert!(is_blocking(&stdin) && is_blocking(&stdout));

        // And comes in again.
        let mut stdout = ChildStdout::from(stdout);
        ChildStdin::from(stdin).write_all(b"again").unwrap();
        let mut again = [0; 5];
        stdout.read_exact(&mut again).unwrap();
        assert_eq!(&again, b"again");
        assert!(child.wait().unwrap().success());
    }
}

//! The number of a descriptor, used past whoever has it while somebody waits: by a second owner, by
//! `close` and `dup2`, by what closes all. As on OS threads: who waits does so for the file that it
//! called for, and nobody gets what is another's.

tests::on_std_and_in_each_mode! {
    items {
        use std::io::{self, Read, Write};
        use std::mem::{ManuallyDrop, forget};
        use std::net::{TcpListener, TcpStream, UdpSocket};
        use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
        use std::os::unix::net::{UnixDatagram, UnixStream};
        use std::process::{Command, Stdio};
        use std::sync::mpsc;
        use std::thread;
        use std::time::Duration;

        /// Long enough for a thread to have begun to wait that is about to.
        const A_WHILE: Duration = Duration::from_millis(200);

        fn tcp_pair() -> (TcpStream, TcpStream) {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (near, listener.accept().unwrap().0)
        }

        fn text(mut from: impl Read) -> String {
            let mut bytes = [0; 64];
            let n = from.read(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes[..n]).into_owned()
        }

        /// An owner of the number that never closes it.
        fn owner<S: FromRawFd>(number: RawFd) -> ManuallyDrop<S> {
            // SAFETY: the scenes see to it who closes what; what others may have there is theirs.
            ManuallyDrop::new(unsafe { S::from_raw_fd(number) })
        }

        fn close(number: RawFd) -> i32 {
            // SAFETY: as in `owner`, here and below.
            unsafe { libc::close(number) }
        }

        fn dup2(from: RawFd, to: RawFd) -> i32 {
            // SAFETY: as above.
            unsafe { libc::dup2(from, to) }
        }

        fn dup3(from: RawFd, to: RawFd, flags: i32) -> i32 {
            // SAFETY: as above.
            unsafe { libc::dup3(from, to, flags) }
        }

        fn close_range(first: u32, last: u32, flags: i32) -> i32 {
            // SAFETY: as above.
            unsafe { libc::close_range(first, last, flags) }
        }

        /// Runs `waits` with a handle of the descriptor that outlives the number, then `meanwhile` with
        /// the number, and what the waiter has got.
        fn beside<S: FromRawFd + IntoRawFd, T: Send + 'static>(
            socket: S,
            waits: impl FnOnce(&S) -> T + Send + 'static,
            meanwhile: impl FnOnce(RawFd),
        ) -> T {
            let number = socket.into_raw_fd();
            let (is_about_to, has_come) = mpsc::channel();
            let waiter = thread::spawn(move || {
                is_about_to.send(()).unwrap();
                waits(&owner(number))
            });
            has_come.recv().unwrap();
            thread::sleep(A_WHILE);
            meanwhile(number);
            waiter.join().unwrap()
        }

        /// A second owner of the number comes and goes, for some option.
        fn view<S: FromRawFd>(number: RawFd) {
            let _view = owner::<S>(number);
            thread::sleep(A_WHILE / 3);
        }

        /// Closes the number, and has a stream of somebody else's come in under it, in which there is
        /// something to read. The two ends of that one.
        fn reuse(number: RawFd) -> (UnixStream, UnixStream) {
            assert_eq!(close(number), 0);
            let mut spare = Vec::new();
            loop {
                let (near, mut far) = UnixStream::pair().unwrap();
                if [near.as_raw_fd(), far.as_raw_fd()].contains(&number) {
                    let (there, mut other) =
                        if near.as_raw_fd() == number { (near, far) } else { (far, near) };
                    other.write_all(b"another's").unwrap();
                    thread::sleep(A_WHILE);
                    return (there, other);
                }
                far.write_all(b"nobody's").unwrap();
                spare.push((near, far));
            }
        }
    }

    fn a_second_owner_of_a_number_takes_nothing_from_who_waits(process) {
        process.passes(|| thread::spawn(|| {
            let (mut near, far) = tcp_pair();
            let got = beside(far, |far| text(far), |number| {
                view::<TcpStream>(number);
                near.write_all(b"tcp").unwrap();
            });
            assert_eq!(got, "tcp");

            let (mut near, far) = UnixStream::pair().unwrap();
            let got = beside(far, |far| text(far), |number| {
                view::<UnixStream>(number);
                near.write_all(b"unix").unwrap();
            });
            assert_eq!(got, "unix");

            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let accepted = beside(listener, |listener| listener.accept().unwrap().1, |number| {
                view::<TcpListener>(number);
                forget(TcpStream::connect(address).unwrap());
            });
            assert!(accepted.ip().is_loopback());

            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let address = socket.local_addr().unwrap();
            let n = beside(socket, |socket| socket.recv(&mut [0; 8]).unwrap(), |number| {
                view::<UdpSocket>(number);
                UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"udp", address).unwrap();
            });
            assert_eq!(n, 3);

            let (near, far) = UnixDatagram::pair().unwrap();
            let n = beside(far, |far| far.recv(&mut [0; 8]).unwrap(), |number| {
                view::<UnixDatagram>(number);
                near.send(b"local").unwrap();
            });
            assert_eq!(n, 5);

            let (reader, mut writer) = io::pipe().unwrap();
            let got = beside(reader, |reader| text(reader), |number| {
                view::<io::PipeReader>(number);
                writer.write_all(b"pipe").unwrap();
            });
            assert_eq!(got, "pipe");
        }).join().unwrap());
    }

    fn a_second_owner_that_gives_the_number_back_takes_nothing_from_who_waits(process) {
        process.passes(|| thread::spawn(|| {
            for n_views in [1, 20] {
                let (mut near, far) = UnixStream::pair().unwrap();
                let got = beside(far, |far| text(far), |number| {
                    for _ in 0..n_views {
                        let view = ManuallyDrop::into_inner(owner::<UnixStream>(number));
                        assert_eq!(OwnedFd::from(view).into_raw_fd(), number);
                        let view = ManuallyDrop::into_inner(owner::<TcpStream>(number));
                        assert_eq!(view.into_raw_fd(), number);
                        thread::yield_now();
                    }
                    near.write_all(b"stream").unwrap();
                });
                assert_eq!(got, "stream");
            }

            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let got = beside(listener, |listener| text(listener.accept().unwrap().0), |number| {
                let view = ManuallyDrop::into_inner(owner::<TcpListener>(number));
                assert_eq!(view.into_raw_fd(), number);
                TcpStream::connect(address).unwrap().write_all(b"accepted").unwrap();
            });
            assert_eq!(got, "accepted");
        }).join().unwrap());
    }

    fn who_waits_when_a_second_owner_closes_the_number_waits_on_for_its_file(process) {
        process.passes(|| thread::spawn(|| {
            for is_handed_over in [false, true] {
                let (mut near, far) = UnixStream::pair().unwrap();
                let got = beside(far, |far| text(far), |number| {
                    let view = ManuallyDrop::into_inner(owner::<UnixStream>(number));
                    if is_handed_over {
                        drop(OwnedFd::from(view));
                    } else {
                        drop(view);
                    }
                    near.write_all(b"late").unwrap();
                });
                assert_eq!(got, "late");
            }
        }).join().unwrap());
    }

    fn a_second_owner_takes_nothing_from_who_waits_to_write(process) {
        process.passes(|| thread::spawn(|| {
            let (near, mut far) = UnixStream::pair().unwrap();
            let n = 1 << 20;
            let written = beside(near, move |mut near| near.write_all(&vec![7; n]).is_ok(), |number| {
                view::<UnixStream>(number);
                let mut all = vec![0; n];
                far.read_exact(&mut all).unwrap();
            });
            assert!(written);
        }).join().unwrap());
    }

    fn a_second_owner_of_a_childs_pipe_takes_nothing_from_who_waits(process) {
        process.passes(|| thread::spawn(|| {
            let mut child = Command::new("cat")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let (mut stdin, stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
            let number = stdout.as_raw_fd();
            let reader = thread::spawn(move || text(stdout));
            thread::sleep(A_WHILE);
            view::<io::PipeReader>(number);
            stdin.write_all(b"cat").unwrap();
            assert_eq!(reader.join().unwrap(), "cat");
            drop(stdin);
            assert!(child.wait().unwrap().success());
        }).join().unwrap());
    }

    fn a_number_means_the_file_that_dup2_has_put_there(process) {
        process.passes(|| thread::spawn(|| {
            for by_dup3 in [false, true] {
                let (stream, mut first) = UnixStream::pair().unwrap();
                let (other, mut second) = UnixStream::pair().unwrap();
                let writes = thread::spawn(move || {
                    thread::sleep(A_WHILE);
                    first.write_all(b"first").unwrap();
                    first
                });
                assert_eq!(text(&stream), "first");
                let (from, to) = (other.as_raw_fd(), stream.as_raw_fd());
                let put = if by_dup3 { dup3(from, to, libc::O_CLOEXEC) } else { dup2(from, to) };
                assert_eq!(put, to);
                let late = thread::spawn(move || {
                    thread::sleep(A_WHILE);
                    second.write_all(b"second").unwrap();
                    second
                });
                assert_eq!(text(&stream), "second");
                drop((writes.join(), late.join()));
            }
        }).join().unwrap());
    }

    fn who_waits_when_dup2_takes_its_number_waits_on_for_its_file(process) {
        process.passes(|| thread::spawn(|| {
            let (stream, mut mine) = UnixStream::pair().unwrap();
            let (other, mut anothers) = UnixStream::pair().unwrap();
            let got = beside(stream, |stream| text(stream), |number| {
                assert_eq!(dup2(other.as_raw_fd(), number), number);
                anothers.write_all(b"another's").unwrap();
                thread::sleep(A_WHILE);
                mine.write_all(b"mine").unwrap();
            });
            assert_eq!(got, "mine");
            assert_eq!(text(other), "another's");
        }).join().unwrap());
    }

    fn who_waits_when_its_number_is_closed_waits_on_for_its_file(process) {
        process.passes(|| thread::spawn(|| {
            let (mut near, far) = tcp_pair();
            let got = beside(far, |far| text(far), |number| {
                let (there, _other) = reuse(number);
                near.write_all(b"tcp").unwrap();
                thread::sleep(A_WHILE);
                assert_eq!(text(there), "another's");
            });
            assert_eq!(got, "tcp");

            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let accepted = beside(listener, |listener| listener.accept().unwrap().1, |number| {
                let (_there, _other) = reuse(number);
                forget(TcpStream::connect(address).unwrap());
            });
            assert!(accepted.ip().is_loopback());

            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let address = socket.local_addr().unwrap();
            let n = beside(socket, |socket| socket.recv(&mut [0; 64]).unwrap(), |number| {
                let (_there, _other) = reuse(number);
                UdpSocket::bind("127.0.0.1:0").unwrap().send_to(b"udp", address).unwrap();
            });
            assert_eq!(n, 3);

            let (reader, mut writer) = io::pipe().unwrap();
            let got = beside(reader, |reader| text(reader), |number| {
                let (_there, _other) = reuse(number);
                writer.write_all(b"pipe").unwrap();
            });
            assert_eq!(got, "pipe");

            let (near, mut far) = UnixStream::pair().unwrap();
            let n = 1 << 20;
            let written = beside(near, move |mut near| near.write(&vec![7; n]).unwrap(), |number| {
                let (_there, _other) = reuse(number);
                let mut all = vec![0; n];
                far.read_exact(&mut all).unwrap();
            });
            assert_eq!(written, n);
        }).join().unwrap());
    }

    fn several_who_wait_go_on_and_the_last_one_closes_the_file(process) {
        process.passes(|| thread::spawn(|| {
            let (stream, mut mine) = UnixStream::pair().unwrap();
            let number = stream.into_raw_fd();
            let (is_about_to, has_come) = mpsc::channel();
            let waiters = [(); 3].map(|()| {
                let is_about_to = is_about_to.clone();
                thread::spawn(move || {
                    is_about_to.send(()).unwrap();
                    let mut byte = [0];
                    (&*owner::<UnixStream>(number)).read_exact(&mut byte).unwrap();
                    byte[0]
                })
            });
            has_come.iter().take(3).for_each(drop);
            thread::sleep(A_WHILE);
            let (there, _other) = reuse(number);
            mine.write_all(b"abc").unwrap();
            let mut got = waiters.map(|waiter| waiter.join().unwrap());
            got.sort_unstable();
            assert_eq!(&got, b"abc");
            assert_eq!(text(there), "another's");
            // Nobody has the other end any more.
            assert_eq!(mine.read(&mut [0]).unwrap(), 0);
        }).join().unwrap());
    }

    fn a_timeout_goes_on_when_the_number_is_closed(process) {
        process.passes(|| thread::spawn(|| {
            let (stream, _mine) = UnixStream::pair().unwrap();
            stream.set_read_timeout(Some(A_WHILE * 3)).unwrap();
            let kind = beside(stream, |mut stream| stream.read(&mut [0]).unwrap_err().kind(), |number| {
                let (_there, _other) = reuse(number);
            });
            assert_eq!(kind, io::ErrorKind::WouldBlock);
        }).join().unwrap());
    }

    fn what_closes_everything_above_two_leaves_threads_and_sockets_as_they_were(process) {
        fn work() {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let client = thread::spawn(move || {
                thread::sleep(A_WHILE / 3);
                let mut all = String::new();
                TcpStream::connect(address).unwrap().read_to_string(&mut all).unwrap();
                all
            });
            listener.accept().unwrap().0.write_all(b"still here").unwrap();
            assert_eq!(client.join().unwrap(), "still here");
        }

        type Way = fn();
        let ways: [Way; 5] = [
            || (3..1024).for_each(|number| _ = close(number)),
            || assert_eq!(close_range(3, u32::MAX, 0), 0),
            || assert_eq!(close_range(3, 2000, 0), 0),
            || {
                // SAFETY: as in `owner`.
                let closed = unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) };
                assert_eq!(closed, 0);
            },
            || {
                unsafe extern "C" {
                    fn closefrom(first: libc::c_int);
                }
                // SAFETY: as in `owner`.
                unsafe { closefrom(3) }
            },
        ];
        process.passes(|| {
            for close_all in ways {
                // Idle threads first, then from one of them.
                thread::spawn(work).join().unwrap();
                thread::sleep(A_WHILE);
                close_all();
                thread::spawn(work).join().unwrap();
                thread::spawn(move || { close_all(); work(); }).join().unwrap();
            }
        });
    }

    fn close_and_dup2_say_what_they_say(process) {
        process.passes(|| thread::spawn(|| {
            fn errno() -> Option<i32> {
                io::Error::last_os_error().raw_os_error()
            }
            let (stream, other) = UnixStream::pair().unwrap();
            let (number, other) = (stream.into_raw_fd(), other.into_raw_fd());
            assert_eq!((close(-1), errno()), (-1, Some(libc::EBADF)));
            assert_eq!((close(1 << 20), errno()), (-1, Some(libc::EBADF)));
            assert_eq!(dup2(number, number), number);
            assert_eq!((dup3(number, number, 0), errno()), (-1, Some(libc::EINVAL)));
            assert_eq!((dup3(number, other, 1), errno()), (-1, Some(libc::EINVAL)));
            assert_eq!((dup2(-1, number), errno()), (-1, Some(libc::EBADF)));
            assert_eq!((dup2(999, number), errno()), (-1, Some(libc::EBADF)));
            assert_eq!((dup2(number, -1), errno()), (-1, Some(libc::EBADF)));
            assert_eq!((close_range(9, 8, 0), errno()), (-1, Some(libc::EINVAL)));
            assert_eq!((close_range(3, 4, 64), errno()), (-1, Some(libc::EINVAL)));
            (&*owner::<UnixStream>(other)).write_all(b"a").unwrap();
            assert_eq!(close(number), 0);
            assert_eq!((close(number), errno()), (-1, Some(libc::EBADF)));
            // SAFETY: opened and closed once.
            unsafe {
                let file = libc::fdopen(other, c"r".as_ptr());
                assert_eq!(libc::fclose(file), 0);
                assert_eq!((libc::fcntl(other, libc::F_GETFD), errno()), (-1, Some(libc::EBADF)));
            }
        }).join().unwrap());
    }

    fn what_a_child_closes_is_the_childs(process) {
        process.passes(|| thread::spawn(|| {
            use std::os::unix::process::CommandExt;
            let (mut near, far) = UnixStream::pair().unwrap();
            let got = beside(far, |far| text(far), |number| {
                let mut command = Command::new("true");
                let closes = move || {
                    assert_eq!((close(number), close_range(3, 1 << 20, 4)), (0, 0));
                    Ok(())
                };
                // SAFETY: makes system calls alone.
                unsafe { command.pre_exec(closes) };
                assert!(command.status().unwrap().success());
                near.write_all(b"the parent's").unwrap();
            });
            assert_eq!(got, "the parent's");
        }).join().unwrap());
    }
}

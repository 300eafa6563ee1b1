//! What a program sets on a descriptor, and how its calls then wait, or do not.

tests::on_each! {
    items {
        use std::io::{ErrorKind, Read, Write};
        use std::mem::ManuallyDrop;
        use std::net::{TcpListener, TcpStream, UdpSocket};
        use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd};
        use std::os::unix::net::{UnixListener, UnixStream};
        use std::sync::{Arc, mpsc};
        use std::thread;
        use std::time::{Duration, Instant};

        use rustix::event::{PollFd, PollFlags, poll};

        const A_WHILE: Duration = Duration::from_millis(60);
        /// More than any machine takes to notice.
        const LONG: Duration = Duration::from_secs(20);

        fn tcp_pair() -> (TcpStream, TcpStream) {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (near, listener.accept().unwrap().0)
        }

        /// Until the kernel says so of a number, for which nobody has been asked.
        fn until(number: i32, flags: PollFlags) {
            // SAFETY: the scenes keep it open.
            let fd = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
            assert_eq!(poll(&mut [PollFd::from_borrowed_fd(fd, flags)], None), Ok(1));
        }

        fn set_option<T>(fd: &impl AsRawFd, option: i32, value: T) {
            let len = size_of::<T>() as libc::socklen_t;
            let (fd, at) = (fd.as_raw_fd(), (&raw const value).cast());
            // SAFETY: the kernel reads so many bytes.
            let set = unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, option, at, len) };
            assert_eq!(set, 0);
        }

        fn set_timeout(fd: &impl AsRawFd, option: i32, timeout: Duration) {
            let tv_usec = timeout.subsec_micros().into();
            set_option(fd, option, libc::timeval { tv_sec: timeout.as_secs() as i64, tv_usec });
        }

        /// A stream whose reads wait for `n` bytes.
        fn mark(fd: &impl AsRawFd, n: i32) {
            set_option(fd, libc::SO_RCVLOWAT, n);
        }

        /// Sends `parts`, each a while after the last one, and closes.
        fn send_in_parts(mut to: impl Write + Send + 'static, parts: &'static [&'static [u8]]) {
            thread::spawn(move || {
                for part in parts {
                    thread::sleep(A_WHILE);
                    to.write_all(part).unwrap();
                }
                thread::sleep(A_WHILE);
            });
        }

        fn took_its_time(since: Instant, timeout: Duration) -> bool {
            (timeout..LONG).contains(&since.elapsed())
        }
    }

    fn a_read_that_must_not_wait_asks_the_kernel() {
        let (mut near, mut far) = tcp_pair();
        let number = far.as_raw_fd();
        let mut buf = [0; 64];
        for _ in 0..20 {
            far.set_nonblocking(false).unwrap();
            near.write_all(b"some").unwrap();
            assert_eq!(far.read(&mut buf).unwrap(), 4);
            far.set_nonblocking(true).unwrap();
            assert_eq!(far.read(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
            near.write_all(b"more").unwrap();
            until(number, PollFlags::IN);
            assert_eq!(far.peek(&mut buf).unwrap(), 4);
            assert_eq!(far.read(&mut buf).unwrap(), 4);
        }
    }

    fn a_read_that_must_not_wait_by_a_number_that_was_kept_asks_the_kernel() {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let number = far.as_raw_fd();
        let mut buf = [0; 64];
        near.write_all(b"some").unwrap();
        assert_eq!(far.read(&mut buf).unwrap(), 4);
        // SAFETY: the stream keeps it open, here and below.
        let flags = unsafe { libc::fcntl(number, libc::F_GETFL) };
        // SAFETY: as above.
        assert_eq!(unsafe { libc::fcntl(number, libc::F_SETFL, flags | libc::O_NONBLOCK) }, 0);
        assert_eq!(far.read(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
        near.write_all(b"more").unwrap();
        until(number, PollFlags::IN);
        assert_eq!(far.read(&mut buf).unwrap(), 4);
        let off = 0;
        // SAFETY: as above.
        assert_eq!(unsafe { libc::ioctl(number, libc::FIONBIO, &raw const off) }, 0);
        send_in_parts(near, &[b"late"]);
        assert_eq!(far.read(&mut buf).unwrap(), 4);
    }

    fn a_write_that_must_not_wait_asks_the_kernel() {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let number = near.as_raw_fd();
        let n = 1 << 20;
        let reading = thread::spawn(move || {
            far.read_exact(&mut vec![0; n]).unwrap();
            far
        });
        near.write_all(&vec![1; n]).unwrap();
        near.set_nonblocking(true).unwrap();
        let mut far = reading.join().unwrap();
        let mut n_full = 0;
        let error = loop {
            match near.write(&[1; 4096]) {
                Ok(n) => n_full += n,
                Err(error) => break error,
            }
        };
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        far.read_exact(&mut vec![0; n_full]).unwrap();
        until(number, PollFlags::OUT);
        assert!(near.write(b"room").is_ok());
    }

    fn an_accept_that_must_not_wait_asks_the_kernel() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (number, address) = (listener.as_raw_fd(), listener.local_addr().unwrap());
        for _ in 0..10 {
            listener.set_nonblocking(false).unwrap();
            let client = thread::spawn(move || {
                thread::sleep(A_WHILE / 10);
                TcpStream::connect(address).unwrap()
            });
            listener.accept().unwrap();
            client.join().unwrap();
            listener.set_nonblocking(true).unwrap();
            assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
            let _client = TcpStream::connect(address).unwrap();
            until(number, PollFlags::IN);
            listener.accept().unwrap();
        }
    }

    fn a_datagram_is_there_for_who_must_not_wait() {
        let (near, far) = (UdpSocket::bind("127.0.0.1:0"), UdpSocket::bind("127.0.0.1:0"));
        let (near, far) = (near.unwrap(), far.unwrap());
        let (number, address) = (far.as_raw_fd(), far.local_addr().unwrap());
        let mut buf = [0; 64];
        for _ in 0..10 {
            far.set_nonblocking(false).unwrap();
            near.send_to(b"some", address).unwrap();
            assert_eq!(far.recv(&mut buf).unwrap(), 4);
            far.set_nonblocking(true).unwrap();
            assert_eq!(far.recv(&mut buf).unwrap_err().kind(), ErrorKind::WouldBlock);
            near.send_to(b"more", address).unwrap();
            until(number, PollFlags::IN);
            assert_eq!(far.peek(&mut buf).unwrap(), 4);
            assert_eq!(far.recv_from(&mut buf).unwrap().0, 4);
        }
    }

    fn a_read_waits_for_as_much_as_was_asked_for() {
        let (near, mut far) = tcp_pair();
        mark(&far, 10);
        send_in_parts(near, &[b"12345", b"67890", b"abc"]);
        let mut buf = [0; 64];
        assert!(far.read(&mut buf).unwrap() >= 10);
        // The rest comes with the end.
        assert!(far.read(&mut buf).unwrap() <= 3);
    }

    fn a_read_of_a_unix_stream_waits_for_as_much_as_was_asked_for() {
        let (near, mut far) = UnixStream::pair().unwrap();
        mark(&far, 10);
        send_in_parts(near, &[b"12345", b"67890"]);
        assert_eq!(far.read(&mut [0; 64]).unwrap(), 10);
    }

    fn a_look_waits_for_as_much_as_was_asked_for_and_a_small_read_for_what_it_has_room_for() {
        let (near, mut far) = tcp_pair();
        mark(&far, 10);
        send_in_parts(near, &[b"123", b"4567", b"890"]);
        // No more than that fits in.
        far.read_exact(&mut [0; 3]).unwrap();
        let mut buf = [0; 64];
        assert_eq!(far.peek(&mut buf[..4]).unwrap(), 4);
        assert_eq!(far.read(&mut buf).unwrap(), 7);
    }

    fn what_was_asked_for_before_a_stream_came_in_holds_and_ends_with_the_timeout() {
        let (mut near, far) = tcp_pair();
        let number = far.into_raw_fd();
        mark(&number, 10);
        // SAFETY: it has just gone out.
        let mut far = unsafe { TcpStream::from_raw_fd(number) };
        far.set_read_timeout(Some(A_WHILE)).unwrap();
        near.write_all(b"12345").unwrap();
        let begin = Instant::now();
        assert_eq!(far.read(&mut [0; 64]).unwrap(), 5);
        assert!(took_its_time(begin, A_WHILE - Duration::from_millis(5)));
        assert_eq!(far.read(&mut [0; 64]).unwrap_err().kind(), ErrorKind::WouldBlock);
        // A clone is of the same file.
        let mut clone = far.try_clone().unwrap();
        near.write_all(b"12345").unwrap();
        let begin = Instant::now();
        assert_eq!(clone.read(&mut [0; 64]).unwrap(), 5);
        assert!(took_its_time(begin, A_WHILE - Duration::from_millis(5)));
        mark(&far, 1);
        far.set_read_timeout(None).unwrap();
        near.write_all(b"1").unwrap();
        assert_eq!(clone.read(&mut [0; 64]).unwrap(), 1);
    }

    fn what_is_set_while_a_read_waits_is_for_the_next_one() {
        for sets_timeout in [true, false] {
            let (mut near, far) = UnixStream::pair().unwrap();
            let far = Arc::new(far);
            let reader = far.clone();
            let (begins, has_begun) = mpsc::channel();
            let reading = thread::spawn(move || {
                let mut buf = [0; 8];
                begins.send(()).unwrap();
                [(&*reader).read(&mut buf), (&*reader).read(&mut buf)]
                    .map(|read| read.map_err(|error| error.kind()))
            });
            has_begun.recv().unwrap();
            thread::sleep(A_WHILE);
            // A second owner of the number: whoever waits looks again.
            // SAFETY: it is open, and does not stay.
            let view = ManuallyDrop::new(unsafe { UnixStream::from_raw_fd(far.as_raw_fd()) });
            if sets_timeout {
                view.set_read_timeout(Some(A_WHILE)).unwrap();
            } else {
                view.set_nonblocking(true).unwrap();
            }
            // SAFETY: as above.
            let view = ManuallyDrop::new(unsafe { UnixStream::from_raw_fd(far.as_raw_fd()) });
            assert!(view.take_error().unwrap().is_none());
            thread::sleep(A_WHILE * 3);
            near.write_all(b"late").unwrap();
            assert_eq!(reading.join().unwrap(), [Ok(4), Err(ErrorKind::WouldBlock)]);
        }
    }

    fn a_connection_has_the_timeouts_of_its_listener() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        set_timeout(&listener, libc::SO_RCVTIMEO, A_WHILE);
        set_timeout(&listener, libc::SO_SNDTIMEO, A_WHILE);
        for of in [&listener, &listener.try_clone().unwrap()] {
            let _near = TcpStream::connect(address).unwrap();
            let mut far = of.accept().unwrap().0;
            let begin = Instant::now();
            assert_eq!(far.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::WouldBlock);
            assert!(took_its_time(begin, A_WHILE - Duration::from_millis(5)));
            let begin = Instant::now();
            let chunk = vec![0; 1 << 20];
            let error = loop {
                if let Err(error) = far.write_all(&chunk) {
                    break error;
                }
            };
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            assert!(took_its_time(begin, A_WHILE - Duration::from_millis(5)));
        }
        // Nor does it keep them, once the listener has none.
        set_timeout(&listener, libc::SO_RCVTIMEO, Duration::ZERO);
        let near = TcpStream::connect(address).unwrap();
        let mut far = listener.accept().unwrap().0;
        thread::spawn(move || {
            thread::sleep(A_WHILE * 4);
            drop(near);
        });
        assert_eq!(far.read(&mut [0; 8]).unwrap(), 0);
    }

    fn a_connection_of_an_adopted_listener_has_its_timeouts_and_its_mark() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        set_timeout(&listener, libc::SO_RCVTIMEO, A_WHILE);
        mark(&listener, 10);
        let listener = TcpListener::from(std::os::fd::OwnedFd::from(listener));
        let mut near = TcpStream::connect(address).unwrap();
        let mut far = listener.accept().unwrap().0;
        near.write_all(b"12345").unwrap();
        let begin = Instant::now();
        assert_eq!(far.read(&mut [0; 8]).unwrap(), 5);
        assert!(took_its_time(begin, A_WHILE - Duration::from_millis(5)));
    }

    fn a_unix_listener_keeps_its_timeouts_to_itself() {
        let path = std::env::temp_dir().join(format!(
            "sylvan-timeouts-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        let listener = UnixListener::bind(&path).unwrap();
        set_timeout(&listener, libc::SO_RCVTIMEO, A_WHILE);
        let near = UnixStream::connect(&path).unwrap();
        let mut far = listener.accept().unwrap().0;
        std::fs::remove_file(&path).unwrap();
        thread::spawn(move || {
            thread::sleep(A_WHILE * 4);
            drop(near);
        });
        assert_eq!(far.read(&mut [0; 8]).unwrap(), 0);
    }
}

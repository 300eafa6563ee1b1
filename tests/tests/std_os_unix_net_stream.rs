//! `std::os::unix::net::UnixStream`: what a connection does at its edges.
#![cfg(unix)]

mod std_os_unix_net_support;

use std_os_unix_net_support::SocketPath;

/// How long "a while" is where a thread must have begun to wait.
const A_WHILE: std::time::Duration = std::time::Duration::from_millis(50);
/// More than the kernel buffers between two sockets.
const MUCH: usize = 4 << 20;

/// The bytes of a transfer, so that a lost or doubled one shows.
fn pattern(len: usize) -> Vec<u8> {
    let mut bytes = (0..251).collect::<Vec<u8>>().repeat(len.div_ceil(251));
    bytes.truncate(len);
    bytes
}

tests::on_each! {
    items {
        use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
        use std::net::Shutdown;
        use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
        use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
        use std::sync::Arc;
        use std::thread;
        use std::time::{Duration, Instant};

        use rustix::fs::{OFlags, fcntl_getfl};
        use rustix::io::{FdFlags, fcntl_getfd};

        use super::{A_WHILE, MUCH, SocketPath, pattern};

        fn pair() -> (UnixStream, UnixStream) {
            UnixStream::pair().unwrap()
        }

        /// Writes, though the peer does not read, until that is an error.
        fn write_until_error(mut near: &UnixStream) -> io::Result<()> {
            loop {
                near.write_all(&[0; 1 << 14])?;
            }
        }

        fn would_block<T: std::fmt::Debug>(result: io::Result<T>) {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
            assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
        }

        fn invalid_input<T: std::fmt::Debug>(result: io::Result<T>, message: &str) {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(error.to_string(), message);
        }

        fn is_blocking(fd: impl AsFd) -> bool {
            !fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK)
        }
    }

    fn a_client_and_a_server_talk() {
        let path = SocketPath::new();
        let listener = UnixListener::bind(&path).unwrap();
        let server = thread::spawn(move || {
            let (mut stream, from) = listener.accept().unwrap();
            assert!(from.is_unnamed());
            let mut buf = [0; 5];
            stream.read_exact(&mut buf).unwrap();
            assert_eq!(&buf, b"hello");
            stream.write_all(b"world!").unwrap();
        });
        let mut stream = UnixStream::connect(&path).unwrap();
        assert_eq!(stream.peer_addr().unwrap().as_pathname(), Some(path.as_ref()));
        assert!(stream.local_addr().unwrap().is_unnamed());
        stream.write_all(b"hello").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "world!");
        server.join().unwrap();
    }

    fn a_byte_goes_to_and_fro_a_thousand_times() {
        let (mut near, mut far) = pair();
        let echo = thread::spawn(move || {
            let mut buf = [0; 64];
            for _ in 0..1000 {
                let n = far.read(&mut buf).unwrap();
                assert_eq!(far.write(&buf[..n]).unwrap(), n);
            }
        });
        for i in 0..1000 {
            let mut buf = [0; 64];
            assert_eq!(near.write(&[i as u8]).unwrap(), 1);
            assert_eq!(near.read(&mut buf).unwrap(), 1);
            assert_eq!(buf[0], i as u8);
        }
        echo.join().unwrap();
    }

    fn connect_by_address_is_connect_by_path() {
        let path = SocketPath::new();
        let listener = UnixListener::bind(&path).unwrap();
        let addr = SocketAddr::from_pathname(&path).unwrap();
        let near = UnixStream::connect_addr(&addr).unwrap();
        listener.accept().unwrap();
        assert_eq!(near.peer_addr().unwrap().as_pathname(), Some(path.as_ref()));
        assert!(is_blocking(&near));
        assert!(fcntl_getfd(&near).unwrap().contains(FdFlags::CLOEXEC));
    }

    #[cfg(target_os = "linux")]
    fn connect_by_abstract_name_needs_no_file() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("test-stream-{:?}", thread::current().id()).into_bytes();
        let addr = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixListener::bind_addr(&addr).unwrap();
        let near = UnixStream::connect_addr(&addr).unwrap();
        listener.accept().unwrap();
        assert_eq!(near.peer_addr().unwrap().as_abstract_name(), Some(&name[..]));
    }

    fn connect_to_nothing_is_an_error() {
        let path = SocketPath::new();
        assert_eq!(UnixStream::connect(&path).unwrap_err().kind(), ErrorKind::NotFound);
        drop(UnixListener::bind(&path).unwrap());
        let error = UnixStream::connect(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
    }

    fn connect_to_a_path_that_no_socket_has_is_invalid() {
        let long = "x".repeat(200);
        invalid_input(UnixStream::connect(long), "path must be shorter than SUN_LEN");
        let message = "paths must not contain interior null bytes";
        invalid_input(UnixStream::connect("a\0b"), message);
        let error = UnixStream::connect("").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINVAL));
    }

    // The kernel has no event for room in the queue of a listener, yet connecting waits for it.
    #[cfg(target_os = "linux")]
    fn connect_waits_for_room_at_the_listener() {
        let path = SocketPath::new();
        let listener = UnixListener::bind(&path).unwrap();
        rustix::net::listen(&listener, 0).unwrap();
        let _queued = UnixStream::connect(&path).unwrap();
        let there = path.as_ref().to_path_buf();
        let connecting = thread::spawn(move || {
            let mut near = UnixStream::connect(there).unwrap();
            assert!(is_blocking(&near));
            near.write_all(b"x").unwrap();
        });
        thread::sleep(A_WHILE);
        assert!(!connecting.is_finished());
        listener.accept().unwrap();
        let mut far = listener.accept().unwrap().0;
        assert_eq!(far.read(&mut [0; 8]).unwrap(), 1);
        connecting.join().unwrap();
    }

    fn the_end_is_read_again_and_again() {
        let (mut near, mut far) = pair();
        far.write_all(b"abc").unwrap();
        drop(far);
        assert_eq!(near.read(&mut [0; 8]).unwrap(), 3);
        for _ in 0..3 {
            assert_eq!(near.read(&mut [0; 8]).unwrap(), 0);
        }
        assert_eq!(near.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    }

    fn the_end_wakes_all_who_wait() {
        let (near, far) = pair();
        let near = Arc::new(near);
        let readers: Vec<_> = (0..8)
            .map(|_| {
                let near = near.clone();
                thread::spawn(move || (&*near).read(&mut [0; 8]).unwrap())
            })
            .collect();
        thread::sleep(A_WHILE);
        drop(far);
        for reader in readers {
            assert_eq!(reader.join().unwrap(), 0);
        }
    }

    fn a_half_closed_connection_still_answers() {
        let (mut near, mut far) = pair();
        near.write_all(b"question").unwrap();
        near.shutdown(Shutdown::Write).unwrap();
        assert_eq!(near.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
        let mut question = String::new();
        far.read_to_string(&mut question).unwrap();
        assert_eq!(question, "question");
        far.write_all(b"answer").unwrap();
        drop(far);
        let mut answer = String::new();
        near.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "answer");
    }

    fn shutdown_wakes_a_reader_that_waits() {
        for how in [Shutdown::Read, Shutdown::Both] {
            let (near, _far) = pair();
            let mut waiting = near.try_clone().unwrap();
            let reader = thread::spawn(move || waiting.read(&mut [0; 8]).unwrap());
            thread::sleep(A_WHILE);
            near.shutdown(how).unwrap();
            assert_eq!(reader.join().unwrap(), 0);
        }
    }

    fn the_end_of_the_peer_wakes_a_writer_that_waits() {
        let (near, far) = pair();
        let writer = thread::spawn(move || write_until_error(&near).unwrap_err().kind());
        thread::sleep(A_WHILE);
        drop(far);
        let kind = writer.join().unwrap();
        assert!(matches!(kind, ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{kind:?}");
    }

    // A write that the end of the peer interrupts reports what went out, and has taken the reset.
    #[cfg(target_os = "linux")]
    fn an_end_during_a_write_is_no_reset_later() {
        let (mut near, far) = pair();
        let writer = thread::spawn(move || {
            let all = vec![0; MUCH];
            let part = near.write(&all).unwrap();
            assert!(0 < part && part < all.len());
            assert_eq!(near.write(&all).unwrap_err().kind(), ErrorKind::BrokenPipe);
            assert_eq!(near.read(&mut [0; 8]).unwrap(), 0);
        });
        thread::sleep(A_WHILE * 2);
        drop(far);
        writer.join().unwrap();
    }

    // What the peer never read makes its end a reset.
    #[cfg(target_os = "linux")]
    fn unread_bytes_make_the_end_a_reset() {
        let (mut near, far) = pair();
        near.write_all(b"unread").unwrap();
        drop(far);
        assert_eq!(near.read(&mut [0; 8]).unwrap_err().kind(), ErrorKind::ConnectionReset);
        assert_eq!(near.read(&mut [0; 8]).unwrap(), 0);
    }

    fn no_bytes_are_no_trouble() {
        let (mut near, mut far) = pair();
        assert_eq!(near.write(&[]).unwrap(), 0);
        assert_eq!(near.write_vectored(&[]).unwrap(), 0);
        assert_eq!(near.read_vectored(&mut []).unwrap(), 0);
        far.write_all(b"x").unwrap();
        assert_eq!(near.read(&mut []).unwrap(), 0);
        assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
        near.set_write_timeout(Some(A_WHILE)).unwrap();
        would_block(write_until_error(&near));
        near.set_write_timeout(None).unwrap();
        assert_eq!(near.write(&[]).unwrap(), 0);
    }

    fn a_write_waits_until_all_is_taken() {
        let (mut near, mut far) = pair();
        let writer = thread::spawn(move || near.write(&pattern(MUCH)).unwrap());
        thread::sleep(A_WHILE);
        let mut received = Vec::new();
        far.read_to_end(&mut received).unwrap();
        assert_eq!(writer.join().unwrap(), MUCH);
        assert!(received == pattern(MUCH));
    }

    fn a_vectored_write_waits_until_all_is_taken() {
        let (mut near, mut far) = pair();
        let writer = thread::spawn(move || {
            let sent = pattern(MUCH);
            let (large, small) = sent.split_at(MUCH - 300_000);
            let mut bufs = vec![IoSlice::new(&[]), IoSlice::new(large), IoSlice::new(&[])];
            bufs.extend(small.chunks(1000).map(IoSlice::new));
            near.write_vectored(&bufs).unwrap()
        });
        thread::sleep(A_WHILE);
        let mut received = Vec::new();
        far.read_to_end(&mut received).unwrap();
        assert_eq!(writer.join().unwrap(), MUCH);
        assert!(received == pattern(MUCH));
    }

    fn vectored_reads_fill_one_buffer_after_the_other() {
        let (mut near, mut far) = pair();
        assert_eq!(far.write_vectored(&[IoSlice::new(b"ab"), IoSlice::new(b"cde")]).unwrap(), 5);
        let (mut a, mut b) = ([0; 3], [0; 3]);
        let mut bufs = [&mut a, &mut b].map(|buf| IoSliceMut::new(buf));
        assert_eq!(near.read_vectored(&mut bufs).unwrap(), 5);
        assert_eq!((&a, &b), (b"abc", b"de\0"));
    }

    fn a_nonblocking_stream_says_would_block() {
        let (mut near, mut far) = pair();
        near.set_nonblocking(true).unwrap();
        would_block(near.read(&mut [0; 8]));
        would_block(near.read_vectored(&mut [IoSliceMut::new(&mut [0; 8])]));
        let part = near.write(&pattern(MUCH)).unwrap();
        assert!(0 < part && part < MUCH);
        would_block(write_until_error(&near));
        far.write_all(b"x").unwrap();
        assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
        near.set_nonblocking(false).unwrap();
        let late = thread::spawn(move || {
            thread::sleep(A_WHILE);
            far.write_all(b"y").unwrap();
        });
        assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
        late.join().unwrap();
    }

    fn timeouts_are_none_until_set() {
        let (near, _far) = pair();
        assert_eq!(near.read_timeout().unwrap(), None);
        assert_eq!(near.write_timeout().unwrap(), None);
        near.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        near.set_write_timeout(Some(Duration::from_secs(25))).unwrap();
        assert_eq!(near.read_timeout().unwrap(), Some(Duration::from_secs(15)));
        assert_eq!(near.write_timeout().unwrap(), Some(Duration::from_secs(25)));
        let message = "cannot set a 0 duration timeout";
        invalid_input(near.set_read_timeout(Some(Duration::ZERO)), message);
        invalid_input(near.set_write_timeout(Some(Duration::ZERO)), message);
        near.set_read_timeout(None).unwrap();
        assert_eq!(near.read_timeout().unwrap(), None);
    }

    fn a_read_that_times_out_would_block() {
        let (mut near, mut far) = pair();
        near.set_read_timeout(Some(A_WHILE)).unwrap();
        for _ in 0..2 {
            let start = Instant::now();
            would_block(near.read(&mut [0; 8]));
            let waited = start.elapsed();
            assert!(A_WHILE / 2 < waited && waited < A_WHILE * 20, "{waited:?}");
        }
        far.write_all(b"x").unwrap();
        assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
    }

    fn a_write_that_times_out_returns_its_part_or_would_block() {
        let (mut near, _far) = pair();
        near.set_write_timeout(Some(A_WHILE)).unwrap();
        let part = near.write(&vec![0; MUCH]).unwrap();
        assert!(0 < part && part < MUCH);
        let start = Instant::now();
        would_block(write_until_error(&near));
        assert!(start.elapsed() > A_WHILE / 2);
    }

    fn a_clone_is_the_same_connection() {
        let (near, mut far) = pair();
        let mut clone = near.try_clone().unwrap();
        near.set_read_timeout(Some(A_WHILE)).unwrap();
        assert!(clone.read_timeout().unwrap().is_some());
        would_block(clone.read(&mut [0; 8]));
        drop(near);
        clone.write_all(b"still open").unwrap();
        let mut buf = [0; 10];
        far.read_exact(&mut buf).unwrap();
        drop(clone);
        assert_eq!(far.read(&mut buf).unwrap(), 0);
    }

    fn many_readers_of_one_descriptor_all_get_theirs() {
        let (near, mut far) = pair();
        let near = Arc::new(near);
        let readers: Vec<_> = (0..16)
            .map(|_| {
                let near = near.clone();
                thread::spawn(move || {
                    let mut sum = 0;
                    for _ in 0..50 {
                        let mut byte = [0; 1];
                        (&*near).read_exact(&mut byte).unwrap();
                        sum += u32::from(byte[0]);
                    }
                    sum
                })
            })
            .collect();
        let sent = pattern(16 * 50);
        for part in sent.chunks(7) {
            far.write_all(part).unwrap();
            thread::yield_now();
        }
        let sum: u32 = readers.into_iter().map(|reader| reader.join().unwrap()).sum();
        assert_eq!(sum, sent.into_iter().map(u32::from).sum());
    }

    // A read stops where a descriptor travels with the bytes, with more behind it.
    #[cfg(target_os = "linux")]
    fn a_descriptor_on_the_way_does_not_hide_what_follows_it() {
        use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
        let (mut near, mut far) = pair();
        let mut buf = [0; 64];
        near.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        would_block(near.read(&mut buf));
        near.set_read_timeout(None).unwrap();
        for _ in 0..3 {
            let passed = [far.as_fd()];
            let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            assert!(control.push(SendAncillaryMessage::ScmRights(&passed)));
            let bytes = [IoSlice::new(b"abc")];
            sendmsg(&far, &bytes, &mut control, SendFlags::empty()).unwrap();
            far.write_all(b"defg").unwrap();
            thread::sleep(A_WHILE);
            assert_eq!(near.read(&mut buf).unwrap(), 3);
            assert_eq!(near.read(&mut buf).unwrap(), 4);
        }
    }

    fn a_descriptor_that_goes_out_is_a_plain_blocking_one() {
        let (mut near, mut far) = pair();
        let late = thread::spawn(move || {
            thread::sleep(A_WHILE);
            far.write_all(b"abc").unwrap();
            far
        });
        assert_eq!(near.read(&mut [0; 1]).unwrap(), 1);
        let mut far = late.join().unwrap();
        // SAFETY: `into_raw_fd` gives the descriptor away.
        let fd = unsafe { OwnedFd::from_raw_fd(near.into_raw_fd()) };
        assert!(is_blocking(&fd));
        let mut buf = [0; 8];
        assert_eq!(rustix::io::read(&fd, &mut buf).unwrap(), 2);

        rustix::io::ioctl_fionbio(&fd, true).unwrap();
        let mut near = UnixStream::from(fd);
        would_block(near.read(&mut buf));
        near.set_nonblocking(false).unwrap();
        far.write_all(b"d").unwrap();
        assert_eq!(near.read(&mut buf).unwrap(), 1);
        assert!(is_blocking(OwnedFd::from(near)));
    }

    fn a_pair_is_plain_and_closed_on_exec() {
        let (near, far) = pair();
        for end in [near, far] {
            assert!(is_blocking(&end));
            assert!(fcntl_getfd(&end).unwrap().contains(FdFlags::CLOEXEC));
            assert!(end.take_error().unwrap().is_none());
            assert!(end.local_addr().unwrap().is_unnamed());
            assert!(end.peer_addr().unwrap().is_unnamed());
        }
    }

    fn debug_names_the_descriptor_and_both_addresses() {
        let path = SocketPath::new();
        let listener = UnixListener::bind(&path).unwrap();
        let near = UnixStream::connect(&path).unwrap();
        let (far, _) = listener.accept().unwrap();
        let peer = format!("{:?} (pathname)", path.as_ref());
        let fd = near.as_raw_fd();
        let owned = format!("FileDesc(OwnedFd {{ fd: {fd} }})");
        assert_eq!(
            format!("{near:?}"),
            format!("UnixStream {{ fd: {owned}, local: (unnamed), peer: {peer} }}")
        );
        assert!(format!("{far:?}").ends_with(&format!(", local: {peer}, peer: (unnamed) }}")));
    }

    fn a_stream_is_send_sync_unpin_and_unwind_safe() {
        fn check<T: Send + Sync + Unpin + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
        check::<UnixStream>();
        assert_eq!(size_of::<Option<UnixStream>>(), size_of::<OwnedFd>());
    }
}

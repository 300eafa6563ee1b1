//! `std::os::unix::net::UnixStream`: what a connection does at its edges. What it has in common with
//! one over TCP is in `std_streams`.
#![cfg(unix)]

mod std_os_unix_net_support;

use std_os_unix_net_support::SocketPath;

/// How long "a while" is where a thread must have begun to wait.
const A_WHILE: std::time::Duration = std::time::Duration::from_millis(50);
/// More than the kernel buffers between two sockets.
const MUCH: usize = 4 << 20;

tests::on_each! {
    items {
        use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
        use std::os::fd::{AsFd, AsRawFd};
        use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
        use std::thread;
        use std::time::{Duration};

        use rustix::fs::{OFlags, fcntl_getfl};
        use rustix::io::{FdFlags, fcntl_getfd};
        use tests::expect::{invalid_input, two_parts, would_block};

        use super::{A_WHILE, MUCH, SocketPath};

        fn pair() -> (UnixStream, UnixStream) {
            UnixStream::pair().unwrap()
        }

        /// Writes, though the peer does not read, until that is an error.
        fn write_until_error(mut near: &UnixStream) -> io::Result<()> {
            loop {
                near.write_all(&[0; 1 << 14])?;
            }
        }

        /// A read that waits and finds nothing: from then on the event loop watches the stream.
        #[cfg(target_os = "linux")]
        fn read_in_vain(near: &mut UnixStream) {
            near.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
            would_block(near.read(&mut [0]));
            near.set_read_timeout(None).unwrap();
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
        // A child that another test starts at this moment has the listener, too, until it is another program.
        let connect = |_| {
            thread::sleep(Duration::from_millis(1));
            UnixStream::connect(&path).err()
        };
        let error = (0..1_000).find_map(connect).expect("nobody listens");
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
        tests::expect::until_the_writer_waits(&far);
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

    fn vectored_reads_fill_one_buffer_after_the_other() {
        let (mut near, mut far) = pair();
        assert_eq!(far.write_vectored(&[IoSlice::new(b"ab"), IoSlice::new(b"cde")]).unwrap(), 5);
        let (mut a, mut b) = ([0; 3], [0; 3]);
        let mut bufs = [&mut a, &mut b].map(|buf| IoSliceMut::new(buf));
        assert_eq!(near.read_vectored(&mut bufs).unwrap(), 5);
        assert_eq!((&a, &b), (b"abc", b"de\0"));
    }

    // A read stops where a descriptor travels with the bytes, with more behind it.
    #[cfg(target_os = "linux")]
    fn a_descriptor_on_the_way_does_not_hide_what_follows_it() {
        use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
        let (mut near, mut far) = pair();
        let mut buf = [0; 4096];
        read_in_vain(&mut near);
        for room in [4096, 64, 4096] {
            let passed = [far.as_fd()];
            let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut control = SendAncillaryBuffer::new(&mut space);
            assert!(control.push(SendAncillaryMessage::ScmRights(&passed)));
            let bytes = [IoSlice::new(b"abc")];
            sendmsg(&far, &bytes, &mut control, SendFlags::empty()).unwrap();
            far.write_all(b"defg").unwrap();
            thread::sleep(A_WHILE);
            two_parts(&mut near, &mut buf[..room]);
        }
    }

    // Nor do two that are told apart by their credentials get their bytes into one read.
    #[cfg(target_os = "linux")]
    fn another_writer_does_not_hide_what_follows_it() {
        use rustix::net::sockopt::set_socket_passcred;
        use std::os::fd::OwnedFd;
        use std::process::Command;
        let (mut near, mut far) = pair();
        let mut buf = [0; 4096];
        set_socket_passcred(&near, true).unwrap();
        read_in_vain(&mut near);
        for room in [4096, 64, 4096] {
            far.write_all(b"abc").unwrap();
            let passed = OwnedFd::from(far.try_clone().unwrap());
            assert!(Command::new("printf").arg("defg").stdout(passed).status().unwrap().success());
            two_parts(&mut near, &mut buf[..room]);
        }
    }

    // A descriptor may be of another kind than the type says.
    #[cfg(target_os = "linux")]
    fn messages_that_came_together_are_read_one_by_one() {
        use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
        for kind in [SocketType::SEQPACKET, SocketType::DGRAM] {
            let (near, far) =
                socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
            let (mut near, mut far) = (UnixStream::from(near), UnixStream::from(far));
            let mut clone = near.try_clone().unwrap();
            let mut buf = [0; 4096];
            near.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
            would_block(near.read(&mut buf));
            would_block(clone.read(&mut buf));
            near.set_read_timeout(None).unwrap();
            for reader in [&mut near, &mut clone] {
                far.write_all(b"abc").unwrap();
                far.write_all(b"defg").unwrap();
                thread::sleep(A_WHILE);
                two_parts(reader, &mut buf);
            }
        }
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
}

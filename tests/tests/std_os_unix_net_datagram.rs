//! `std::os::unix::net::UnixDatagram`: datagrams, peers, names.
#![cfg(unix)]

mod std_os_unix_net_support;

use std_os_unix_net_support::SocketPath;

/// How long "a while" is where a thread must have begun to wait.
const A_WHILE: std::time::Duration = std::time::Duration::from_millis(50);

tests::on_each! {
    items {
        use std::io::{self, ErrorKind};
        use std::net::Shutdown;
        use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
        use std::os::unix::net::{SocketAddr, UnixDatagram};
        use std::sync::Arc;
        use std::thread;
        use std::time::{Duration, Instant};

        use rustix::fs::{OFlags, fcntl_getfl};
        use rustix::io::{FdFlags, fcntl_getfd};
        use tests::expect::{invalid_input, would_block};

        use super::{A_WHILE, SocketPath};

        fn pair() -> (UnixDatagram, UnixDatagram) {
            UnixDatagram::pair().unwrap()
        }

        fn bound() -> (UnixDatagram, SocketPath) {
            let path = SocketPath::new();
            (UnixDatagram::bind(&path).unwrap(), path)
        }

        /// Sends, though nobody receives, until that is an error.
        fn send_until_error(send: impl Fn(&[u8]) -> io::Result<usize>) -> io::Result<()> {
            loop {
                send(&[0; 1 << 12])?;
            }
        }

        fn is_blocking(fd: impl AsFd) -> bool {
            !fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK)
        }
    }

    fn datagrams_arrive_with_their_sender() {
        let ((near, near_path), (far, far_path)) = (bound(), bound());
        let mut buf = [0; 64];
        assert_eq!(near.send_to(b"ping", &far_path).unwrap(), 4);
        let (n, from) = far.recv_from(&mut buf).unwrap();
        assert_eq!((&buf[..n], from.as_pathname()), (&b"ping"[..], Some(near_path.as_ref())));
        assert_eq!(far.send_to_addr(b"pong!", &from).unwrap(), 5);
        let (n, from) = near.recv_from(&mut buf).unwrap();
        assert_eq!((&buf[..n], from.as_pathname()), (&b"pong!"[..], Some(far_path.as_ref())));
    }

    fn a_sender_without_a_name_is_unnamed() {
        let (near, path) = bound();
        let stranger = UnixDatagram::unbound().unwrap();
        stranger.send_to(b"x", &path).unwrap();
        let (n, from) = near.recv_from(&mut [0; 8]).unwrap();
        assert_eq!(n, 1);
        assert!(from.is_unnamed());
        assert_eq!(format!("{from:?}"), "(unnamed)");
    }

    #[cfg(target_os = "linux")]
    fn abstract_names_need_no_file() {
        use std::os::linux::net::SocketAddrExt;
        let name = |end| {
            let name = format!("test-datagram-{end}-{:?}", thread::current().id());
            SocketAddr::from_abstract_name(name).unwrap()
        };
        let (near_addr, far_addr) = (name("near"), name("far"));
        let near = UnixDatagram::bind_addr(&near_addr).unwrap();
        let far = UnixDatagram::bind_addr(&far_addr).unwrap();
        assert_eq!(near.send_to_addr(b"x", &far_addr).unwrap(), 1);
        let (_, from) = far.recv_from(&mut [0; 8]).unwrap();
        assert_eq!(from.as_abstract_name(), near_addr.as_abstract_name());
        far.connect_addr(&near_addr).unwrap();
        assert_eq!(far.send(b"yz").unwrap(), 2);
        assert_eq!(near.recv(&mut [0; 8]).unwrap(), 2);
        let again = UnixDatagram::bind_addr(&far_addr);
        assert_eq!(again.unwrap_err().kind(), ErrorKind::AddrInUse);
    }

    // A program in another language may bind a path without a NUL at its end.
    #[cfg(target_os = "linux")]
    fn a_sender_with_the_longest_path_does_no_harm() {
        let (near, path) = bound();
        let dir = SocketPath::new();
        std::fs::create_dir(&dir).unwrap();
        let dir_len = dir.as_ref().as_os_str().len();
        let long = dir.as_ref().join("x".repeat(108 - dir_len - 1));
        let family = rustix::net::AddressFamily::UNIX;
        let far = rustix::net::socket(family, rustix::net::SocketType::DGRAM, None).unwrap();
        rustix::net::bind(&far, &rustix::net::SocketAddrUnix::new(&long).unwrap()).unwrap();
        let there = rustix::net::SocketAddrUnix::new(path.as_ref()).unwrap();
        let nothing = rustix::net::SendFlags::empty();
        rustix::net::sendto(&far, b"x", nothing, &there).unwrap();
        assert_eq!(near.recv_from(&mut [0; 8]).unwrap().0, 1);
        std::fs::remove_dir_all(&dir).unwrap();
    }

    fn a_name_that_nobody_has_is_an_error() {
        let near = UnixDatagram::unbound().unwrap();
        let path = SocketPath::new();
        assert_eq!(near.send_to(b"x", &path).unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(near.connect(&path).unwrap_err().kind(), ErrorKind::NotFound);
        drop(UnixDatagram::bind(&path).unwrap());
        assert_eq!(near.send_to(b"x", &path).unwrap_err().kind(), ErrorKind::ConnectionRefused);
        assert_eq!(UnixDatagram::bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
        #[cfg(target_os = "linux")]
        assert_eq!(near.send_to(b"x", "").unwrap_err().raw_os_error(), Some(libc::EINVAL));
        let message = "path must be shorter than SUN_LEN";
        invalid_input(near.send_to(b"x", "x".repeat(200)), message);
        invalid_input(UnixDatagram::bind("x".repeat(200)), message);
    }

    fn the_peer_is_whom_send_reaches() {
        let ((near, _), (far, far_path)) = (bound(), bound());
        assert_eq!(near.send(b"x").unwrap_err().kind(), ErrorKind::NotConnected);
        assert_eq!(near.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
        near.connect(&far_path).unwrap();
        assert_eq!(near.peer_addr().unwrap().as_pathname(), Some(far_path.as_ref()));
        assert_eq!(near.send(b"x").unwrap(), 1);
        assert_eq!(far.recv(&mut [0; 8]).unwrap(), 1);
    }

    fn receiving_waits_for_a_datagram() {
        let (near, far) = pair();
        let sender = thread::spawn(move || {
            for byte in 0..5 {
                thread::sleep(A_WHILE / 5);
                far.send(&[byte]).unwrap();
            }
        });
        for byte in 0..5 {
            let mut buf = [0; 8];
            assert_eq!(near.recv(&mut buf).unwrap(), 1);
            assert_eq!(buf[0], byte);
        }
        sender.join().unwrap();
    }

    fn datagrams_that_came_while_nobody_received_are_all_there() {
        let (near, far) = pair();
        near.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        would_block(near.recv(&mut [0; 64]));
        for len in 1..=5 {
            far.send(&[0; 8][..len]).unwrap();
        }
        for len in 1..=5 {
            assert_eq!(near.recv(&mut [0; 64]).unwrap(), len);
        }
        would_block(near.recv(&mut [0; 64]));
    }

    fn an_empty_datagram_is_a_datagram() {
        let (near, far) = pair();
        assert_eq!(far.send(&[]).unwrap(), 0);
        assert_eq!(far.send(b"x").unwrap(), 1);
        assert_eq!(near.recv(&mut [0; 8]).unwrap(), 0);
        assert_eq!(near.recv(&mut [0; 8]).unwrap(), 1);
    }

    fn a_datagram_is_cut_to_the_buffer() {
        let (near, far) = pair();
        far.send(b"abcdef").unwrap();
        far.send(b"gh").unwrap();
        far.send(b"i").unwrap();
        let mut buf = [0; 3];
        assert_eq!(near.recv(&mut buf).unwrap(), 3);
        assert_eq!(&buf, b"abc");
        assert_eq!(near.recv(&mut []).unwrap(), 0);
        assert_eq!(near.recv_from(&mut buf).unwrap().0, 1);
    }

    // The queue of a receiver holds few datagrams; who sends to its peer waits for room.
    #[cfg(target_os = "linux")]
    fn send_waits_for_room_at_the_peer() {
        let ((far, far_path), near) = (bound(), UnixDatagram::unbound().unwrap());
        near.connect(&far_path).unwrap();
        let sender = thread::spawn(move || {
            for i in 0..100u8 {
                assert_eq!(near.send(&[i]).unwrap(), 1);
            }
        });
        thread::sleep(A_WHILE);
        assert!(!sender.is_finished());
        for i in 0..100 {
            let mut buf = [0; 8];
            assert_eq!(far.recv(&mut buf).unwrap(), 1);
            assert_eq!(buf[0], i);
        }
        sender.join().unwrap();
    }

    // The kernel has no event for room at a receiver that is not the peer, yet sending waits.
    #[cfg(target_os = "linux")]
    fn send_to_waits_for_room_at_the_receiver() {
        let (far, far_path) = bound();
        let sender = thread::spawn(move || {
            let near = UnixDatagram::unbound().unwrap();
            for i in 0..100u8 {
                assert_eq!(near.send_to(&[i], &far_path).unwrap(), 1);
            }
        });
        thread::sleep(A_WHILE);
        assert!(!sender.is_finished());
        for i in 0..100 {
            let mut buf = [0; 8];
            assert_eq!(far.recv(&mut buf).unwrap(), 1);
            assert_eq!(buf[0], i);
        }
        sender.join().unwrap();
    }

    #[cfg(target_os = "linux")]
    fn sending_to_one_who_does_not_receive_times_out() {
        let (_far, far_path) = bound();
        let near = UnixDatagram::unbound().unwrap();
        near.set_write_timeout(Some(A_WHILE)).unwrap();
        would_block(send_until_error(|buf| near.send_to(buf, &far_path)));
        let start = Instant::now();
        would_block(near.send_to(b"x", &far_path));
        assert!(start.elapsed() > A_WHILE / 2);
        near.set_nonblocking(true).unwrap();
        would_block(near.send_to(b"x", &far_path));
        near.set_nonblocking(false).unwrap();
        near.connect(&far_path).unwrap();
        would_block(near.send(b"x"));
        let (near, _far) = pair();
        near.set_write_timeout(Some(A_WHILE)).unwrap();
        would_block(send_until_error(|buf| near.send(buf)));
    }

    fn a_nonblocking_socket_says_would_block() {
        let (near, far) = pair();
        near.set_nonblocking(true).unwrap();
        would_block(near.recv(&mut [0; 8]));
        would_block(near.recv_from(&mut [0; 8]));
        would_block(send_until_error(|buf| near.send(buf)));
        far.send(b"x").unwrap();
        assert_eq!(near.recv(&mut [0; 8]).unwrap(), 1);
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
    }

    fn receiving_that_times_out_would_block() {
        let (near, far) = pair();
        near.set_read_timeout(Some(A_WHILE)).unwrap();
        let start = Instant::now();
        would_block(near.recv(&mut [0; 8]));
        would_block(near.recv_from(&mut [0; 8]));
        let waited = start.elapsed();
        assert!(A_WHILE < waited && waited < A_WHILE * 400, "{waited:?}");
        far.send(b"x").unwrap();
        assert_eq!(near.recv(&mut [0; 8]).unwrap(), 1);
    }

    fn shutdown_wakes_a_receiver_that_waits() {
        let (near, _far) = pair();
        let near = Arc::new(near);
        let waiting = near.clone();
        let receiver = thread::spawn(move || waiting.recv(&mut [0; 8]).unwrap());
        thread::sleep(A_WHILE);
        near.shutdown(Shutdown::Read).unwrap();
        assert_eq!(receiver.join().unwrap(), 0);
        assert_eq!(near.recv(&mut [0; 8]).unwrap(), 0);
        let (n, from) = near.recv_from(&mut [0; 8]).unwrap();
        assert!(n == 0 && from.is_unnamed());
        near.shutdown(Shutdown::Write).unwrap();
        assert_eq!(near.send(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    }

    fn a_clone_is_the_same_socket() {
        let (near, far) = pair();
        let clone = near.try_clone().unwrap();
        near.set_read_timeout(Some(A_WHILE)).unwrap();
        assert!(clone.read_timeout().unwrap().is_some());
        would_block(clone.recv(&mut [0; 8]));
        drop(near);
        far.send(b"x").unwrap();
        assert_eq!(clone.recv(&mut [0; 8]).unwrap(), 1);
    }

    fn many_receivers_of_one_descriptor_all_get_theirs() {
        let (near, far) = pair();
        let near = Arc::new(near);
        let receivers: Vec<_> = (0..16)
            .map(|_| {
                let near = near.clone();
                thread::spawn(move || {
                    let mut sum = 0;
                    for _ in 0..10 {
                        let mut byte = [0; 8];
                        assert_eq!(near.recv(&mut byte).unwrap(), 1);
                        sum += u32::from(byte[0]);
                    }
                    sum
                })
            })
            .collect();
        for byte in 0..160 {
            far.send(&[byte]).unwrap();
        }
        let sum: u32 = receivers.into_iter().map(|receiver| receiver.join().unwrap()).sum();
        assert_eq!(sum, (0..160).sum());
    }

    fn a_descriptor_that_goes_out_is_a_plain_blocking_one() {
        let (near, far) = pair();
        let sender = thread::spawn(move || {
            thread::sleep(A_WHILE);
            far.send(b"abc").unwrap();
            far
        });
        assert_eq!(near.recv(&mut [0; 8]).unwrap(), 3);
        let far = sender.join().unwrap();
        // SAFETY: `into_raw_fd` gives the descriptor away.
        let fd = unsafe { OwnedFd::from_raw_fd(near.into_raw_fd()) };
        assert!(is_blocking(&fd));
        assert!(fcntl_getfd(&fd).unwrap().contains(FdFlags::CLOEXEC));
        rustix::io::ioctl_fionbio(&fd, true).unwrap();
        let near = UnixDatagram::from(fd);
        would_block(near.recv(&mut [0; 8]));
        near.set_nonblocking(false).unwrap();
        far.send(b"x").unwrap();
        assert_eq!(near.recv(&mut [0; 8]).unwrap(), 1);
        assert!(is_blocking(OwnedFd::from(near)));
    }

    fn debug_names_the_descriptor_and_both_addresses() {
        let ((near, near_path), (_far, far_path)) = (bound(), bound());
        let owned = format!("FileDesc(OwnedFd {{ fd: {} }})", near.as_raw_fd());
        let (local, peer) = (near_path.as_ref(), far_path.as_ref());
        assert_eq!(
            format!("{near:?}"),
            format!("UnixDatagram {{ fd: {owned}, local: {local:?} (pathname) }}")
        );
        near.connect(&far_path).unwrap();
        assert_eq!(
            format!("{near:?}"),
            format!(
                "UnixDatagram {{ fd: {owned}, local: {local:?} (pathname), \
                 peer: {peer:?} (pathname) }}"
            )
        );
        assert!(near.take_error().unwrap().is_none());
    }

    fn a_socket_is_send_sync_unpin_and_unwind_safe() {
        fn check<T: Send + Sync + Unpin + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
        check::<UnixDatagram>();
    }
}

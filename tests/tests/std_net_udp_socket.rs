//! `std::net::UdpSocket`: datagrams, peers, groups.

/// How long "a while" is where a thread must have begun to wait.
const A_WHILE: std::time::Duration = std::time::Duration::from_millis(50);

tests::on_each! {
    items {
        use std::io::ErrorKind;
        use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
        use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
        use std::sync::Arc;
        use std::sync::atomic::{AtomicU16, Ordering};
        use std::thread;
        use std::time::{Duration, Instant};

        use rustix::fs::{OFlags, fcntl_getfl};
        use rustix::io::{FdFlags, fcntl_getfd};
        use tests::counts::eventually;
        use tests::expect::{invalid_input, would_block};

        use super::A_WHILE;

        fn socket() -> (UdpSocket, SocketAddr) {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let addr = socket.local_addr().unwrap();
            (socket, addr)
        }

        /// Two sockets, each the peer of the other.
        fn pair() -> (UdpSocket, UdpSocket) {
            let ((near, near_addr), (far, far_addr)) = (socket(), socket());
            near.connect(far_addr).unwrap();
            far.connect(near_addr).unwrap();
            (near, far)
        }

        fn localhosts() -> Vec<SocketAddr> {
            let mut addrs = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
            match UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)) {
                Ok(_) => addrs.push(SocketAddr::from((Ipv6Addr::LOCALHOST, 0))),
                Err(error) => println!("skipped: no IPv6 on this host ({error})"),
            }
            addrs
        }

        fn is_blocking(fd: impl AsFd) -> bool {
            !fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK)
        }
    }

    fn datagrams_arrive_with_their_sender() {
        for addr in localhosts() {
            let (near, far) = (UdpSocket::bind(addr).unwrap(), UdpSocket::bind(addr).unwrap());
            let (near_addr, far_addr) = (near.local_addr().unwrap(), far.local_addr().unwrap());
            let mut buf = [0; 64];
            for _ in 0..3 {
                assert_eq!(near.send_to(b"ping", far_addr).unwrap(), 4);
                assert_eq!(far.recv_from(&mut buf).unwrap(), (4, near_addr));
                assert_eq!(&buf[..4], b"ping");
                assert_eq!(far.send_to(b"pong!", near_addr).unwrap(), 5);
                assert_eq!(near.recv_from(&mut buf).unwrap(), (5, far_addr));
                assert_eq!(&buf[..5], b"pong!");
            }
        }
    }

    fn a_scope_and_a_flow_that_mean_nothing_do_no_harm() {
        let Ok(far) = UdpSocket::bind("[::1]:0") else {
            return println!("skipped: no IPv6 on this host");
        };
        let port = far.local_addr().unwrap().port();
        let near = UdpSocket::bind(SocketAddrV6::new(Ipv6Addr::LOCALHOST, 0, 7, 1)).unwrap();
        near.send_to(b"x", SocketAddrV6::new(Ipv6Addr::LOCALHOST, port, 7, 1)).unwrap();
        let (_, SocketAddr::V6(from)) = far.recv_from(&mut [0; 8]).unwrap() else { panic!() };
        assert_eq!(SocketAddr::V6(from), near.local_addr().unwrap());
        assert_eq!((from.scope_id(), from.flowinfo()), (0, 0));
    }

    fn receiving_waits_for_a_datagram() {
        let (near, addr) = socket();
        let sender = thread::spawn(move || {
            let (far, _) = socket();
            for byte in 0..5 {
                thread::sleep(A_WHILE / 5);
                far.send_to(&[byte], addr).unwrap();
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
        thread::sleep(A_WHILE);
        for len in 1..=5 {
            assert_eq!(near.recv(&mut [0; 64]).unwrap(), len);
        }
        would_block(near.recv(&mut [0; 64]));
    }

    fn an_empty_datagram_is_a_datagram() {
        let (near, far) = pair();
        assert_eq!(far.send(&[]).unwrap(), 0);
        assert_eq!(far.send_to(&[], near.local_addr().unwrap()).unwrap(), 0);
        assert_eq!(far.send(b"x").unwrap(), 1);
        let mut buf = [0; 8];
        assert_eq!(near.recv(&mut buf).unwrap(), 0);
        assert_eq!(near.recv_from(&mut buf).unwrap(), (0, far.local_addr().unwrap()));
        assert_eq!(near.recv(&mut buf).unwrap(), 1);
    }

    fn a_datagram_is_cut_to_the_buffer() {
        let (near, far) = pair();
        for _ in 0..3 {
            far.send(b"abcdef").unwrap();
        }
        far.send(b"g").unwrap();
        let mut buf = [0; 3];
        assert_eq!(near.recv(&mut buf).unwrap(), 3);
        assert_eq!(&buf, b"abc");
        assert_eq!(near.recv_from(&mut buf).unwrap().0, 3);
        assert_eq!(near.recv(&mut []).unwrap(), 0);
        assert_eq!(near.recv(&mut buf).unwrap(), 1);
    }

    fn peek_leaves_the_datagram() {
        let (near, far) = pair();
        let sender = thread::spawn(move || {
            thread::sleep(A_WHILE);
            far.send(b"abcd").unwrap();
            far
        });
        let mut buf = [0; 8];
        assert_eq!(near.peek(&mut buf).unwrap(), 4);
        let far = sender.join().unwrap();
        assert_eq!(near.peek(&mut [0; 2]).unwrap(), 2);
        assert_eq!(near.peek_from(&mut buf).unwrap(), (4, far.local_addr().unwrap()));
        assert_eq!(near.recv(&mut buf).unwrap(), 4);
        assert_eq!(&buf[..4], b"abcd");
        near.set_nonblocking(true).unwrap();
        would_block(near.peek(&mut buf));
        would_block(near.peek_from(&mut buf));
    }

    fn only_the_peer_is_heard() {
        let ((near, near_addr), (far, far_addr), (stranger, _)) = (socket(), socket(), socket());
        assert_eq!(near.peer_addr().unwrap_err().kind(), ErrorKind::NotConnected);
        near.connect(far_addr).unwrap();
        assert_eq!(near.peer_addr().unwrap(), far_addr);
        stranger.send_to(b"stranger", near_addr).unwrap();
        far.send_to(b"peer", near_addr).unwrap();
        let mut buf = [0; 16];
        assert_eq!(near.recv(&mut buf).unwrap(), 4);
        assert_eq!(near.send(b"answer").unwrap(), 6);
        assert_eq!(far.recv_from(&mut buf).unwrap(), (6, near_addr));
    }

    fn sending_without_a_peer_is_an_error() {
        let (near, _) = socket();
        let error = near.send(b"x").unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EDESTADDRREQ));
    }

    fn the_peer_can_be_changed() {
        let ((near, _), (first, first_addr), (second, second_addr)) =
            (socket(), socket(), socket());
        for (far, addr) in [(&first, first_addr), (&second, second_addr), (&first, first_addr)] {
            near.connect(addr).unwrap();
            near.send(b"x").unwrap();
            assert_eq!(far.recv(&mut [0; 8]).unwrap(), 1);
        }
    }

    // The host says that nobody has the port; the next call reports it, once.
    #[cfg(target_os = "linux")]
    fn a_peer_that_is_gone_refuses() {
        let (near, far) = pair();
        drop(far);
        near.send(b"x").unwrap();
        let error = near.recv(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        near.set_nonblocking(true).unwrap();
        would_block(near.recv(&mut [0; 8]));
    }

    #[cfg(target_os = "linux")]
    fn a_refusal_wakes_a_receiver_that_waits() {
        let (near, far) = pair();
        let near = Arc::new(near);
        let waiting = near.clone();
        let receiver = thread::spawn(move || waiting.recv(&mut [0; 8]).unwrap_err().kind());
        thread::sleep(A_WHILE);
        drop(far);
        near.send(b"x").unwrap();
        assert_eq!(receiver.join().unwrap(), ErrorKind::ConnectionRefused);
    }

    #[cfg(target_os = "linux")]
    fn a_refusal_can_be_taken_as_the_pending_error() {
        let (near, far) = pair();
        assert!(near.take_error().unwrap().is_none());
        drop(far);
        near.send(b"x").unwrap();
        let error = near.take_error().unwrap().unwrap();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert!(near.take_error().unwrap().is_none());
    }

    // std has no function for it, but programs do it to end a thread that receives.
    #[cfg(target_os = "linux")]
    fn shutdown_wakes_a_receiver_that_waits() {
        let (near, _far) = pair();
        near.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        would_block(near.recv(&mut [0; 8]));
        near.set_read_timeout(None).unwrap();
        let near = Arc::new(near);
        let waiting = near.clone();
        let receiver = thread::spawn(move || waiting.recv(&mut [0; 8]).unwrap());
        thread::sleep(A_WHILE);
        rustix::net::shutdown(&*near, rustix::net::Shutdown::Read).unwrap();
        assert_eq!(receiver.join().unwrap(), 0);
        assert_eq!(near.recv(&mut [0; 8]).unwrap(), 0);
        near.set_nonblocking(true).unwrap();
        would_block(near.recv(&mut [0; 8]));
    }

    fn a_datagram_that_no_packet_holds_is_an_error() {
        let (near, far) = pair();
        let error = near.send(&vec![0; 70_000]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
        near.send(&vec![7; 30_000]).unwrap();
        assert_eq!(far.recv(&mut vec![0; 70_000]).unwrap(), 30_000);
    }

    fn bind_tries_one_address_after_the_other() {
        let ((_socket, taken), free) = (socket(), SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let second = UdpSocket::bind(&[taken, free][..]).unwrap();
        assert_ne!(second.local_addr().unwrap(), taken);
        let foreign = SocketAddr::from(([192, 0, 2, 1], 0));
        let error = UdpSocket::bind(&[foreign, taken][..]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
        let error = UdpSocket::bind(&[taken, foreign][..]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    }

    fn no_address_is_invalid() {
        let nowhere: &[SocketAddr] = &[];
        invalid_input(UdpSocket::bind(nowhere), "could not resolve to any addresses");
        let (near, _) = socket();
        invalid_input(near.connect(nowhere), "could not resolve to any addresses");
        invalid_input(near.send_to(b"x", nowhere), "no addresses to send data to");
    }

    fn only_the_first_address_is_sent_to() {
        let ((near, _), (first, first_addr), (second, second_addr)) =
            (socket(), socket(), socket());
        near.send_to(b"x", &[first_addr, second_addr][..]).unwrap();
        assert_eq!(first.recv(&mut [0; 8]).unwrap(), 1);
        second.set_read_timeout(Some(Duration::from_millis(5))).unwrap();
        would_block(second.recv(&mut [0; 8]));
    }

    fn a_name_can_be_sent_to() {
        let ((near, _), (far, far_addr)) = (socket(), socket());
        near.send_to(b"x", ("localhost", far_addr.port())).unwrap();
        assert_eq!(far.recv(&mut [0; 8]).unwrap(), 1);
    }

    fn a_nonblocking_socket_says_would_block() {
        let (near, far) = pair();
        near.set_nonblocking(true).unwrap();
        would_block(near.recv(&mut [0; 8]));
        would_block(near.recv_from(&mut [0; 8]));
        far.send(b"x").unwrap();
        eventually("it is there", || near.recv(&mut [0; 8]).is_ok_and(|n| n == 1));
        near.set_nonblocking(false).unwrap();
        let sender = thread::spawn(move || {
            thread::sleep(A_WHILE);
            far.send(b"y").unwrap();
        });
        assert_eq!(near.recv(&mut [0; 8]).unwrap(), 1);
        sender.join().unwrap();
    }

    fn timeouts_are_none_until_set() {
        let (near, _) = socket();
        assert_eq!(near.read_timeout().unwrap(), None);
        assert_eq!(near.write_timeout().unwrap(), None);
        near.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        near.set_write_timeout(Some(Duration::from_secs(25))).unwrap();
        assert_eq!(near.read_timeout().unwrap(), Some(Duration::from_secs(15)));
        assert_eq!(near.write_timeout().unwrap(), Some(Duration::from_secs(25)));
        near.set_read_timeout(None).unwrap();
        near.set_write_timeout(None).unwrap();
        assert_eq!(near.read_timeout().unwrap(), None);
        assert_eq!(near.write_timeout().unwrap(), None);
    }

    fn a_timeout_of_zero_is_invalid() {
        let (near, _) = socket();
        let message = "cannot set a 0 duration timeout";
        invalid_input(near.set_read_timeout(Some(Duration::ZERO)), message);
        invalid_input(near.set_write_timeout(Some(Duration::ZERO)), message);
    }

    fn receiving_that_times_out_would_block() {
        let (near, far) = pair();
        near.set_read_timeout(Some(A_WHILE)).unwrap();
        for _ in 0..2 {
            let start = Instant::now();
            would_block(near.recv(&mut [0; 8]));
            let waited = start.elapsed();
            assert!(A_WHILE / 2 < waited && waited < A_WHILE * 400, "{waited:?}");
        }
        would_block(near.recv_from(&mut [0; 8]));
        would_block(near.peek(&mut [0; 8]));
        would_block(near.peek_from(&mut [0; 8]));
        far.send(b"x").unwrap();
        assert_eq!(near.recv(&mut [0; 8]).unwrap(), 1);
    }

    fn a_clone_is_the_same_socket() {
        let (near, far) = pair();
        let clone = near.try_clone().unwrap();
        assert_eq!(clone.local_addr().unwrap(), near.local_addr().unwrap());
        near.set_read_timeout(Some(A_WHILE)).unwrap();
        assert!(clone.read_timeout().unwrap().is_some());
        would_block(clone.recv(&mut [0; 8]));
        clone.set_nonblocking(true).unwrap();
        would_block(near.recv(&mut [0; 8]));
        clone.set_nonblocking(false).unwrap();
        drop(near);
        far.send(b"x").unwrap();
        assert_eq!(clone.recv(&mut [0; 8]).unwrap(), 1);
    }

    fn receivers_on_clones_share_the_datagrams() {
        let (near, far) = pair();
        let receivers: Vec<_> = (0..8)
            .map(|_| {
                let clone = near.try_clone().unwrap();
                thread::spawn(move || {
                    let mut byte = [0; 8];
                    assert_eq!(clone.recv(&mut byte).unwrap(), 1);
                    byte[0]
                })
            })
            .collect();
        thread::sleep(A_WHILE);
        for byte in 0..8 {
            far.send(&[byte]).unwrap();
        }
        let mut bytes: Vec<_> =
            receivers.into_iter().map(|receiver| receiver.join().unwrap()).collect();
        bytes.sort_unstable();
        assert_eq!(bytes, [0, 1, 2, 3, 4, 5, 6, 7]);
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
                        assert_eq!(near.recv_from(&mut byte).unwrap().0, 1);
                        sum += u32::from(byte[0]);
                    }
                    sum
                })
            })
            .collect();
        for byte in 0..160 {
            far.send(&[byte]).unwrap();
            thread::yield_now();
        }
        let sum: u32 = receivers.into_iter().map(|receiver| receiver.join().unwrap()).sum();
        assert_eq!(sum, (0..160).sum());
    }

    fn one_descriptor_receives_and_sends_at_once() {
        let (near, far) = pair();
        let near = Arc::new(near);
        let receiving = near.clone();
        let n_received = Arc::new(AtomicU16::new(0));
        let count = n_received.clone();
        let receiver = thread::spawn(move || {
            for i in 0..500u16 {
                let mut buf = [0; 8];
                assert_eq!(receiving.recv(&mut buf).unwrap(), 2);
                assert_eq!(buf[..2], i.to_ne_bytes());
                count.store(i + 1, Ordering::Relaxed);
            }
        });
        let echo = thread::spawn(move || {
            let mut buf = [0; 8];
            for _ in 0..500 {
                let n = far.recv(&mut buf).unwrap();
                far.send(&buf[..n]).unwrap();
            }
        });
        // Few enough at once that no queue overflows.
        for i in 0..500u16 {
            near.send(&i.to_ne_bytes()).unwrap();
            while i > n_received.load(Ordering::Relaxed) + 50 && !receiver.is_finished() {
                thread::yield_now();
            }
        }
        receiver.join().unwrap();
        echo.join().unwrap();
    }

    fn broadcast_needs_permission() {
        let (near, _) = socket();
        assert!(!near.broadcast().unwrap());
        let to = ("127.255.255.255", 9);
        assert_eq!(near.send_to(b"x", to).unwrap_err().kind(), ErrorKind::PermissionDenied);
        near.set_broadcast(true).unwrap();
        assert!(near.broadcast().unwrap());
        near.send_to(b"x", to).unwrap();
    }

    fn options_are_kept() {
        let (near, _) = socket();
        near.set_ttl(42).unwrap();
        assert_eq!(near.ttl().unwrap(), 42);
        near.set_multicast_ttl_v4(7).unwrap();
        assert_eq!(near.multicast_ttl_v4().unwrap(), 7);
        assert!(near.multicast_loop_v4().unwrap());
        near.set_multicast_loop_v4(false).unwrap();
        assert!(!near.multicast_loop_v4().unwrap());
        let Ok(near) = UdpSocket::bind("[::1]:0") else {
            return println!("skipped: no IPv6 on this host");
        };
        assert!(near.multicast_loop_v6().unwrap());
        near.set_multicast_loop_v6(false).unwrap();
        assert!(!near.multicast_loop_v6().unwrap());
    }

    // A group on the loopback interface: what is bound to 127.0.0.1 sends there.
    #[cfg(target_os = "linux")]
    fn a_group_is_heard_from_join_to_leave_v4() {
        let (group, lo) = (Ipv4Addr::new(239, 7, 7, 7), Ipv4Addr::LOCALHOST);
        let member = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).unwrap();
        let port = member.local_addr().unwrap().port();
        let (sender, from) = socket();
        member.set_read_timeout(Some(A_WHILE)).unwrap();
        let mut buf = [0; 8];

        member.join_multicast_v4(&group, &lo).unwrap();
        sender.send_to(b"in", (group, port)).unwrap();
        assert_eq!(member.recv_from(&mut buf).unwrap(), (2, from));
        assert_eq!(
            member.join_multicast_v4(&group, &lo).unwrap_err().kind(),
            ErrorKind::AddrInUse
        );

        member.leave_multicast_v4(&group, &lo).unwrap();
        sender.send_to(b"out", (group, port)).unwrap();
        would_block(member.recv_from(&mut buf));
        assert_eq!(
            member.leave_multicast_v4(&group, &lo).unwrap_err().kind(),
            ErrorKind::AddrNotAvailable
        );
    }

    #[cfg(target_os = "linux")]
    fn a_group_is_heard_from_join_to_leave_v6() {
        // Interface-local scope; 1 is the index of the loopback interface.
        let (group, lo) = (Ipv6Addr::new(0xff01, 0, 0, 0, 0, 0, 0, 0x777), 1);
        let Ok(member) = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)) else {
            return println!("skipped: no IPv6 on this host");
        };
        let port = member.local_addr().unwrap().port();
        let to = SocketAddrV6::new(group, port, 0, lo);
        let sender = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap();
        member.set_read_timeout(Some(A_WHILE)).unwrap();
        let mut buf = [0; 8];

        member.join_multicast_v6(&group, lo).unwrap();
        let again = member.join_multicast_v6(&group, lo);
        assert_eq!(again.unwrap_err().kind(), ErrorKind::AddrInUse);
        let from = sender.local_addr().unwrap();
        let sent = sender.send_to(b"in", to);
        match &sent {
            Ok(_) => assert_eq!(member.recv_from(&mut buf).unwrap(), (2, from)),
            Err(error) => println!("skipped: no route to groups on the loopback ({error})"),
        }

        member.leave_multicast_v6(&group, lo).unwrap();
        if sent.is_ok() {
            sender.send_to(b"out", to).unwrap();
        }
        would_block(member.recv_from(&mut buf));
        let again = member.leave_multicast_v6(&group, lo);
        assert_eq!(again.unwrap_err().kind(), ErrorKind::AddrNotAvailable);
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
        let number = near.as_raw_fd();
        // SAFETY: `into_raw_fd` gives the descriptor away.
        let fd = unsafe { OwnedFd::from_raw_fd(near.into_raw_fd()) };
        assert_eq!(fd.as_raw_fd(), number);
        assert!(is_blocking(&fd));
        assert!(fcntl_getfd(&fd).unwrap().contains(FdFlags::CLOEXEC));

        rustix::io::ioctl_fionbio(&fd, true).unwrap();
        let near = UdpSocket::from(fd);
        would_block(near.recv(&mut [0; 8]));
        near.set_nonblocking(false).unwrap();
        far.send(b"x").unwrap();
        assert_eq!(near.recv(&mut [0; 8]).unwrap(), 1);
        assert!(is_blocking(OwnedFd::from(near)));
    }

    fn debug_names_the_address_and_the_descriptor() {
        let (near, addr) = socket();
        let fd = near.as_raw_fd();
        assert_eq!(format!("{near:?}"), format!("UdpSocket {{ addr: {addr}, fd: {fd} }}"));
    }

    fn a_socket_is_send_sync_unpin_and_unwind_safe() {
        fn check<T: Send + Sync + Unpin + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
        check::<UdpSocket>();
    }
}

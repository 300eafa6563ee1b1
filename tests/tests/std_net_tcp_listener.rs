//! `std::net::TcpListener`: binding, accepting, and who waits for it.

/// How long "a while" is where a thread must have begun to wait.
const A_WHILE: std::time::Duration = std::time::Duration::from_millis(50);

tests::on_each! {
    items {
        use std::io::{ErrorKind, Read, Write};
        use std::iter::FusedIterator;
        use std::net::{Incoming, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
        use std::net::{TcpListener, TcpStream};
        use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
        use std::sync::{Arc, mpsc};
        use std::thread;
        use std::time::Duration;

        use rustix::fs::{OFlags, fcntl_getfl};
        use rustix::io::{FdFlags, fcntl_getfd};

        use super::A_WHILE;

        fn listener() -> (TcpListener, SocketAddr) {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let addr = listener.local_addr().unwrap();
            (listener, addr)
        }

        fn is_blocking(fd: impl AsFd) -> bool {
            !fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK)
        }
    }

    fn port_zero_gives_a_port() {
        let (listener, addr) = listener();
        assert_eq!(addr.ip(), Ipv4Addr::LOCALHOST);
        assert_ne!(addr.port(), 0);
        assert!(listener.take_error().unwrap().is_none());
    }

    fn both_families_accept() {
        let mut addrs = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 0))];
        match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
            Ok(_) => addrs.push(SocketAddr::from((Ipv6Addr::LOCALHOST, 0))),
            Err(error) => println!("skipped: no IPv6 on this host ({error})"),
        }
        for addr in addrs {
            let listener = TcpListener::bind(addr).unwrap();
            let addr = listener.local_addr().unwrap();
            let client = thread::spawn(move || TcpStream::connect(addr).unwrap());
            let (stream, from) = listener.accept().unwrap();
            let client = client.join().unwrap();
            assert_eq!(from, client.local_addr().unwrap());
            assert_eq!(from, stream.peer_addr().unwrap());
            assert_eq!(stream.local_addr().unwrap(), addr);
        }
    }

    fn an_address_that_is_taken_is_in_use() {
        let (_listener, addr) = listener();
        assert_eq!(TcpListener::bind(addr).unwrap_err().kind(), ErrorKind::AddrInUse);
    }

    fn an_address_of_another_host_is_not_available() {
        let error = TcpListener::bind("192.0.2.1:0").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    }

    fn an_address_is_free_again_right_after_the_listener_is_gone() {
        let (first, addr) = listener();
        let client = TcpStream::connect(addr).unwrap();
        let accepted = first.accept().unwrap();
        drop((first, accepted, client));
        let second = TcpListener::bind(addr).unwrap();
        let _client = TcpStream::connect(addr).unwrap();
        second.accept().unwrap();
    }

    fn bind_tries_one_address_after_the_other() {
        let (_listener, taken) = listener();
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let second = TcpListener::bind(&[taken, free][..]).unwrap();
        assert_ne!(second.local_addr().unwrap(), taken);
    }

    fn bind_returns_the_error_of_the_last_address() {
        let (_listener, taken) = listener();
        let foreign = SocketAddr::from(([192, 0, 2, 1], 0));
        let error = TcpListener::bind(&[taken, foreign][..]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
        let error = TcpListener::bind(&[foreign, taken][..]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrInUse);
    }

    fn bind_to_no_address_is_invalid() {
        let nowhere: &[SocketAddr] = &[];
        let error = TcpListener::bind(nowhere).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), "could not resolve to any addresses");
        let debug = format!("{:?}", ::std::net::TcpListener::bind(nowhere).unwrap_err());
        assert_eq!(format!("{error:?}"), debug);
    }

    fn accept_waits_for_a_client() {
        let (listener, addr) = listener();
        for _ in 0..3 {
            let client = thread::spawn(move || {
                thread::sleep(A_WHILE);
                TcpStream::connect(addr).unwrap().write_all(b"x").unwrap();
            });
            let mut stream = listener.accept().unwrap().0;
            assert_eq!(stream.read(&mut [0; 8]).unwrap(), 1);
            client.join().unwrap();
        }
    }

    fn clients_are_accepted_in_the_order_they_came() {
        let (listener, addr) = listener();
        let clients: Vec<_> = (0..20).map(|_| TcpStream::connect(addr).unwrap()).collect();
        for client in clients {
            assert_eq!(listener.accept().unwrap().1, client.local_addr().unwrap());
        }
    }

    fn incoming_goes_on_for_ever() {
        fn is_fused(_: &impl FusedIterator) {}
        let (listener, addr) = listener();
        let client = thread::spawn(move || {
            for i in 0..10 {
                TcpStream::connect(addr).unwrap().write_all(&[i]).unwrap();
            }
        });
        let incoming: Incoming<'_> = listener.incoming();
        is_fused(&incoming);
        for (i, stream) in (0..10).zip(incoming) {
            let mut byte = [0; 1];
            stream.unwrap().read_exact(&mut byte).unwrap();
            assert_eq!(byte, [i]);
        }
        client.join().unwrap();
    }

    fn nonblocking_accept_says_would_block() {
        let (listener, addr) = listener();
        listener.set_nonblocking(true).unwrap();
        let error = listener.accept().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
        let error = listener.incoming().next().unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        let _client = TcpStream::connect(addr).unwrap();
        let accepted = loop {
            match listener.accept() {
                Ok((stream, _)) => break stream,
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        };
        drop(accepted);
        listener.set_nonblocking(false).unwrap();
        let client = thread::spawn(move || {
            thread::sleep(A_WHILE);
            TcpStream::connect(addr).unwrap()
        });
        listener.accept().unwrap();
        client.join().unwrap();
    }

    #[cfg(target_os = "linux")]
    fn an_accepted_stream_is_a_blocking_one_whatever_the_listener_is() {
        let (listener, addr) = listener();
        let _clients = [TcpStream::connect(addr).unwrap(), TcpStream::connect(addr).unwrap()];
        let first = listener.accept().unwrap().0;
        listener.set_nonblocking(true).unwrap();
        let second = listener.accept().unwrap().0;
        for stream in [first, second] {
            assert!(is_blocking(&stream));
            assert!(fcntl_getfd(&stream).unwrap().contains(FdFlags::CLOEXEC));
            assert_eq!(stream.read_timeout().unwrap(), None);
        }
    }

    fn clones_accept_from_one_queue() {
        let (listener, addr) = listener();
        let (accepted, report) = mpsc::channel();
        let acceptors: Vec<_> = (0..4)
            .map(|_| {
                let listener = listener.try_clone().unwrap();
                let accepted = accepted.clone();
                thread::spawn(move || {
                    // A client that says nothing ends its acceptor.
                    loop {
                        let (mut stream, _) = listener.accept().unwrap();
                        let mut number = String::new();
                        stream.read_to_string(&mut number).unwrap();
                        if number.is_empty() {
                            break;
                        }
                        accepted.send(number.parse::<u32>().unwrap()).unwrap();
                    }
                })
            })
            .collect();
        drop(accepted);
        thread::sleep(A_WHILE);
        for i in 0..100 {
            TcpStream::connect(addr).unwrap().write_all(format!("{i}").as_bytes()).unwrap();
        }
        for _ in 0..4 {
            TcpStream::connect(addr).unwrap();
        }
        for acceptor in acceptors {
            acceptor.join().unwrap();
        }
        let mut numbers: Vec<_> = report.iter().collect();
        numbers.sort_unstable();
        assert!(numbers.into_iter().eq(0..100));
    }

    fn many_threads_accept_on_one_descriptor() {
        let (listener, addr) = listener();
        let listener = Arc::new(listener);
        let acceptors: Vec<_> = (0..16)
            .map(|_| {
                let listener = listener.clone();
                thread::spawn(move || listener.accept().unwrap().1)
            })
            .collect();
        thread::sleep(A_WHILE);
        let clients: Vec<_> = (0..16).map(|_| TcpStream::connect(addr).unwrap()).collect();
        let mut accepted: Vec<_> =
            acceptors.into_iter().map(|acceptor| acceptor.join().unwrap()).collect();
        let mut connected: Vec<_> =
            clients.iter().map(|client| client.local_addr().unwrap()).collect();
        accepted.sort_unstable();
        connected.sort_unstable();
        assert_eq!(accepted, connected);
    }

    // On Linux a listener that is shut down wakes whoever waits at it.
    #[cfg(target_os = "linux")]
    fn shutdown_wakes_whoever_accepts() {
        let (listener, _) = listener();
        let listener = Arc::new(listener);
        let acceptors: Vec<_> = (0..3)
            .map(|_| {
                let listener = listener.clone();
                thread::spawn(move || listener.accept().unwrap_err().kind())
            })
            .collect();
        thread::sleep(A_WHILE);
        rustix::net::shutdown(&*listener, rustix::net::Shutdown::Both).unwrap();
        for acceptor in acceptors {
            assert_eq!(acceptor.join().unwrap(), ErrorKind::InvalidInput);
        }
    }

    fn a_listener_can_be_cloned_and_dropped_while_a_clone_accepts() {
        let (listener, addr) = listener();
        let clone = listener.try_clone().unwrap();
        let acceptor = thread::spawn(move || clone.accept().unwrap());
        thread::sleep(A_WHILE);
        drop(listener);
        let client = TcpStream::connect(addr).unwrap();
        assert_eq!(acceptor.join().unwrap().1, client.local_addr().unwrap());
    }

    fn a_connection_that_is_not_accepted_ends_with_the_listener() {
        let (listener, addr) = listener();
        let mut client = TcpStream::connect(addr).unwrap();
        drop(listener);
        match client.read(&mut [0; 8]) {
            Ok(n) => assert_eq!(n, 0),
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
        let error = TcpStream::connect(addr).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }

    fn a_client_that_is_gone_again_is_still_accepted() {
        let (listener, addr) = listener();
        let client = TcpStream::connect(addr).unwrap();
        let from = client.local_addr().unwrap();
        client.shutdown(Shutdown::Both).unwrap();
        drop(client);
        thread::sleep(Duration::from_millis(5));
        let (mut stream, accepted) = listener.accept().unwrap();
        assert_eq!(accepted, from);
        assert_eq!(stream.read(&mut [0; 8]).unwrap(), 0);
    }

    fn a_descriptor_that_goes_out_is_a_plain_blocking_one() {
        let (listener, addr) = listener();
        let client = thread::spawn(move || {
            thread::sleep(A_WHILE);
            TcpStream::connect(addr).unwrap()
        });
        listener.accept().unwrap();
        client.join().unwrap();
        let number = listener.as_raw_fd();
        // SAFETY: `into_raw_fd` gives the descriptor away.
        let fd = unsafe { OwnedFd::from_raw_fd(listener.into_raw_fd()) };
        assert_eq!(fd.as_raw_fd(), number);
        assert!(is_blocking(&fd));
        assert!(fcntl_getfd(&fd).unwrap().contains(FdFlags::CLOEXEC));

        let listener = TcpListener::from(fd);
        let _client = TcpStream::connect(addr).unwrap();
        listener.accept().unwrap();
        assert!(is_blocking(OwnedFd::from(listener)));
    }

    fn a_descriptor_that_is_lent_is_a_plain_blocking_one() {
        fn accept(listener: &TcpListener) {
            let addr = listener.local_addr().unwrap();
            let client = thread::spawn(move || {
                thread::sleep(A_WHILE);
                TcpStream::connect(addr).unwrap()
            });
            listener.accept().unwrap();
            client.join().unwrap();
        }
        let (alone, _) = listener();
        accept(&alone);
        assert!(is_blocking(alone.as_fd().try_clone_to_owned().unwrap()));
        accept(&alone);

        let (listener, _) = listener();
        let clone = listener.try_clone().unwrap();
        accept(&clone);
        let duplicate = listener.as_fd().try_clone_to_owned().unwrap();
        assert!(is_blocking(&duplicate));
        // The clone too leaves it alone from now on.
        accept(&clone);
        accept(&listener);
        assert!(is_blocking(&duplicate));
        clone.set_nonblocking(true).unwrap();
        assert!(!is_blocking(&duplicate));
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }

    fn a_descriptor_that_goes_out_leaves_its_clone_blocking() {
        let (listener, addr) = listener();
        let clone = listener.try_clone().unwrap();
        let _client = TcpStream::connect(addr).unwrap();
        clone.accept().unwrap();
        let fd = OwnedFd::from(listener);
        assert!(is_blocking(&fd));
        let _client = TcpStream::connect(addr).unwrap();
        clone.accept().unwrap();
        assert!(is_blocking(&fd));
    }

    fn a_descriptor_that_comes_in_keeps_its_flags() {
        let (listener, _) = listener();
        let fd = OwnedFd::from(listener);
        rustix::io::ioctl_fionbio(&fd, true).unwrap();
        let listener = TcpListener::from(fd);
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    }

    fn options_are_kept() {
        let (listener, _) = listener();
        listener.set_ttl(42).unwrap();
        assert_eq!(listener.ttl().unwrap(), 42);
        let Ok(listener) = TcpListener::bind("[::1]:0") else {
            return println!("skipped: no IPv6 on this host");
        };
        #[allow(deprecated, reason = "it is there all the same")]
        let (only, set) = (listener.only_v6(), listener.set_only_v6(true));
        only.unwrap();
        assert_eq!(set.unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    fn debug_names_the_address_and_the_descriptor() {
        let (listener, addr) = listener();
        let fd = listener.as_raw_fd();
        let name = format!("TcpListener {{ addr: {addr}, fd: {fd} }}");
        assert_eq!(format!("{listener:?}"), name);
        assert_eq!(format!("{:?}", listener.incoming()), format!("Incoming {{ listener: {name} }}"));
    }

    fn a_listener_is_send_sync_unpin_and_unwind_safe() {
        fn check<T: Send + Sync + Unpin + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
        check::<TcpListener>();
        check::<Incoming<'static>>();
    }
}

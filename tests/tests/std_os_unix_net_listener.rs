//! `std::os::unix::net::UnixListener`: binding, accepting, and who waits for it.
#![cfg(unix)]

mod std_os_unix_net_support;

use std_os_unix_net_support::SocketPath;

/// How long "a while" is where a thread must have begun to wait.
const A_WHILE: std::time::Duration = std::time::Duration::from_millis(50);

tests::on_each! {
    items {
        use std::io::{ErrorKind, Read, Write};
        use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
        use std::os::unix::net::{Incoming, SocketAddr, UnixListener, UnixStream};
        use std::sync::Arc;
        use std::thread;

        use rustix::fs::{OFlags, fcntl_getfl};
        use rustix::io::{FdFlags, fcntl_getfd};

        use super::{A_WHILE, SocketPath};

        fn listener() -> (UnixListener, SocketPath) {
            let path = SocketPath::new();
            (UnixListener::bind(&path).unwrap(), path)
        }

        fn is_blocking(fd: impl AsFd) -> bool {
            !fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK)
        }
    }

    fn it_listens_where_it_was_bound() {
        let (listener, path) = listener();
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(path.as_ref()));
        assert!(listener.take_error().unwrap().is_none());
        assert!(fcntl_getfd(&listener).unwrap().contains(FdFlags::CLOEXEC));
    }

    fn a_path_that_exists_is_in_use() {
        let (_listener, path) = listener();
        assert_eq!(UnixListener::bind(&path).unwrap_err().kind(), ErrorKind::AddrInUse);
        let addr = SocketAddr::from_pathname(&path).unwrap();
        assert_eq!(UnixListener::bind_addr(&addr).unwrap_err().kind(), ErrorKind::AddrInUse);
    }

    fn a_path_that_no_socket_has_is_invalid() {
        let error = UnixListener::bind("x".repeat(200)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), "path must be shorter than SUN_LEN");
    }

    fn accept_tells_the_name_of_the_client() {
        let (listener, path) = listener();
        let _nameless = UnixStream::connect(&path).unwrap();
        assert!(listener.accept().unwrap().1.is_unnamed());

        let name = SocketPath::new();
        let addr = rustix::net::SocketAddrUnix::new(name.as_ref()).unwrap();
        let family = rustix::net::AddressFamily::UNIX;
        let named = rustix::net::socket(family, rustix::net::SocketType::STREAM, None).unwrap();
        rustix::net::bind(&named, &addr).unwrap();
        let there = rustix::net::SocketAddrUnix::new(path.as_ref()).unwrap();
        rustix::net::connect(&named, &there).unwrap();
        let (stream, from) = listener.accept().unwrap();
        assert_eq!(from.as_pathname(), Some(name.as_ref()));
        assert_eq!(stream.peer_addr().unwrap().as_pathname(), Some(name.as_ref()));
    }

    fn accept_waits_for_a_client() {
        let (listener, path) = listener();
        let path = Arc::new(path);
        for _ in 0..3 {
            let path = path.clone();
            let client = thread::spawn(move || {
                thread::sleep(A_WHILE);
                UnixStream::connect(&*path).unwrap().write_all(b"x").unwrap();
            });
            let mut stream = listener.accept().unwrap().0;
            assert_eq!(stream.read(&mut [0; 8]).unwrap(), 1);
            client.join().unwrap();
        }
    }

    fn incoming_goes_on_for_ever() {
        let (listener, path) = listener();
        let client = thread::spawn(move || {
            for i in 0..10 {
                UnixStream::connect(&path).unwrap().write_all(&[i]).unwrap();
            }
        });
        assert_eq!(listener.incoming().size_hint(), (usize::MAX, None));
        for (i, stream) in (0..10).zip(&listener) {
            let mut byte = [0; 1];
            stream.unwrap().read_exact(&mut byte).unwrap();
            assert_eq!(byte, [i]);
        }
        client.join().unwrap();
    }

    fn nonblocking_accept_says_would_block() {
        let (listener, path) = listener();
        listener.set_nonblocking(true).unwrap();
        let error = listener.accept().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert_eq!(error.raw_os_error(), Some(libc::EAGAIN));
        let _client = UnixStream::connect(&path).unwrap();
        let stream = listener.accept().unwrap().0;
        #[cfg(target_os = "linux")]
        assert!(is_blocking(&stream));
        assert!(fcntl_getfd(&stream).unwrap().contains(FdFlags::CLOEXEC));
        listener.set_nonblocking(false).unwrap();
        let client = thread::spawn(move || {
            thread::sleep(A_WHILE);
            UnixStream::connect(&path).unwrap()
        });
        listener.accept().unwrap();
        client.join().unwrap();
    }

    fn many_threads_accept_on_one_descriptor_and_its_clone() {
        let (listener, path) = listener();
        let handles = [Arc::new(listener.try_clone().unwrap()), Arc::new(listener)];
        let acceptors: Vec<_> = (0..16)
            .map(|i| {
                let listener = handles[i % 2].clone();
                thread::spawn(move || {
                    let mut byte = [0; 1];
                    listener.accept().unwrap().0.read_exact(&mut byte).unwrap();
                    byte[0]
                })
            })
            .collect();
        drop(handles);
        thread::sleep(A_WHILE);
        for byte in 0..16 {
            UnixStream::connect(&path).unwrap().write_all(&[byte]).unwrap();
        }
        let mut bytes: Vec<_> =
            acceptors.into_iter().map(|acceptor| acceptor.join().unwrap()).collect();
        bytes.sort_unstable();
        assert!(bytes.into_iter().eq(0..16));
    }

    #[cfg(target_os = "linux")]
    fn shutdown_wakes_whoever_accepts() {
        let (listener, _path) = listener();
        let listener = Arc::new(listener);
        let waiting = listener.clone();
        let acceptor = thread::spawn(move || waiting.accept().unwrap_err().kind());
        thread::sleep(A_WHILE);
        rustix::net::shutdown(&*listener, rustix::net::Shutdown::Both).unwrap();
        assert_eq!(acceptor.join().unwrap(), ErrorKind::InvalidInput);
        assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    fn a_descriptor_that_goes_out_is_a_plain_blocking_one() {
        let (listener, path) = listener();
        let path = Arc::new(path);
        let there = path.clone();
        let client = thread::spawn(move || {
            thread::sleep(A_WHILE);
            UnixStream::connect(&*there).unwrap()
        });
        listener.accept().unwrap();
        client.join().unwrap();
        // SAFETY: `into_raw_fd` gives the descriptor away.
        let fd = unsafe { OwnedFd::from_raw_fd(listener.into_raw_fd()) };
        assert!(is_blocking(&fd));
        let listener = UnixListener::from(fd);
        let _client = UnixStream::connect(&*path).unwrap();
        listener.accept().unwrap();
        assert!(is_blocking(OwnedFd::from(listener)));
    }

    fn debug_names_the_descriptor_and_the_address() {
        let (listener, path) = listener();
        let owned = format!("FileDesc(OwnedFd {{ fd: {} }})", listener.as_raw_fd());
        let local = format!("{:?} (pathname)", path.as_ref());
        let name = format!("UnixListener {{ fd: {owned}, local: {local} }}");
        assert_eq!(format!("{listener:?}"), name);
        assert_eq!(format!("{:?}", listener.incoming()), format!("Incoming {{ listener: {name} }}"));
    }

    fn a_listener_is_send_sync_unpin_and_unwind_safe() {
        fn check<T: Send + Sync + Unpin + std::panic::UnwindSafe + std::panic::RefUnwindSafe>() {}
        check::<UnixListener>();
        check::<Incoming<'static>>();
    }
}

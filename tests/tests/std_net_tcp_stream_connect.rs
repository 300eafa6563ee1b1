//! `std::net::TcpStream`: connecting, to whom and for how long.

/// How long "a while" is where a thread must have begun to wait.
const A_WHILE: std::time::Duration = std::time::Duration::from_millis(50);

/// A listener on loopback that nobody accepts from and whose queue is full: to connect is to wait.
fn unanswering() -> (std::net::TcpListener, Vec<std::net::TcpStream>) {
    use std::net::{TcpListener, TcpStream};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&listener, 0).unwrap();
    let addr = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&addr, A_WHILE * 4) {
        queued.push(stream);
    }
    (listener, queued)
}

/// A port of loopback at which nobody listens.
fn refusing() -> std::net::SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

tests::on_each! {
    items {
        use std::io::{self, ErrorKind, Read, Write};
        use std::net::{SocketAddr, TcpListener, TcpStream};
        use std::os::fd::AsFd;
        use std::thread;
        use std::time::{Duration, Instant};

        use rustix::fs::{OFlags, fcntl_getfl};

        use super::{A_WHILE, refusing, unanswering};

        fn invalid_input<T: std::fmt::Debug>(result: io::Result<T>, message: &str) {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert_eq!(error.to_string(), message);
        }

        fn is_blocking(fd: impl AsFd) -> bool {
            !fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK)
        }
    }

    fn connect_is_refused_where_nobody_listens() {
        let addr = refusing();
        let error = TcpStream::connect(addr).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
        let error = TcpStream::connect_timeout(&addr, Duration::from_secs(30)).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
    }

    fn connect_tries_one_address_after_the_other() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let good = listener.local_addr().unwrap();
        let near = TcpStream::connect(&[refusing(), refusing(), good][..]).unwrap();
        assert_eq!(near.peer_addr().unwrap(), good);
    }

    fn connect_returns_the_error_of_the_last_address() {
        let broadcast = SocketAddr::from(([255, 255, 255, 255], 9));
        let error = TcpStream::connect(&[broadcast, refusing()][..]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        let error = TcpStream::connect(&[refusing(), broadcast][..]).unwrap_err();
        assert_ne!(error.kind(), ErrorKind::ConnectionRefused);
    }

    fn connect_to_no_address_is_invalid() {
        let nowhere: &[SocketAddr] = &[];
        let result = TcpStream::connect(nowhere);
        invalid_input(result, "could not resolve to any addresses");
    }

    fn connect_by_name_finds_the_listener() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let near = TcpStream::connect(("localhost", port)).unwrap();
        assert_eq!(near.peer_addr().unwrap().port(), port);
        TcpStream::connect(format!("localhost:{port}")).unwrap();
    }

    fn connect_within_its_timeout_gives_a_plain_stream() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        for timeout in [Duration::from_secs(30), Duration::MAX] {
            let mut near = TcpStream::connect_timeout(&addr, timeout).unwrap();
            assert!(is_blocking(&near));
            assert_eq!(near.read_timeout().unwrap(), None);
            let mut far = listener.accept().unwrap().0;
            far.write_all(b"x").unwrap();
            assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
        }
    }

    fn connect_with_no_time_is_invalid() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let result = TcpStream::connect_timeout(&listener.local_addr().unwrap(), Duration::ZERO);
        invalid_input(result, "cannot set a 0 duration timeout");
    }

    #[cfg(target_os = "linux")]
    fn connect_times_out() {
        let (listener, _queued) = unanswering();
        let addr = listener.local_addr().unwrap();
        let start = Instant::now();
        let error = TcpStream::connect_timeout(&addr, A_WHILE).unwrap_err();
        let waited = start.elapsed();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert_eq!(error.to_string(), "connection timed out");
        assert!(A_WHILE <= waited && waited < A_WHILE * 400, "{waited:?}");
    }

    // A connect that waits goes through once the listener has room.
    #[cfg(target_os = "linux")]
    fn connect_waits_for_room_at_the_listener() {
        let (listener, queued) = unanswering();
        let addr = listener.local_addr().unwrap();
        let connecting = thread::spawn(move || TcpStream::connect(addr).unwrap());
        thread::sleep(A_WHILE);
        for _ in 0..queued.len() {
            listener.accept().unwrap();
        }
        let near = connecting.join().unwrap();
        assert_eq!(near.peer_addr().unwrap(), addr);
        assert!(is_blocking(&near));
    }
}

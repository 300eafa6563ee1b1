//! `std::net::TcpStream`: what goes over a connection, and how that ends. What it has in common with a
//! Unix one is in `std_streams`.

/// How long "a while" is where a thread must have begun to wait.
const A_WHILE: std::time::Duration = std::time::Duration::from_millis(50);
/// More than the kernel buffers between two sockets of one host.
const MUCH: usize = 16 << 20;

/// The bytes of a transfer, so that a lost or doubled one shows.
fn pattern(len: usize) -> Vec<u8> {
    let mut bytes = (0..251).collect::<Vec<u8>>().repeat(len.div_ceil(251));
    bytes.truncate(len);
    bytes
}

tests::on_each! {
    items {
        use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
        use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
        use std::os::fd::AsRawFd;
        use std::thread;

        use tests::expect::{until_the_writer_waits, would_block};

        use super::{A_WHILE, MUCH, pattern};

        fn pair_at(addr: impl Into<SocketAddr>) -> (TcpStream, TcpStream) {
            let listener = TcpListener::bind(addr.into()).unwrap();
            let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (far, from) = listener.accept().unwrap();
            assert_eq!(from, near.local_addr().unwrap());
            (near, far)
        }

        fn pair() -> (TcpStream, TcpStream) {
            pair_at((Ipv4Addr::LOCALHOST, 0))
        }

        fn pairs() -> Vec<(TcpStream, TcpStream)> {
            let mut pairs = vec![pair()];
            match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
                Ok(_) => pairs.push(pair_at((Ipv6Addr::LOCALHOST, 0))),
                Err(error) => println!("skipped: no IPv6 on this host ({error})"),
            }
            pairs
        }

        /// Makes the peer of `far` see a reset: `far` closes without having read what came.
        fn reset(near: &mut TcpStream, far: TcpStream) {
            near.write_all(b"unread").unwrap();
            while far.peek(&mut [0; 6]).unwrap() < 6 {}
            drop(far);
        }
    }

    fn both_families_carry_bytes() {
        for (mut near, mut far) in pairs() {
            let echo = thread::spawn(move || io::copy(&mut &far.try_clone().unwrap(), &mut far));
            near.write_all(&pattern(100_000)).unwrap();
            near.shutdown(Shutdown::Write).unwrap();
            let mut received = Vec::new();
            near.read_to_end(&mut received).unwrap();
            assert!(received == pattern(100_000));
            assert_eq!(echo.join().unwrap().unwrap(), 100_000);
        }
    }

    fn both_ends_know_both_addresses() {
        for (near, far) in pairs() {
            assert_eq!(near.local_addr().unwrap(), far.peer_addr().unwrap());
            assert_eq!(near.peer_addr().unwrap(), far.local_addr().unwrap());
        }
    }

    fn a_scope_that_means_nothing_at_an_address_is_dropped() {
        let addr = std::net::SocketAddrV6::new(Ipv6Addr::LOCALHOST, 0, 7, 1);
        let Ok(listener) = TcpListener::bind(addr) else {
            return println!("skipped: no IPv6 on this host");
        };
        let SocketAddr::V6(mut bound) = listener.local_addr().unwrap() else { panic!() };
        assert_eq!((bound.scope_id(), bound.flowinfo()), (0, 0));
        bound.set_scope_id(1);
        let near = TcpStream::connect(bound).unwrap();
        let (_, SocketAddr::V6(from)) = listener.accept().unwrap() else { panic!() };
        assert_eq!((from.scope_id(), from.flowinfo()), (0, 0));
        assert_eq!(near.local_addr().unwrap(), SocketAddr::V6(from));
    }

    fn the_end_is_read_again_and_again() {
        let (mut near, far) = pair();
        drop(far);
        for _ in 0..3 {
            assert_eq!(near.read(&mut [0; 8]).unwrap(), 0);
            assert_eq!(near.peek(&mut [0; 8]).unwrap(), 0);
        }
    }

    fn shutdown_without_a_peer_is_not_connected() {
        let (near, far) = pair();
        drop(far);
        near.shutdown(Shutdown::Both).unwrap();
        let again = near.shutdown(Shutdown::Both);
        assert_eq!(again.unwrap_err().kind(), ErrorKind::NotConnected);
    }

    fn a_reset_is_read_once_and_then_the_end() {
        let (mut near, far) = pair();
        reset(&mut near, far);
        thread::sleep(A_WHILE);
        let error = near.read(&mut [0; 8]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(near.read(&mut [0; 8]).unwrap(), 0);
        assert_eq!(near.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    }

    fn a_reset_wakes_a_reader_that_waits() {
        let (mut near, far) = pair();
        let mut waiting = near.try_clone().unwrap();
        let reader = thread::spawn(move || waiting.read(&mut [0; 8]).unwrap_err().kind());
        thread::sleep(A_WHILE);
        reset(&mut near, far);
        assert_eq!(reader.join().unwrap(), ErrorKind::ConnectionReset);
    }

    fn a_reset_is_written_to_once_and_then_a_broken_pipe() {
        let (mut near, far) = pair();
        reset(&mut near, far);
        // It may still be on its way.
        let first = std::iter::repeat_with(|| near.write(b"x")).find_map(Result::err).unwrap();
        assert_eq!(first.kind(), ErrorKind::ConnectionReset);
        assert_eq!(near.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
    }

    // A write of more than fits is interrupted by a reset: it reports what went out, and leaves
    // the reset for the next call.
    fn a_reset_during_a_write_is_reported_by_the_next_call() {
        let (mut near, far) = pair();
        let writer = thread::spawn(move || {
            let all = vec![0; 4 * MUCH];
            let part = near.write(&all).unwrap();
            assert!(0 < part && part < all.len());
            assert_eq!(near.write(&all).unwrap_err().kind(), ErrorKind::ConnectionReset);
            assert_eq!(near.write(&all).unwrap_err().kind(), ErrorKind::BrokenPipe);
        });
        until_the_writer_waits(&far);
        drop(far);
        writer.join().unwrap();
    }

    fn a_read_into_no_bytes_takes_nothing() {
        let (mut near, mut far) = pair();
        far.write_all(b"x").unwrap();
        assert_eq!(near.peek(&mut [0; 8]).unwrap(), 1);
        assert_eq!(near.read(&mut []).unwrap(), 0);
        assert_eq!(near.peek(&mut []).unwrap(), 0);
        assert_eq!(near.read_vectored(&mut []).unwrap(), 0);
        assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
    }

    // Linux waits for data to say that none of it was asked for; a vectored read does not.
    #[cfg(target_os = "linux")]
    fn a_read_into_no_bytes_waits_for_data_unless_it_is_vectored() {
        let (mut near, mut far) = pair();
        near.set_nonblocking(true).unwrap();
        would_block(near.read(&mut []));
        near.set_nonblocking(false).unwrap();
        assert_eq!(near.read_vectored(&mut [IoSliceMut::new(&mut [])]).unwrap(), 0);
        let reader = thread::spawn(move || near.read(&mut []).unwrap());
        thread::sleep(A_WHILE);
        assert!(!reader.is_finished());
        far.write_all(b"x").unwrap();
        assert_eq!(reader.join().unwrap(), 0);
    }

    fn a_vectored_read_takes_1024_buffers_at_most() {
        let (mut near, mut far) = pair();
        far.write_all(&pattern(1500)).unwrap();
        while near.peek(&mut [0; 1500]).unwrap() < 1500 {}
        let mut bytes = [0; 1500];
        let mut bufs: Vec<_> = bytes.chunks_mut(1).map(IoSliceMut::new).collect();
        assert_eq!(near.read_vectored(&mut bufs).unwrap(), 1024);
        assert_eq!(bytes[..1024], pattern(1024));
        assert_eq!(near.read(&mut [0; 1500]).unwrap(), 476);
    }

    fn vectored_reads_fill_one_buffer_after_the_other() {
        let (mut near, mut far) = pair();
        let three = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cdefg")];
        assert_eq!(far.write_vectored(&three).unwrap(), 7);
        while near.peek(&mut [0; 8]).unwrap() < 7 {}
        let (mut a, mut b, mut c) = ([0; 3], [0; 3], [0; 3]);
        let mut bufs = [&mut a, &mut b, &mut c].map(|buf| IoSliceMut::new(buf));
        assert_eq!(near.read_vectored(&mut bufs).unwrap(), 7);
        assert_eq!((&a, &b, &c), (b"abc", b"def", b"g\0\0"));
    }

    fn peek_leaves_the_bytes() {
        let (mut near, mut far) = pair();
        let late = thread::spawn(move || {
            thread::sleep(A_WHILE);
            far.write_all(b"abcd").unwrap();
            far
        });
        let mut buf = [0; 2];
        assert_eq!(near.peek(&mut buf).unwrap(), 2);
        let mut far = late.join().unwrap();
        for _ in 0..3 {
            let mut buf = [0; 8];
            assert_eq!(near.peek(&mut buf).unwrap(), 4);
            assert_eq!(&buf[..4], b"abcd");
        }
        let mut buf = [0; 8];
        assert_eq!(near.read(&mut buf).unwrap(), 4);
        near.set_nonblocking(true).unwrap();
        would_block(near.peek(&mut buf));
        near.set_nonblocking(false).unwrap();
        far.write_all(b"e").unwrap();
        assert_eq!(near.peek(&mut buf).unwrap(), 1);
        assert_eq!(near.read(&mut buf).unwrap(), 1);
        near.set_read_timeout(Some(A_WHILE)).unwrap();
        would_block(near.peek(&mut buf));
    }

    fn options_are_kept() {
        let (near, _far) = pair();
        assert!(!near.nodelay().unwrap());
        near.set_nodelay(true).unwrap();
        assert!(near.nodelay().unwrap());
        near.set_ttl(99).unwrap();
        assert_eq!(near.ttl().unwrap(), 99);
        assert!(near.take_error().unwrap().is_none());
    }

    #[cfg(target_os = "linux")]
    fn quickack_is_kept() {
        use std::os::linux::net::TcpStreamExt;
        let (near, _far) = pair();
        near.set_quickack(false).unwrap();
        assert!(!near.quickack().unwrap());
        near.set_quickack(true).unwrap();
        assert!(near.quickack().unwrap());
    }

    fn debug_names_both_addresses_and_the_descriptor() {
        let (near, _far) = pair();
        let (addr, peer) = (near.local_addr().unwrap(), near.peer_addr().unwrap());
        let fd = near.as_raw_fd();
        assert_eq!(
            format!("{near:?}"),
            format!("TcpStream {{ addr: {addr}, peer: {peer}, fd: {fd} }}")
        );
    }
}

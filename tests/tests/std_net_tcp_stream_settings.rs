//! `std::net::TcpStream`: blocking or not, timeouts, options, and the handles that share them.

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
        use std::net::{TcpListener, TcpStream};
        use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
        use std::sync::Arc;
        use std::thread;
        use std::time::{Duration, Instant};

        use rustix::fs::{OFlags, fcntl_getfl};
        use rustix::io::{FdFlags, fcntl_getfd, ioctl_fionbio};
        use rustix::net::sockopt::{Timeout, set_socket_timeout};

        use super::{A_WHILE, MUCH, pattern};

        fn pair() -> (TcpStream, TcpStream) {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (near, listener.accept().unwrap().0)
        }

        /// Writes, though the peer does not read, until that is an error.
        fn write_until_error(mut near: &TcpStream) -> io::Result<()> {
            loop {
                near.write_all(&[0; 1 << 16])?;
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

    fn a_nonblocking_read_says_would_block() {
        let (mut near, mut far) = pair();
        near.set_nonblocking(true).unwrap();
        would_block(near.read(&mut [0; 8]));
        would_block(near.peek(&mut [0; 8]));
        would_block(near.read_vectored(&mut [IoSliceMut::new(&mut [0; 8])]));
        far.write_all(b"x").unwrap();
        thread::sleep(A_WHILE);
        assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
        would_block(near.read(&mut [0; 8]));
        near.set_nonblocking(false).unwrap();
        let late = thread::spawn(move || {
            thread::sleep(A_WHILE);
            far.write_all(b"y").unwrap();
        });
        assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
        late.join().unwrap();
    }

    fn a_nonblocking_write_takes_a_part_and_then_says_would_block() {
        let (mut near, mut far) = pair();
        near.set_nonblocking(true).unwrap();
        let part = near.write(&pattern(MUCH)).unwrap();
        assert!(0 < part && part < MUCH);
        would_block(write_until_error(&near));
        let chunk = [IoSlice::new(&[0; 1 << 16])];
        would_block((0..).try_for_each(|_| near.write_vectored(&chunk).map(drop)));
        let mut received = vec![0; part];
        far.read_exact(&mut received).unwrap();
        assert!(received == pattern(part));
    }

    fn timeouts_are_none_until_set() {
        let (near, _far) = pair();
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
        let (near, _far) = pair();
        let message = "cannot set a 0 duration timeout";
        invalid_input(near.set_read_timeout(Some(Duration::ZERO)), message);
        invalid_input(near.set_write_timeout(Some(Duration::ZERO)), message);
        assert_eq!(near.read_timeout().unwrap(), None);
    }

    fn the_shortest_and_the_longest_timeout_can_be_set() {
        let (mut near, mut far) = pair();
        near.set_read_timeout(Some(Duration::from_nanos(1))).unwrap();
        assert!(near.read_timeout().unwrap().is_some_and(|timeout| timeout < A_WHILE));
        would_block(near.read(&mut [0; 8]));
        near.set_read_timeout(Some(Duration::MAX)).unwrap();
        near.set_write_timeout(Some(Duration::MAX)).unwrap();
        far.write_all(b"x").unwrap();
        assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
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
        would_block(near.peek(&mut [0; 8]));
        would_block(near.read_vectored(&mut [IoSliceMut::new(&mut [0; 8])]));
        far.write_all(b"x").unwrap();
        assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
    }

    fn a_read_within_its_timeout_brings_the_data() {
        let (mut near, mut far) = pair();
        near.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let late = thread::spawn(move || {
            thread::sleep(A_WHILE);
            far.write_all(b"x").unwrap();
        });
        assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
        late.join().unwrap();
    }

    fn a_write_that_times_out_returns_its_part_or_would_block() {
        let (mut near, _far) = pair();
        near.set_write_timeout(Some(A_WHILE)).unwrap();
        let part = near.write(&vec![0; 4 * MUCH]).unwrap();
        assert!(0 < part && part < 4 * MUCH);
        let start = Instant::now();
        would_block(write_until_error(&near));
        assert!(start.elapsed() > A_WHILE / 2);
        let chunk = [IoSlice::new(&[0; 1 << 16])];
        would_block((0..).try_for_each(|_| near.write_vectored(&chunk).map(drop)));
    }

    fn a_clone_is_the_same_connection() {
        let (near, mut far) = pair();
        let mut clone = near.try_clone().unwrap();
        assert_ne!(clone.as_raw_fd(), near.as_raw_fd());
        assert_eq!(clone.peer_addr().unwrap(), near.peer_addr().unwrap());
        drop(near);
        clone.write_all(b"still open").unwrap();
        let mut buf = [0; 10];
        far.read_exact(&mut buf).unwrap();
        drop(clone);
        assert_eq!(far.read(&mut buf).unwrap(), 0);
    }

    fn clones_share_timeouts_and_the_blocking_mode() {
        let (mut near, _far) = pair();
        let mut clone = near.try_clone().unwrap();
        near.set_read_timeout(Some(A_WHILE)).unwrap();
        assert_eq!(clone.read_timeout().unwrap(), near.read_timeout().unwrap());
        would_block(clone.read(&mut [0; 8]));
        clone.set_read_timeout(None).unwrap();
        assert_eq!(near.read_timeout().unwrap(), None);
        near.set_nonblocking(true).unwrap();
        would_block(clone.read(&mut [0; 8]));
        clone.set_nonblocking(false).unwrap();
        clone.set_read_timeout(Some(A_WHILE)).unwrap();
        let start = Instant::now();
        would_block(near.read(&mut [0; 8]));
        assert!(start.elapsed() > A_WHILE / 2);
    }

    fn what_is_set_by_the_descriptor_counts() {
        let (near, _far) = pair();
        let would_block = |mut stream: &TcpStream| {
            let error = stream.read(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::WouldBlock);
        };
        for _ in 0..2 {
            ioctl_fionbio(&near, true).unwrap();
            would_block(&near);
            ioctl_fionbio(&near, false).unwrap();
            let start = Instant::now();
            set_socket_timeout(&near, Timeout::Recv, Some(A_WHILE)).unwrap();
            would_block(&near);
            assert!(start.elapsed() >= A_WHILE);
        }
        let clone = near.try_clone().unwrap();
        would_block(&clone);
        ioctl_fionbio(&near, true).unwrap();
        let start = Instant::now();
        would_block(&clone);
        assert!(start.elapsed() < A_WHILE);
    }

    fn a_clone_of_a_nonblocking_stream_is_nonblocking() {
        let (near, _far) = pair();
        near.set_nonblocking(true).unwrap();
        let clone = near.try_clone().unwrap();
        would_block((&clone).read(&mut [0; 8]));
        drop(near);
        would_block((&clone).read(&mut [0; 8]));
    }

    fn a_stream_can_be_cloned_while_it_is_read() {
        let (near, mut far) = pair();
        let near = Arc::new(near);
        let reading = near.clone();
        let reader = thread::spawn(move || (&*reading).read(&mut [0; 8]).unwrap());
        thread::sleep(A_WHILE);
        let clone = near.try_clone().unwrap();
        drop(clone);
        far.write_all(b"x").unwrap();
        assert_eq!(reader.join().unwrap(), 1);
    }

    fn readers_on_clones_share_the_bytes() {
        let (near, mut far) = pair();
        let readers: Vec<_> = (0..8)
            .map(|_| {
                let mut clone = near.try_clone().unwrap();
                thread::spawn(move || {
                    let mut byte = [0; 1];
                    clone.read_exact(&mut byte).unwrap();
                    byte[0]
                })
            })
            .collect();
        thread::sleep(A_WHILE);
        for byte in 0..8 {
            far.write_all(&[byte]).unwrap();
            thread::sleep(Duration::from_millis(1));
        }
        let mut bytes: Vec<_> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
        bytes.sort_unstable();
        assert_eq!(bytes, [0, 1, 2, 3, 4, 5, 6, 7]);
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

    fn one_descriptor_is_read_and_written_at_once() {
        let (near, far) = pair();
        let reading = near.try_clone().unwrap();
        let reader = thread::spawn(move || {
            let mut received = vec![0; MUCH];
            (&reading).read_exact(&mut received).unwrap();
            received
        });
        let echoing = far.try_clone().unwrap();
        let echo = thread::spawn(move || {
            let mut received = vec![0; MUCH];
            (&echoing).read_exact(&mut received).unwrap();
            (&far).write_all(&received).unwrap();
        });
        thread::sleep(A_WHILE);
        (&near).write_all(&pattern(MUCH)).unwrap();
        echo.join().unwrap();
        assert!(reader.join().unwrap() == pattern(MUCH));
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
        let number = near.as_raw_fd();
        let fd = near.into_raw_fd();
        assert_eq!(fd, number);
        // SAFETY: `into_raw_fd` gave the descriptor away.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        assert!(is_blocking(&fd));
        let mut buf = [0; 8];
        assert_eq!(rustix::io::read(&fd, &mut buf).unwrap(), 2);

        let mut near = TcpStream::from(fd);
        far.write_all(b"d").unwrap();
        assert_eq!(near.read(&mut buf).unwrap(), 1);
        assert!(is_blocking(OwnedFd::from(near)));
        assert_eq!(far.read(&mut buf).unwrap(), 0);
    }

    fn a_descriptor_that_comes_in_keeps_its_flags() {
        let (near, mut far) = pair();
        let fd = OwnedFd::from(near);
        rustix::io::ioctl_fionbio(&fd, true).unwrap();
        let mut near = TcpStream::from(fd);
        would_block(near.read(&mut [0; 8]));
        near.set_nonblocking(false).unwrap();
        near.set_read_timeout(Some(A_WHILE)).unwrap();
        // SAFETY: `into_raw_fd` gave the descriptor away.
        let mut near = unsafe { TcpStream::from_raw_fd(near.into_raw_fd()) };
        assert!(near.read_timeout().unwrap().is_some());
        would_block(near.read(&mut [0; 8]));
        far.write_all(b"x").unwrap();
        assert_eq!(near.read(&mut [0; 8]).unwrap(), 1);
    }

    fn a_number_used_again_is_another_connection() {
        for _ in 0..50 {
            let (mut near, mut far) = pair();
            near.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
            would_block(near.read(&mut [0; 8]));
            far.write_all(b"stale").unwrap();
            drop((near, far));
            let (mut near, mut far) = pair();
            let late = thread::spawn(move || {
                thread::sleep(Duration::from_millis(2));
                far.write_all(b"x").unwrap();
            });
            let mut buf = [0; 8];
            assert_eq!(near.read(&mut buf).unwrap(), 1);
            assert_eq!(buf[0], b'x');
            late.join().unwrap();
        }
    }

    fn descriptors_are_closed_on_exec() {
        let (near, far) = pair();
        let clone = near.try_clone().unwrap();
        for fd in [near.as_fd(), far.as_fd(), clone.as_fd()] {
            assert!(fcntl_getfd(fd).unwrap().contains(FdFlags::CLOEXEC));
            assert!(is_blocking(fd));
        }
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

//! `std::net::TcpStream` and `std::os::unix::net::UnixStream`: what connections of either kind do.
#![cfg(unix)]

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

/// The facts, of what `Stream` and `pair` are.
macro_rules! facts {
    ($($kind:item)*) => {
        tests::on_each! {
            items {
                use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};
                use std::net::Shutdown;
                use std::os::fd::{AsFd, AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
                use std::sync::Arc;
                use std::thread;
                use std::time::{Duration, Instant};

                use rustix::fs::{OFlags, fcntl_getfl};
                use rustix::io::{FdFlags, fcntl_getfd, ioctl_fionbio};
                use rustix::net::sockopt::{Timeout, set_socket_timeout};
                use tests::counts::eventually;
                use tests::expect::{invalid_input, two_parts, would_block};

                use crate::{A_WHILE, MUCH, pattern};

                $($kind)*

                /// Writes, though the peer does not read, until that is an error.
                fn write_until_error(mut near: &Stream) -> io::Result<()> {
                    loop {
                        near.write_all(&[0; 1 << 16])?;
                    }
                }

                /// A read that waits and finds nothing: from then on the event loop watches the stream.
                #[cfg(target_os = "linux")]
                fn read_in_vain(near: &mut Stream) {
                    near.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
                    would_block(near.read(&mut [0]));
                    near.set_read_timeout(None).unwrap();
                }

                /// Sends an urgent byte; `false` if this kernel has none on Unix sockets.
                #[cfg(target_os = "linux")]
                fn send_urgent(far: &Stream) -> bool {
                    use rustix::io::Errno;
                    use rustix::net::{AddressFamily, SendFlags, send, sockopt};
                    let is_unix = sockopt::socket_domain(far).unwrap() == AddressFamily::UNIX;
                    match send(far, b"!", SendFlags::OOB) {
                        Err(Errno::OPNOTSUPP) if is_unix => {
                            println!("skipped: this kernel has no urgent data on Unix sockets");
                            false
                        }
                        sent => {
                            assert_eq!(sent.unwrap(), 1);
                            true
                        }
                    }
                }

                fn is_blocking(fd: impl AsFd) -> bool {
                    !fcntl_getfl(fd).unwrap().contains(OFlags::NONBLOCK)
                }
            }

            fn bytes_arrive_both_ways_in_order() {
                let (mut near, mut far) = pair();
                let sent = pattern(300_000);
                let expected = sent.clone();
                let echo = thread::spawn(move || {
                    let mut buf = [0; 1000];
                    loop {
                        match far.read(&mut buf).unwrap() {
                            0 => break,
                            n => far.write_all(&buf[..n]).unwrap(),
                        }
                    }
                });
                let mut writer = near.try_clone().unwrap();
                let write = thread::spawn(move || {
                    writer.write_all(&sent).unwrap();
                    writer.shutdown(Shutdown::Write).unwrap();
                });
                let mut received = Vec::new();
                near.read_to_end(&mut received).unwrap();
                write.join().unwrap();
                echo.join().unwrap();
                assert!(received == expected);
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

            fn a_shared_reference_reads_and_writes() {
                let (near, far) = pair();
                (&near).write_all(b"by reference").unwrap();
                let mut buf = [0; 12];
                (&far).read_exact(&mut buf).unwrap();
                (&near).flush().unwrap();
                assert_eq!(&buf, b"by reference");
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

            fn the_end_right_behind_the_data_is_seen() {
                for _ in 0..20 {
                    let (mut near, mut far) = pair();
                    let reader = thread::spawn(move || {
                        let mut buf = [0; 64];
                        let mut lens = Vec::new();
                        loop {
                            lens.push(near.read(&mut buf).unwrap());
                            if lens.last() == Some(&0) {
                                return lens;
                            }
                        }
                    });
                    far.write_all(b"abc").unwrap();
                    drop(far);
                    assert_eq!(reader.join().unwrap(), [3, 0]);
                }
            }

            fn the_end_that_came_before_the_first_read_is_seen() {
                let (mut near, mut far) = pair();
                near.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
                would_block(near.read(&mut [0; 64]));
                near.set_read_timeout(None).unwrap();
                far.write_all(b"abc").unwrap();
                drop(far);
                thread::sleep(A_WHILE);
                assert_eq!(near.read(&mut [0; 64]).unwrap(), 3);
                assert_eq!(near.read(&mut [0; 64]).unwrap(), 0);
            }

            fn the_end_wakes_a_reader_that_waits() {
                let (mut near, far) = pair();
                let reader = thread::spawn(move || near.read(&mut [0; 8]).unwrap());
                thread::sleep(A_WHILE);
                drop(far);
                assert_eq!(reader.join().unwrap(), 0);
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

            fn writing_is_over_after_shutdown_of_writing() {
                let (mut near, _far) = pair();
                near.shutdown(Shutdown::Write).unwrap();
                assert_eq!(near.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
                let vectored = near.write_vectored(&[IoSlice::new(b"x")]);
                assert_eq!(vectored.unwrap_err().kind(), ErrorKind::BrokenPipe);
            }

            fn reading_is_over_after_shutdown_of_reading() {
                let (mut near, _far) = pair();
                near.shutdown(Shutdown::Read).unwrap();
                assert_eq!(near.read(&mut [0; 8]).unwrap(), 0);
                near.write_all(b"x").unwrap();
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

            fn shutdown_wakes_a_writer_that_waits() {
                for how in [Shutdown::Write, Shutdown::Both] {
                    for cloned in [true, false] {
                        let (near, _far) = pair();
                        let near = Arc::new(near);
                        let waiting =
                            if cloned { Arc::new(near.try_clone().unwrap()) } else { near.clone() };
                        let writer =
                            thread::spawn(move || write_until_error(&waiting).unwrap_err().kind());
                        thread::sleep(A_WHILE * 2);
                        near.shutdown(how).unwrap();
                        assert_eq!(writer.join().unwrap(), ErrorKind::BrokenPipe);
                    }
                }
            }

            fn a_write_of_no_bytes_returns_at_once() {
                let (mut near, _far) = pair();
                assert_eq!(near.write(&[]).unwrap(), 0);
                assert_eq!(near.write_vectored(&[]).unwrap(), 0);
                assert_eq!(near.write_vectored(&[IoSlice::new(&[])]).unwrap(), 0);
                near.set_write_timeout(Some(A_WHILE)).unwrap();
                would_block(write_until_error(&near));
                near.set_write_timeout(None).unwrap();
                assert_eq!(near.write(&[]).unwrap(), 0);
                assert_eq!(near.write_vectored(&[IoSlice::new(&[])]).unwrap(), 0);
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
                let sent = pattern(MUCH);
                let expected = sent.clone();
                let writer = thread::spawn(move || {
                    let (large, small) = sent.split_at(MUCH - 300_000);
                    let mut bufs = vec![IoSlice::new(&[]), IoSlice::new(large), IoSlice::new(&[])];
                    bufs.extend(small.chunks(1000).map(IoSlice::new));
                    near.write_vectored(&bufs).unwrap()
                });
                thread::sleep(A_WHILE);
                let mut received = Vec::new();
                far.read_to_end(&mut received).unwrap();
                assert_eq!(writer.join().unwrap(), MUCH);
                assert!(received == expected);
            }

            fn a_vectored_write_takes_1024_buffers_at_most() {
                let (mut near, mut far) = pair();
                let bytes = pattern(1500);
                let bufs: Vec<_> = bytes.chunks(1).map(IoSlice::new).collect();
                assert_eq!(near.write_vectored(&bufs).unwrap(), 1024);
                let mut received = [0; 1024];
                far.read_exact(&mut received).unwrap();
                assert_eq!(received, bytes[..1024]);
            }

            fn a_nonblocking_read_says_would_block() {
                let (mut near, mut far) = pair();
                near.set_nonblocking(true).unwrap();
                would_block(near.read(&mut [0; 8]));
                would_block(near.read_vectored(&mut [IoSliceMut::new(&mut [0; 8])]));
                far.write_all(b"x").unwrap();
                eventually("it is there", || near.read(&mut [0; 8]).is_ok_and(|n| n == 1));
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
                    assert!(A_WHILE / 2 < waited && waited < A_WHILE * 400, "{waited:?}");
                }
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
                let bytes = readers.into_iter().map(|reader| reader.join().unwrap());
                let mut bytes: Vec<_> = bytes.collect();
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

            fn what_is_set_by_the_descriptor_counts() {
                let (near, _far) = pair();
                for _ in 0..2 {
                    ioctl_fionbio(&near, true).unwrap();
                    would_block((&near).read(&mut [0]));
                    ioctl_fionbio(&near, false).unwrap();
                    let start = Instant::now();
                    set_socket_timeout(&near, Timeout::Recv, Some(A_WHILE)).unwrap();
                    would_block((&near).read(&mut [0]));
                    assert!(start.elapsed() > A_WHILE / 2);
                    set_socket_timeout(&near, Timeout::Recv, None).unwrap();
                }
                let clone = near.try_clone().unwrap();
                ioctl_fionbio(&near, true).unwrap();
                would_block((&clone).read(&mut [0]));
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

                let mut near = Stream::from(fd);
                far.write_all(b"d").unwrap();
                assert_eq!(near.read(&mut buf).unwrap(), 1);
                assert!(is_blocking(OwnedFd::from(near)));
                assert_eq!(far.read(&mut buf).unwrap(), 0);
            }

            fn a_descriptor_that_comes_in_keeps_its_flags() {
                let (near, mut far) = pair();
                let fd = OwnedFd::from(near);
                ioctl_fionbio(&fd, true).unwrap();
                let mut near = Stream::from(fd);
                would_block(near.read(&mut [0; 8]));
                near.set_nonblocking(false).unwrap();
                near.set_read_timeout(Some(A_WHILE)).unwrap();
                // SAFETY: `into_raw_fd` gave the descriptor away.
                let mut near = unsafe { Stream::from_raw_fd(near.into_raw_fd()) };
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

            // Urgent data splits the stream: a read stops in front of it, with more behind.
            #[cfg(target_os = "linux")]
            fn urgent_data_does_not_hide_what_follows_it() {
                let (mut near, mut far) = pair();
                let mut buf = [0; 4096];
                read_in_vain(&mut near);
                for room in [4096, 64, 4096] {
                    far.write_all(b"abc").unwrap();
                    if !send_urgent(&far) {
                        return;
                    }
                    far.write_all(b"defg").unwrap();
                    thread::sleep(A_WHILE);
                    two_parts(&mut near, &mut buf[..room]);
                }
            }

            // Nor when the program has taken it before.
            #[cfg(target_os = "linux")]
            fn urgent_data_that_was_taken_does_not_hide_what_follows_it() {
                use rustix::net::{RecvFlags, recv};
                let (mut near, mut far) = pair();
                let mut buf = [0; 4096];
                read_in_vain(&mut near);
                for room in [4096, 64, 4096] {
                    far.write_all(b"abc").unwrap();
                    if !send_urgent(&far) {
                        return;
                    }
                    // Until the event loop has heard of it, too.
                    thread::sleep(A_WHILE);
                    let mut take = || recv(&near, &mut buf[..1], RecvFlags::OOB);
                    eventually("it is there", || take().is_ok_and(|taken| taken.1 == 1));
                    far.write_all(b"defg").unwrap();
                    thread::sleep(A_WHILE);
                    two_parts(&mut near, &mut buf[..room]);
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

            fn a_stream_is_send_sync_unpin_and_unwind_safe() {
                use std::panic::{RefUnwindSafe, UnwindSafe};
                fn check<T: Send + Sync + Unpin + UnwindSafe + RefUnwindSafe>() {}
                check::<Stream>();
            }

            fn a_stream_is_as_large_as_its_descriptor() {
                assert_eq!(size_of::<Stream>(), size_of::<OwnedFd>());
                assert_eq!(size_of::<Option<Stream>>(), size_of::<OwnedFd>());
            }
        }
    };
}

mod tcp {
    facts! {
        use std::net::{TcpListener, TcpStream as Stream};

        fn pair() -> (Stream, Stream) {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let near = Stream::connect(listener.local_addr().unwrap()).unwrap();
            (near, listener.accept().unwrap().0)
        }
    }
}

mod unix {
    facts! {
        use std::os::unix::net::UnixStream as Stream;

        fn pair() -> (Stream, Stream) {
            Stream::pair().unwrap()
        }
    }
}

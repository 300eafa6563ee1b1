//! Stress: sockets that come and go, time out, are shared, closed and numbered anew all at once.
//!
//! As in `stress_threads`: seeded, for `SYLVAN_STRESS_SECONDS`, and every byte is accounted for.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::time::{Duration, Instant};

use rustix::net::sockopt::set_socket_linger;
use std_shim::io::pipe;
use std_shim::net::{TcpListener, TcpStream, UdpSocket};
use std_shim::os::unix::net::{UnixDatagram, UnixStream};
use std_shim::thread;

use tests::counts::{descriptors, eventually};
use tests::process::Process;
use tests::rng::{Rng, stress_time};

tests::in_each_mode!(
    connections_that_come_and_go_lose_no_byte,
    a_timeout_that_races_the_data_loses_no_byte,
    a_write_timeout_that_races_the_room_says_what_was_sent,
    a_shutdown_or_close_ends_a_wait_that_begins_or_has_begun,
    many_readers_and_writers_share_a_stream,
    many_readers_and_writers_share_datagram_sockets,
    a_number_used_again_hears_nothing_of_its_last_owner,
);

/// Starts `body(n)` on green threads, and on every eighth OS thread.
fn crowd<T: Send + 'static>(
    n: usize,
    body: impl Fn(usize) -> T + Clone + Send + 'static,
) -> impl FnOnce() -> Vec<T> {
    let green: Vec<_> = (0..n)
        .filter(|n| n % 8 != 7)
        .map(|n| {
            let body = body.clone();
            thread::spawn(move || body(n))
        })
        .collect();
    let os: Vec<_> = (0..n)
        .filter(|n| n % 8 == 7)
        .map(|n| {
            let body = body.clone();
            std::thread::spawn(move || body(n))
        })
        .collect();
    || {
        let green = green.into_iter().map(|thread| thread.join().unwrap());
        green.chain(os.into_iter().map(|thread| thread.join().unwrap())).collect()
    }
}

/// Makes connections to itself. The kernel takes long to find a free port: one will do.
struct Pairs(TcpListener);

impl Pairs {
    fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    /// The same by a duplicate.
    fn duplicate(&self) -> Self {
        Self(self.0.try_clone().unwrap())
    }

    /// Two ends of one connection.
    fn connect(&self) -> (TcpStream, TcpStream) {
        let near = TcpStream::connect(self.0.local_addr().unwrap()).unwrap();
        (near, self.0.accept().unwrap().0)
    }
}

/// Echoes until the client has no more.
fn echo(mut client: TcpStream) -> io::Result<usize> {
    let mut n_echoed = 0;
    let mut buffer = [0; 512];
    loop {
        match client.read(&mut buffer)? {
            0 => return Ok(n_echoed),
            n => client.write_all(&buffer[..n])?,
        }
        n_echoed += 1;
    }
}

fn connections_that_come_and_go_lose_no_byte(process: &Process) {
    process.passes(|| {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
        let address = listener.local_addr().unwrap();
        thread::spawn(|| ()).join().unwrap();
        let fds = descriptors();
        let stop = Arc::new(AtomicBool::new(false));
        let n_served = Arc::new(AtomicUsize::new(0));
        for _ in 0..3 {
            let (listener, n_served) = (Arc::clone(&listener), Arc::clone(&n_served));
            thread::spawn(move || {
                loop {
                    let client = listener.accept().unwrap().0;
                    n_served.fetch_add(1, Relaxed);
                    // A client that resets is an error here, and no more than that.
                    thread::spawn(move || drop(echo(client)));
                }
            });
        }
        let visit = move |rng: &mut Rng| -> io::Result<()> {
            let mut server = TcpStream::connect(address)?;
            let mut message = vec![0; rng.below(2_000)];
            message.fill_with(|| rng.next() as u8);
            for chunk in message.chunks(1 + rng.below(700)) {
                server.write_all(chunk)?;
                let mut back = vec![0; chunk.len()];
                server.read_exact(&mut back)?;
                assert_eq!(back, chunk);
            }
            match rng.below(4) {
                // Goes away without a word, with a word unread, or at once with a reset.
                0 => drop(server),
                1 => drop(server.write_all(b"unread")?),
                2 => set_socket_linger(&server, Some(Duration::ZERO))?,
                _ => {
                    server.shutdown(Shutdown::Write)?;
                    assert_eq!(server.read(&mut [0])?, 0);
                }
            }
            Ok(())
        };
        let n_visits = crowd(64, {
            let stop = Arc::clone(&stop);
            move |n| {
                let mut rng = Rng::of_this_run(n);
                let mut n_visits = 0;
                while !stop.load(Relaxed) {
                    visit(&mut rng).unwrap();
                    n_visits += 1;
                }
                n_visits
            }
        });
        std::thread::sleep(stress_time());
        stop.store(true, Relaxed);
        let n_visits: usize = n_visits().into_iter().sum();
        println!("{n_visits} visits");
        assert!(n_visits > 64);
        assert_eq!(n_served.load(Relaxed), n_visits);
        eventually("every descriptor is closed", || descriptors() == fds);
    });
}

/// Whether a read or write ended for its timeout.
fn timed_out(error: &io::Error) -> bool {
    error.kind() == ErrorKind::WouldBlock
}

fn a_timeout_that_races_the_data_loses_no_byte(process: &Process) {
    process.passes(|| {
        let stop = Arc::new(AtomicBool::new(false));
        let pairs = crowd(40, {
            let stop = Arc::clone(&stop);
            move |n| {
                let (near, far) = Pairs::new().connect();
                let mut rng = Rng::of_this_run(n);
                let timeout = Duration::from_micros(500 + rng.below(2_000) as u64);
                let stop = Arc::clone(&stop);
                let writer = thread::spawn(move || {
                    let (mut near, mut next) = (near, 0_u8);
                    let mut n_written = 0;
                    while !stop.load(Relaxed) {
                        // About when the reader gives up.
                        let early = Duration::from_micros(200);
                        thread::sleep(timeout.saturating_sub(early) + rng.micros_below(400));
                        near.write_all(&[next, next.wrapping_add(1)]).unwrap();
                        next = next.wrapping_add(2);
                        n_written += 2;
                    }
                    n_written
                });
                let (mut far, mut next) = (far, 0_u8);
                far.set_read_timeout(Some(timeout)).unwrap();
                let (mut n_read, mut n_timeouts) = (0, 0);
                loop {
                    let begin = Instant::now();
                    let mut buffer = [0; 3];
                    match far.read(&mut buffer) {
                        Ok(0) => break,
                        Ok(n) => {
                            for byte in &buffer[..n] {
                                assert_eq!(*byte, next, "of {n}");
                                next = next.wrapping_add(1);
                            }
                            n_read += n;
                        }
                        Err(error) => {
                            assert!(timed_out(&error), "{error}");
                            // The kernel counts in jiffies.
                            let waited = begin.elapsed() + Duration::from_millis(11);
                            assert!(waited >= timeout, "{waited:?} of {timeout:?}");
                            n_timeouts += 1;
                        }
                    }
                }
                assert_eq!(n_read, writer.join().unwrap());
                (n_read, n_timeouts)
            }
        });
        std::thread::sleep(stress_time());
        stop.store(true, Relaxed);
        let (n_read, n_timeouts) =
            pairs().into_iter().fold((0, 0), |sum, n| (sum.0 + n.0, sum.1 + n.1));
        println!("{n_read} bytes were read, {n_timeouts} reads timed out");
        assert!(n_read > 0 && n_timeouts > 0);
    });
}

fn a_write_timeout_that_races_the_room_says_what_was_sent(process: &Process) {
    process.passes(|| {
        let stop = Arc::new(AtomicBool::new(false));
        let pairs = crowd(16, {
            let stop = Arc::clone(&stop);
            move |n| {
                let (near, far) = UnixStream::pair().unwrap();
                let mut rng = Rng::of_this_run(n);
                near.set_write_timeout(Some(Duration::from_millis(1))).unwrap();
                let stop = Arc::clone(&stop);
                let writer = thread::spawn(move || {
                    let mut near = near;
                    let (mut n_sent, mut n_timeouts) = (0_usize, 0);
                    while !stop.load(Relaxed) {
                        let message: Vec<u8> =
                            (n_sent..n_sent + 50_000).map(|at| (at % 251) as u8).collect();
                        match near.write(&message) {
                            Ok(n) => n_sent += n,
                            Err(error) => {
                                assert!(timed_out(&error), "{error}");
                                n_timeouts += 1;
                            }
                        }
                    }
                    (n_sent, n_timeouts)
                });
                let (mut far, mut n_read) = (far, 0);
                let mut buffer = vec![0; 90_000];
                loop {
                    thread::sleep(rng.micros_below(2_500));
                    let n = 1 + rng.below(buffer.len());
                    match far.read(&mut buffer[..n]).unwrap() {
                        0 => break,
                        n => {
                            let mut expected = (n_read..n_read + n).map(|at| (at % 251) as u8);
                            assert!(buffer[..n].iter().all(|byte| Some(*byte) == expected.next()));
                            n_read += n;
                        }
                    }
                }
                let (n_sent, n_timeouts) = writer.join().unwrap();
                assert_eq!(n_read, n_sent);
                (n_sent, n_timeouts)
            }
        });
        std::thread::sleep(stress_time() / 2);
        stop.store(true, Relaxed);
        let (n_sent, n_timeouts) =
            pairs().into_iter().fold((0, 0), |sum, n| (sum.0 + n.0, sum.1 + n.1));
        println!("{n_sent} bytes were sent, {n_timeouts} writes timed out with nothing");
        assert!(n_sent > 0 && n_timeouts > 0);
    });
}

fn a_shutdown_or_close_ends_a_wait_that_begins_or_has_begun(process: &Process) {
    process.passes(|| {
        thread::spawn(|| ()).join().unwrap();
        let fds = descriptors();
        let stop = Arc::new(AtomicBool::new(false));
        let rounds = crowd(32, {
            let stop = Arc::clone(&stop);
            move |n| {
                let (pairs, mut rng) = (Pairs::new(), Rng::of_this_run(n));
                let mut n_rounds = 0;
                while !stop.load(Relaxed) {
                    end_a_wait(&pairs, &mut rng);
                    n_rounds += 1;
                }
                n_rounds
            }
        });
        std::thread::sleep(stress_time());
        stop.store(true, Relaxed);
        println!("{} waits were ended", rounds().into_iter().sum::<usize>());
        eventually("every descriptor is closed", || descriptors() == fds);
    });
}

/// One thread waits, and this one makes an end of it in one of the ways there are.
fn end_a_wait(pairs: &Pairs, rng: &mut Rng) {
    if rng.below(32) == 0 {
        let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
        let accepts = Arc::clone(&listener);
        let waits = thread::spawn(move || accepts.accept().map(drop));
        thread::sleep(rng.micros_below(300));
        rustix::net::shutdown(&*listener, rustix::net::Shutdown::Read).unwrap();
        assert_eq!(waits.join().unwrap().unwrap_err().kind(), ErrorKind::InvalidInput);
        return;
    }
    let (near, far) = pairs.connect();
    let near = Arc::new(near);
    let reads = Arc::clone(&near);
    let waits = thread::spawn(move || (&*reads).read(&mut [0; 8]));
    if rng.below(2) == 0 {
        thread::sleep(rng.micros_below(300));
    }
    match rng.below(4) {
        0 => drop(far),
        1 => far.shutdown(Shutdown::Write).unwrap(),
        2 => near.shutdown(Shutdown::Read).unwrap(),
        _ => near.try_clone().unwrap().shutdown(Shutdown::Both).unwrap(),
    }
    assert_eq!(waits.join().unwrap().unwrap(), 0);
}

/// How many of each byte.
type Tally = [usize; 256];

fn add(mut sum: Tally, tally: Tally) -> Tally {
    sum.iter_mut().zip(tally).for_each(|(sum, n)| *sum += n);
    sum
}

fn many_readers_and_writers_share_a_stream(process: &Process) {
    process.passes(|| {
        let (near, far) = Pairs::new().connect();
        let ends = [Arc::new(near), Arc::new(far)];
        // The stream itself, or a duplicate of it.
        let end = move |n: usize| match n % 3 {
            0 => Arc::new(ends[n % 2].try_clone().unwrap()),
            _ => Arc::clone(&ends[n % 2]),
        };
        let stop = Arc::new(AtomicBool::new(false));
        let readers = crowd(24, {
            let end = end.clone();
            move |n| {
                let (stream, mut rng) = (end(n), Rng::of_this_run(n));
                let mut tally = [0; 256];
                loop {
                    let mut buffer = [0; 64];
                    let room = 1 + rng.below(64);
                    match (&*stream).read(&mut buffer[..room]).unwrap() {
                        0 => return (n % 2, tally),
                        n => buffer[..n].iter().for_each(|byte| tally[usize::from(*byte)] += 1),
                    }
                }
            }
        });
        let writers = crowd(24, {
            let (stop, end) = (Arc::clone(&stop), end.clone());
            move |n| {
                let (stream, mut rng) = (end(n), Rng::of_this_run(100 + n));
                let mut tally = [0; 256];
                while !stop.load(Relaxed) {
                    let message = vec![n as u8; 1 + rng.below(200)];
                    (&*stream).write_all(&message).unwrap();
                    tally[n] += message.len();
                    if rng.below(4) == 0 {
                        thread::sleep(rng.micros_below(300));
                    }
                }
                (n % 2, tally)
            }
        });
        std::thread::sleep(stress_time());
        stop.store(true, Relaxed);
        let written = writers();
        for side in [0, 1] {
            end(side).shutdown(Shutdown::Write).unwrap();
        }
        let read = readers();
        let of_side = |tallies: &[(usize, Tally)], side| {
            let tallies = tallies.iter().filter(|(of, _)| *of == side);
            tallies.fold([0; 256], |sum, (_, tally)| add(sum, *tally))
        };
        for side in [0, 1] {
            assert_eq!(of_side(&written, side), of_side(&read, 1 - side));
            let n_bytes = of_side(&written, side).iter().sum::<usize>();
            println!("{n_bytes} bytes in one direction");
            assert!(n_bytes > 0);
        }
    });
}

fn many_readers_and_writers_share_datagram_sockets(process: &Process) {
    process.passes(|| {
        let (near, far) = UnixDatagram::pair().unwrap();
        let ends = [Arc::new(near), Arc::new(far)];
        let stop = Arc::new(AtomicBool::new(false));
        let readers = crowd(16, {
            let ends = ends.clone();
            move |n| {
                let mut tally = [0; 256];
                loop {
                    let mut buffer = [0; 16];
                    let room = ends[n % 2].recv(&mut buffer).unwrap();
                    let Some((from, rest)) = buffer[..room].split_first() else {
                        return (n % 2, tally);
                    };
                    assert!(rest.iter().all(|byte| byte == from));
                    tally[usize::from(*from)] += 1;
                }
            }
        });
        let writers = crowd(16, {
            let (stop, ends) = (Arc::clone(&stop), ends.clone());
            move |n| {
                let mut rng = Rng::of_this_run(100 + n);
                let mut tally = [0; 256];
                while !stop.load(Relaxed) {
                    let message = vec![n as u8; 1 + rng.below(15)];
                    assert_eq!(ends[n % 2].send(&message).unwrap(), message.len());
                    tally[n] += 1;
                }
                (n % 2, tally)
            }
        });
        std::thread::sleep(stress_time() / 2);
        stop.store(true, Relaxed);
        let written = writers();
        // An empty one for each reader ends it.
        (0..16).for_each(|n| assert_eq!(ends[n % 2].send(&[]).unwrap(), 0));
        let read = readers();
        let sum = |tallies: Vec<(usize, Tally)>| {
            tallies.into_iter().fold([0; 256], |sum, (_, tally)| add(sum, tally))
        };
        let (written, read) = (sum(written), sum(read));
        assert_eq!(written, read);
        println!("{} datagrams", written.iter().sum::<usize>());
    });
}

fn a_number_used_again_hears_nothing_of_its_last_owner(process: &Process) {
    process.passes(|| {
        thread::spawn(|| ()).join().unwrap();
        let fds = descriptors();
        let stop = Arc::new(AtomicBool::new(false));
        let rounds = crowd(32, {
            let stop = Arc::clone(&stop);
            move |n| {
                let (pairs, mut rng) = (Pairs::new(), Rng::of_this_run(n));
                let mut n_rounds = 0;
                while !stop.load(Relaxed) {
                    match rng.below(10) {
                        0 | 1 => be_short_lived(UnixStream::pair().unwrap(), &mut rng),
                        2..=4 => be_short_lived(pairs.connect(), &mut rng),
                        5 => be_short_lived(pairs.duplicate().connect(), &mut rng),
                        6 | 7 => be_a_short_lived_pipe(&mut rng),
                        _ => be_a_short_lived_receiver(&mut rng),
                    }
                    n_rounds += 1;
                }
                n_rounds
            }
        });
        std::thread::sleep(stress_time());
        stop.store(true, Relaxed);
        println!("{} lives", rounds().into_iter().sum::<usize>());
        eventually("every descriptor is closed", || descriptors() == fds);
    });
}

/// Reads what the other end writes, and nothing else, and closes it while events are on their way.
fn be_short_lived<S>((mut near, mut far): (S, S), rng: &mut Rng)
where
    S: Read + Write + Send + 'static,
{
    let token = rng.next().to_ne_bytes();
    let delay = rng.micros_below(200);
    let (writes_late, says_more) = (rng.below(2) == 0, rng.below(2) == 0);
    let writer = thread::spawn(move || {
        if writes_late {
            thread::sleep(delay);
        }
        far.write_all(&token).unwrap();
        if says_more {
            // Heard by nobody, perhaps; the end that hears it may be gone.
            let _ = far.write_all(b"to nobody");
        }
        far
    });
    let mut read = [0; 8];
    near.read_exact(&mut read).unwrap();
    assert_eq!(read, token);
    if rng.below(2) == 0 {
        drop(near);
        drop(writer.join().unwrap());
    } else {
        drop(writer);
    }
}

/// Reads what the other end writes, one of the two by a duplicate, or by a number that is lent.
fn be_a_short_lived_pipe(rng: &mut Rng) {
    let (mut reader, mut writer) = pipe().unwrap();
    match rng.below(6) {
        0 => reader = reader.try_clone().unwrap(),
        1 => writer = writer.try_clone().unwrap(),
        2 => assert!(reader.as_raw_fd() != writer.as_raw_fd()),
        _ => {}
    }
    let token = rng.next().to_ne_bytes();
    let delay = rng.micros_below(200);
    let writing = thread::spawn(move || {
        thread::sleep(delay);
        writer.write_all(&token).unwrap();
    });
    let mut read = [0; 8];
    reader.read_exact(&mut read).unwrap();
    assert_eq!(read, token);
    if rng.below(2) == 0 {
        assert_eq!(reader.read(&mut read).unwrap(), 0);
    }
    drop(reader);
    writing.join().unwrap();
}

/// Receives a datagram, or gives up shortly before it comes.
fn be_a_short_lived_receiver(rng: &mut Rng) {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = receiver.local_addr().unwrap();
    receiver.set_read_timeout(Some(Duration::from_micros(1_000))).unwrap();
    let delay = rng.micros_below(2_000);
    let token = rng.next().to_ne_bytes();
    let sender = thread::spawn(move || {
        thread::sleep(delay);
        UdpSocket::bind("127.0.0.1:0").unwrap().send_to(&token, address).unwrap();
    });
    let mut read = [0; 8];
    match receiver.recv(&mut read) {
        Ok(n) => assert_eq!((n, read), (8, token)),
        Err(error) => assert!(timed_out(&error), "{error}"),
    }
    // Not before that, or the next owner of the port would receive it.
    sender.join().unwrap();
    drop(receiver);
}

//! The scenes: what a program does with the mirror, and the runtime beneath it.
//!
//! Each can be played again and again, and says what went wrong by [`Told`]: whatever its threads were told
//! of errors. None waits for what does not come if another one of its threads has ended early. What
//! is not an error, such as data that are not those that were sent, is a panic.

use std_shim as std;

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Seek, SeekFrom, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Barrier, Condvar, Mutex, RwLock, mpsc};
use std::thread::{self, Builder};
use std::time::{Duration, Instant};

/// The errors that a scene was told of.
pub(crate) type Told = Vec<io::Error>;

pub(crate) struct Scene {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    /// On an OS thread, or on a green one.
    pub(crate) is_outside: bool,
    pub(crate) play: fn() -> Result<(), Told>,
}

macro_rules! scenes {
    ($($name:ident $($outside:literal)?: $what:literal;)+) => {
        pub(crate) const SCENES: &[Scene] = &[$(Scene {
            name: stringify!($name),
            what: $what,
            is_outside: false $(|| $outside)?,
            play: $name,
        }),+];
    };
}

scenes! {
    start true: "an OS thread starts a green one, and joins it; the first one of a process starts the runtime";
    stacks: "a crowd of threads with stacks of a size of their own, all there at once";
    locks: "threads at a `Mutex` with a `Condvar`, a `RwLock` and a `Barrier`";
    channels true: "an OS thread and green ones, by `mpsc`";
    timers: "sleeps, `park_timeout`, `recv_timeout`, many at a time";
    sections: "many calls that block, at a time";
    computing: "threads that compute, beside one that sleeps";
    echo: "a TCP server and its clients, a thread each";
    crowd true: "an OS thread accepts, green threads serve";
    patience: "a TCP stream with timeouts, and one that does not block";
    bulk: "more than a TCP socket holds, by vectors, and the ends shut down";
    connecting: "connections made: with a timeout, refused, by name";
    options: "what a TCP socket can be told and asked; clones";
    datagrams: "UDP, connected and not";
    unix_streams: "Unix sockets that are streams, by path and as a pair";
    unix_datagrams: "Unix sockets that are not";
    pipes: "a pipe that is filled, and emptied at its end";
    children: "children with pipes, and their output";
    ends: "children that are waited for, looked at, and ended";
    files: "files and folders, made, written, read and removed";
    names: "names looked up";
    polls: "`poll` of a few descriptors, and of many";
}

/// What a thread of a scene does.
type Part<'a> = Box<dyn FnOnce() -> io::Result<()> + Send + 'a>;

fn part<'a>(does: impl FnOnce() -> io::Result<()> + Send + 'a) -> Part<'a> {
    Box::new(does)
}

/// Threads, one for each part: what they were told.
fn all(parts: impl IntoIterator<Item = Part<'static>>) -> Result<(), Told> {
    all_on(0, parts)
}

fn all_on(stack_size: usize, parts: impl IntoIterator<Item = Part<'static>>) -> Result<(), Told> {
    let mut told = Told::new();
    let mut threads = Vec::new();
    for does in parts {
        match Builder::new().stack_size(stack_size).spawn(does) {
            Ok(thread) => threads.push(thread),
            Err(error) => told.push(error),
        }
    }
    for thread in threads {
        match thread.join() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => told.push(error),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    if told.is_empty() { Ok(()) } else { Err(told) }
}

fn one(does: impl FnOnce() -> io::Result<()>) -> Result<(), Told> {
    does().map_err(|error| vec![error])
}

fn told(error: io::Error) -> Told {
    vec![error]
}

/// What is sent: no two bytes next to each other are the same, wherever it is cut.
fn bytes(n: usize) -> Vec<u8> {
    (0..n).map(|nth| (nth % 251) as u8).collect()
}

fn start() -> Result<(), Told> {
    all([part(|| Ok(()))])
}

fn stacks() -> Result<(), Told> {
    // Of a class that nobody else has here, and there is room for a few only, until more are mapped.
    let barrier = Arc::new((Mutex::new(0), Condvar::new()));
    let n = 70;
    let parts = (0..n).map(|_| {
        let barrier = Arc::clone(&barrier);
        part(move || {
            let room = [1_u8; 4096];
            *barrier.0.lock().unwrap() += usize::from(std::hint::black_box(room)[7]);
            barrier.1.notify_all();
            thread::sleep(Duration::from_millis(1));
            Ok(())
        })
    });
    all_on(256 << 10, parts)
}

fn locks() -> Result<(), Told> {
    let turn = Arc::new((Mutex::new(0), Condvar::new()));
    let table = Arc::new(RwLock::new(0));
    let told = all((0..8).map(|_| {
        let (turn, table) = (Arc::clone(&turn), Arc::clone(&table));
        part(move || {
            for _ in 0..20 {
                let mut n = turn.0.lock().unwrap();
                *n += 1;
                turn.1.notify_one();
                if *n % 7 == 0 {
                    drop(turn.1.wait_timeout(n, Duration::from_micros(50)).unwrap());
                } else {
                    drop(n);
                }
                *table.write().unwrap() += 1;
                assert!(*table.read().unwrap() > 0);
            }
            Ok(())
        })
    }));
    if told.is_ok() {
        assert_eq!((*turn.0.lock().unwrap(), *table.read().unwrap()), (160, 160));
        let barrier = Barrier::new(1);
        assert!(barrier.wait().is_leader());
    }
    told
}

fn channels() -> Result<(), Told> {
    let (sender, receiver) = mpsc::sync_channel(3);
    let (back, answers) = mpsc::channel();
    let receiver = Arc::new(Mutex::new(receiver));
    let mut parts: Vec<_> = (0..3)
        .map(|_| {
            let (receiver, back) = (Arc::clone(&receiver), back.clone());
            part(move || {
                while let Ok(n) = { receiver.lock().unwrap().recv() } {
                    let _: u64 = n;
                    back.send(n * 2).unwrap();
                }
                Ok(())
            })
        })
        .collect();
    drop((back, receiver));
    parts.push(part(move || {
        // An error where nobody is left who receives.
        (0..50).try_for_each(|n| sender.send(n)).map_err(io::Error::other)
    }));
    let counted = part(move || {
        // On whatever thread: there is an end.
        let _ = answers.iter().sum::<u64>();
        Ok(())
    });
    parts.push(counted);
    let told = all(parts);
    // And an OS thread that waits itself.
    let (sender, receiver) = mpsc::channel();
    let sends = part(move || {
        thread::sleep(Duration::from_millis(1));
        sender.send(7).map_err(io::Error::other)
    });
    let thread = Builder::new().spawn(sends);
    let received = receiver.recv();
    match thread {
        Err(error) => return Err(told.err().into_iter().flatten().chain([error]).collect()),
        Ok(thread) => drop(thread.join().unwrap()),
    }
    assert_eq!(received, Ok(7));
    told
}

fn timers() -> Result<(), Told> {
    let sleeps = (0..60).map(|nth| {
        part(move || {
            let begin = Instant::now();
            let time = Duration::from_micros(100 * nth);
            match nth % 3 {
                0 => thread::sleep(time),
                1 => {
                    let deadline = begin + time;
                    while Instant::now() < deadline {
                        thread::park_timeout(deadline - Instant::now());
                    }
                }
                _ => {
                    let (_sender, receiver) = mpsc::channel::<()>();
                    assert_eq!(receiver.recv_timeout(time), Err(mpsc::RecvTimeoutError::Timeout));
                }
            }
            assert!(begin.elapsed() >= time);
            Ok(())
        })
    });
    all(sleeps)
}

fn sections() -> Result<(), Told> {
    all((0..12).map(|_| {
        part(|| {
            sylvan::blocking(|| ::std::thread::sleep(Duration::from_millis(2)));
            Ok(())
        })
    }))
}

fn computing() -> Result<(), Told> {
    let computes = || {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_millis(3) {
            std::hint::spin_loop();
        }
        Ok(())
    };
    let sleeps = || {
        (0..3).for_each(|_| thread::sleep(Duration::from_micros(300)));
        Ok(())
    };
    all([part(computes), part(computes), part(computes), part(sleeps)])
}

/// A listener and connections to it, which wait there.
fn listener_with(n: usize) -> io::Result<(TcpListener, Vec<TcpStream>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let clients = (0..n).map(|_| TcpStream::connect(address)).collect::<io::Result<_>>()?;
    Ok((listener, clients))
}

/// Sends it all back, until the end.
fn echoes(mut stream: impl Read + Write) -> io::Result<()> {
    let mut buffer = [0; 2000];
    loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            n => stream.write_all(&buffer[..n])?,
        }
    }
}

/// Asks, and compares the answer.
fn asks(mut stream: impl Read + Write) -> io::Result<()> {
    let sent = bytes(6000);
    for piece in sent.chunks(1500) {
        stream.write_all(piece)?;
        let mut answer = vec![0; piece.len()];
        stream.read_exact(&mut answer)?;
        assert!(answer == piece, "an answer of other bytes than were sent");
    }
    Ok(())
}

fn echo() -> Result<(), Told> {
    let (listener, clients) = listener_with(4).map_err(told)?;
    let mut parts: Vec<_> = clients.into_iter().map(|client| part(move || asks(client))).collect();
    parts.push(part(move || {
        let served = (0..4).map(|_| listener.accept()).collect::<io::Result<Vec<_>>>()?;
        drop(listener);
        let serves = served.into_iter().map(|(stream, _)| part(move || echoes(stream)));
        all(serves).map_err(first)
    }));
    all(parts)
}

/// The one that says most.
fn first(mut told: Told) -> io::Error {
    let os = told.iter().position(|error| error.raw_os_error().is_some()).unwrap_or(0);
    told.swap_remove(os)
}

fn crowd() -> Result<(), Told> {
    let (listener, clients) = listener_with(6).map_err(told)?;
    let mut parts: Vec<_> = clients.into_iter().map(|client| part(move || asks(client))).collect();
    let mut wrong = Told::new();
    for _ in 0..6 {
        match listener.accept() {
            Ok((stream, _)) => parts.push(part(move || echoes(stream))),
            Err(error) => wrong.push(error),
        }
    }
    drop(listener);
    // Each for itself: what was not accepted is closed, and its client is told so.
    let others = all(parts).err();
    wrong.extend(others.into_iter().flatten());
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

fn pair() -> io::Result<(TcpStream, TcpStream)> {
    let (listener, mut clients) = listener_with(1)?;
    Ok((clients.remove(0), listener.accept()?.0))
}

fn patience() -> Result<(), Told> {
    one(|| {
        let (mut near, mut far) = pair()?;
        near.set_read_timeout(Some(Duration::from_millis(2)))?;
        assert!(near.read_timeout()?.is_some());
        match near.read(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
            Ok(n) => panic!("{n} bytes that nobody has sent"),
        }
        far.write_all(b"now")?;
        let mut now = [0; 3];
        near.read_exact(&mut now)?;
        assert_eq!(&now, b"now");
        far.set_nonblocking(true)?;
        match far.read(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
            Ok(n) => panic!("{n} bytes that nobody has sent"),
        }
        far.set_nonblocking(false)?;
        near.write_all(b"!")?;
        far.read_exact(&mut [0])
    })
}

fn bulk() -> Result<(), Told> {
    let (near, far) = pair().map_err(told)?;
    let sent = Arc::new(bytes(3 << 20));
    let expected = Arc::clone(&sent);
    let sends = part(move || {
        let (mut near, mut at) = (near, 0);
        while at < sent.len() {
            let (one, two) = sent[at..].split_at((sent.len() - at).min(1000));
            at += near.write_vectored(&[IoSlice::new(one), IoSlice::new(two)])?;
        }
        near.shutdown(Shutdown::Write)?;
        near.read_exact(&mut [0; 2])
    });
    let reads = part(move || {
        let (mut far, mut got) = (far, Vec::new());
        let (mut one, mut two) = ([0; 100], vec![0; 60_000]);
        if far.peek(&mut one)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        loop {
            let into = &mut [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
            let n = far.read_vectored(into)?;
            if n == 0 {
                break;
            }
            got.extend_from_slice(&one[..n.min(100)]);
            got.extend_from_slice(&two[..n.saturating_sub(100)]);
        }
        // A sender that has failed has told so.
        assert!(expected.starts_with(&got), "other bytes than were sent");
        if got.len() < expected.len() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        far.write_all(b"ok")
    });
    all([sends, reads])
}

fn connecting() -> Result<(), Told> {
    one(|| {
        let listener = TcpListener::bind("localhost:0")?;
        let address = listener.local_addr()?;
        let by_time = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        let by_name = TcpStream::connect(("localhost", address.port()))?;
        for _ in 0..2 {
            listener.accept()?.0.write_all(b"y")?;
        }
        for mut stream in [by_time, by_name] {
            stream.read_exact(&mut [0])?;
        }
        drop(listener);
        match TcpStream::connect(address) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(()),
            Err(error) => Err(error),
            Ok(_) => panic!("a connection to nobody"),
        }
    })
}

fn options() -> Result<(), Told> {
    one(|| {
        let (near, mut far) = pair()?;
        near.set_nodelay(true)?;
        assert!(near.nodelay()?);
        near.set_ttl(60)?;
        assert_eq!(near.ttl()?, 60);
        assert!(near.take_error()?.is_none());
        assert_eq!(near.peer_addr()?, far.local_addr()?);
        let mut clone = near.try_clone()?;
        drop(near);
        let writes = Builder::new().spawn(move || clone.write_all(b"by a clone"))?;
        let mut got = String::new();
        far.read_to_string(&mut got)?;
        writes.join().unwrap()?;
        assert_eq!(got, "by a clone");
        Ok(())
    })
}

/// A datagram may be lost, and is if its sender was told so: whoever waits for one has patience.
const SOON: Option<Duration> = Some(Duration::from_millis(300));

fn datagrams() -> Result<(), Told> {
    one(|| {
        let (one, two) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        two.set_read_timeout(SOON)?;
        let to = two.local_addr()?;
        let sends = Builder::new().spawn(move || {
            thread::sleep(Duration::from_millis(1));
            one.send_to(b"to", to)?;
            one.connect(to)?;
            one.send(b"and fro")
        })?;
        let mut buffer = [0; 100];
        let first = two.recv_from(&mut buffer).map(|(n, _)| buffer[..n].to_vec());
        let second = two.recv(&mut buffer).map(|n| buffer[..n].to_vec());
        sends.join().unwrap()?;
        assert_eq!((first?, second?), (b"to".to_vec(), b"and fro".to_vec()));
        Ok(())
    })
}

/// A path that nobody has.
fn path(name: &str) -> std::path::PathBuf {
    std::env::temp_dir().join(format!("sylvan-faults-{name}-{}", std::process::id()))
}

/// Removes it, whatever has happened.
struct Removed(std::path::PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        // Once more, where that has failed.
        for _ in 0..2 {
            let _ = ::std::fs::remove_dir_all(&self.0);
            let _ = ::std::fs::remove_file(&self.0);
        }
    }
}

fn unix_streams() -> Result<(), Told> {
    let path = Removed(path("socket"));
    let made = || {
        let listener = UnixListener::bind(&path.0)?;
        let client = UnixStream::connect(&path.0)?;
        io::Result::Ok((client, listener.accept()?.0, UnixStream::pair()?))
    };
    let (client, served, (near, far)) = made().map_err(told)?;
    let parts = [
        part(move || asks(client)),
        part(move || echoes(served)),
        part(move || asks(near)),
        part(move || echoes(far)),
    ];
    all(parts)
}

fn unix_datagrams() -> Result<(), Told> {
    let path = Removed(path("datagrams"));
    one(|| {
        let bound = UnixDatagram::bind(&path.0)?;
        bound.set_read_timeout(SOON)?;
        let (near, far) = UnixDatagram::pair()?;
        near.send_to(b"by path", &path.0)?;
        let mut buffer = [0; 100];
        let (n, _) = bound.recv_from(&mut buffer)?;
        assert_eq!(&buffer[..n], b"by path");
        far.set_read_timeout(SOON)?;
        // More than it holds.
        let sends = Builder::new().spawn(move || {
            (0..30).try_for_each(|n| near.send(&[n; 9000]).map(|n| assert_eq!(n, 9000)))
        })?;
        let mut got = Ok(());
        let mut large = vec![0; 10_000];
        for n in 0..30 {
            got = far.recv(&mut large).map(|len| assert_eq!((len, large[5]), (9000, n)));
            if got.is_err() {
                break;
            }
        }
        drop(far);
        let sent = sends.join().unwrap();
        // Of the two the one that was the cause.
        match (sent, got) {
            (Err(error), Err(then)) if error.kind() == ErrorKind::ConnectionRefused => Err(then),
            (sent, got) => sent.and(got),
        }
    })
}

fn pipes() -> Result<(), Told> {
    let (reader, writer) = io::pipe().map_err(told)?;
    let sent = Arc::new(bytes(300_000));
    let expected = Arc::clone(&sent);
    let writes = part(move || {
        let mut writer = writer;
        writer.write_all(&sent)
    });
    let reads = part(move || {
        let (mut reader, mut got) = (reader, Vec::new());
        reader.read_to_end(&mut got)?;
        // A writer that has failed has told so.
        assert!(expected.starts_with(&got), "other bytes than were written");
        if got.len() < expected.len() { Err(ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    });
    all([writes, reads])
}

fn children() -> Result<(), Told> {
    one(|| {
        let output = Command::new("/bin/echo").arg("hello").output()?;
        assert_eq!((output.stdout.as_slice(), output.status.success()), (&b"hello\n"[..], true));
        let mut cat =
            Command::new("/bin/cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let mut stdin = cat.stdin.take().unwrap();
        let wrote = stdin.write_all(&bytes(5000));
        drop(stdin);
        let output = cat.wait_with_output()?;
        wrote?;
        assert!(output.stdout == bytes(5000));
        Ok(())
    })
}

fn ends() -> Result<(), Told> {
    let waits = || {
        part(|| {
            let mut child = Command::new("/bin/sh").args(["-c", "exit 3"]).spawn()?;
            assert_eq!(child.wait()?.code(), Some(3));
            Ok(())
        })
    };
    let looks = part(|| {
        let mut child = Command::new("/bin/sleep").arg("100").spawn()?;
        let looked = child.try_wait();
        child.kill()?;
        // An error leaves the child to be waited for once more.
        let ended = child.wait().or_else(|error| child.wait().and(Err(error)));
        assert!(looked?.is_none());
        assert!(!ended?.success());
        Ok(())
    });
    all([waits(), waits(), looks])
}

fn files() -> Result<(), Told> {
    let folder = Removed(path("files"));
    one(|| {
        fs::create_dir(&folder.0)?;
        let (first, second) = (folder.0.join("first"), folder.0.join("second"));
        let mut file = OpenOptions::new().create(true).read(true).write(true).open(&first)?;
        file.write_all(&bytes(50_000))?;
        file.seek(SeekFrom::Start(10))?;
        let mut got = Vec::new();
        file.read_to_end(&mut got)?;
        assert!(got == bytes(50_000)[10..]);
        file.set_len(9)?;
        file.sync_all()?;
        fs::rename(&first, &second)?;
        fs::write(&first, bytes(3000))?;
        assert_eq!(fs::copy(&first, folder.0.join("copy"))?, 3000);
        assert_eq!(fs::metadata(&second)?.len(), 9);
        assert_eq!(fs::read(&first)?, bytes(3000));
        let names = fs::read_dir(&folder.0)?.collect::<io::Result<Vec<_>>>()?;
        assert_eq!(names.len(), 3);
        let mut shared = File::open(&second)?;
        shared.read_exact(&mut [0; 9])?;
        fs::remove_dir_all(&folder.0)
    })
}

fn names() -> Result<(), Told> {
    let looks_up = || {
        part(|| {
            let found: Vec<SocketAddr> = ("localhost", 80).to_socket_addrs()?.collect();
            assert!(found.iter().all(|address| address.ip().is_loopback()) && !found.is_empty());
            Ok(())
        })
    };
    all([looks_up(), looks_up(), looks_up()])
}

fn polls() -> Result<(), Told> {
    for n in [2, 12] {
        one(|| {
            let pairs = (0..n).map(|_| UnixStream::pair()).collect::<io::Result<Vec<_>>>()?;
            let wanted = |(near, _): &(UnixStream, UnixStream)| libc::pollfd {
                fd: near.as_raw_fd(),
                events: libc::POLLIN,
                revents: 0,
            };
            let mut fds: Vec<_> = pairs.iter().map(wanted).collect();
            assert_eq!(sylvan::poll(&mut fds, Some(Duration::from_millis(1)))?, 0);
            let mut last = pairs[n - 1].1.try_clone()?;
            let writes = Builder::new().spawn(move || {
                thread::sleep(Duration::from_millis(1));
                last.write_all(b"!")
            })?;
            let found = sylvan::poll(&mut fds, Some(Duration::from_secs(1)));
            writes.join().unwrap()?;
            assert_eq!((found?, fds[n - 1].revents), (1, libc::POLLIN));
            Ok(())
        })?;
    }
    Ok(())
}

//! `sylvan::poll` says what `poll(2)` says, of whatever it is asked, and waits without an OS thread.

use std::fs::File;
use std::io::{self, Read, Write, pipe};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use libc::{POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI, POLLRDHUP, pollfd};
use sylvan::poll;

use tests::counts::{descriptors, eventually, os_threads};
use tests::process::Process;

tests::in_each_mode!(
    a_descriptor_that_is_closed_meanwhile_harms_nobody,
    a_descriptor_may_be_asked_about_more_than_once,
    a_look_says_what_the_kernels_poll_says,
    a_number_that_means_another_file_meanwhile_is_asked_about_as_that,
    all_who_wait_for_a_descriptor_are_told_and_readers_miss_nothing,
    a_wait_ends_when_its_time_is_up,
    a_wait_without_descriptors_is_a_sleep,
    each_kind_of_news_ends_a_wait,
    many_wait_on_no_os_thread,
    more_wait_for_one_file_than_the_kernel_nests,
    the_mirrors_sockets_can_be_polled,
    without_a_descriptor_to_spare_it_waits_all_the_same,
);

/// Long enough for those who wait to have parked.
const A_WHILE: Duration = Duration::from_millis(50);

/// No answer takes that long; it is a failure, and not a hang.
const LONG: Option<Duration> = Some(Duration::from_secs(30));

fn wanted(fd: &impl AsRawFd, events: i16) -> pollfd {
    // What nobody has written to shows.
    pollfd { fd: fd.as_raw_fd(), events, revents: -1 }
}

fn revents(fds: &[pollfd]) -> Vec<i16> {
    fds.iter().map(|entry| entry.revents).collect()
}

/// What the kernel says.
fn of_kernel(fds: &mut [pollfd]) -> usize {
    let n = libc::nfds_t::try_from(fds.len()).unwrap();
    // SAFETY: a slice of that many; with a timeout of zero it does not block.
    let n = unsafe { libc::poll(fds.as_mut_ptr(), n, 0) };
    usize::try_from(n).expect("the kernel's answer")
}

/// Connected over TCP.
fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

fn send_urgent(stream: &TcpStream) {
    // SAFETY: one byte, of one.
    let n = unsafe { libc::send(stream.as_raw_fd(), c"!".as_ptr().cast(), 1, libc::MSG_OOB) };
    assert_eq!(n, 1);
}

/// A number that is no descriptor.
const CLOSED: RawFd = RawFd::MAX;

fn a_look_says_what_the_kernels_poll_says(process: &Process) {
    process.passes(|| {
        let (silent, _open) = UnixStream::pair().unwrap();
        let (heard, mut speaker) = UnixStream::pair().unwrap();
        speaker.write_all(b"x").unwrap();
        let (half, other_half) = UnixStream::pair().unwrap();
        other_half.shutdown(Shutdown::Write).unwrap();
        let (orphan, gone) = UnixStream::pair().unwrap();
        drop(gone);
        let (reader, writer) = pipe().unwrap();
        let (unread, no_reader) = pipe().unwrap();
        drop(unread);
        let (ended, no_writer) = pipe().unwrap();
        drop(no_writer);
        let (urgent, sender) = tcp_pair();
        send_urgent(&sender);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let file = File::open("/proc/self/exe").unwrap();
        let null = File::open("/dev/null").unwrap();
        let datagrams = UnixDatagram::unbound().unwrap();

        let of: [RawFd; 15] = [
            silent.as_raw_fd(),
            heard.as_raw_fd(),
            half.as_raw_fd(),
            orphan.as_raw_fd(),
            reader.as_raw_fd(),
            writer.as_raw_fd(),
            no_reader.as_raw_fd(),
            ended.as_raw_fd(),
            urgent.as_raw_fd(),
            listener.as_raw_fd(),
            file.as_raw_fd(),
            null.as_raw_fd(),
            datagrams.as_raw_fd(),
            CLOSED,
            -7,
        ];
        let all = POLLIN | POLLOUT | POLLPRI | POLLRDHUP;
        // The urgent byte is on its way; poll waits for it.
        assert_eq!(poll(&mut [wanted(&urgent.as_raw_fd(), POLLPRI)], LONG).unwrap(), 1);
        for events in [all, POLLIN, POLLOUT, POLLPRI, POLLRDHUP, 0] {
            let fds = || of.map(|fd| wanted(&fd, events));
            let (mut kernels, mut ours, mut greens) = (fds(), fds(), fds());
            let n = of_kernel(&mut kernels);
            assert_eq!(poll(&mut ours, Some(Duration::ZERO)).unwrap(), n);
            assert_eq!(revents(&ours), revents(&kernels), "events {events:#x}, an OS thread");
            let green = sylvan::spawn(move || {
                // Something is ready, so whatever the timeout, this is a look.
                let n = poll(&mut greens, None).unwrap();
                (n, revents(&greens))
            });
            assert_eq!(green.join().unwrap(), (n, revents(&kernels)), "events {events:#x}, green");
        }
        let mut fds = [wanted(&CLOSED, 0), wanted(&-1, POLLIN), wanted(&ended.as_raw_fd(), 0)];
        assert_eq!(poll(&mut fds, None).unwrap(), 2);
        assert_eq!(revents(&fds), [POLLNVAL, 0, POLLHUP]);
        let mut fds = [wanted(&no_reader.as_raw_fd(), 0)];
        assert_eq!(poll(&mut fds, None).unwrap(), 1);
        assert_eq!(revents(&fds), [POLLERR]);
    });
}

fn each_kind_of_news_ends_a_wait(process: &Process) {
    process.passes(|| {
        type Scene = fn() -> (RawFd, Box<dyn FnOnce() + Send>);
        let scenes: [(i16, i16, Scene); 7] = [
            (POLLIN, POLLIN, || {
                let (heard, mut speaker) = UnixStream::pair().unwrap();
                let tell = move || {
                    speaker.write_all(b"x").unwrap();
                    std::mem::forget(speaker);
                };
                (heard.into_raw_fd(), Box::new(tell))
            }),
            (POLLIN, POLLIN, || {
                let listener = TcpListener::bind("127.0.0.1:0").unwrap();
                let address = listener.local_addr().unwrap();
                (
                    listener.into_raw_fd(),
                    Box::new(move || drop(TcpStream::connect(address).unwrap())),
                )
            }),
            (POLLOUT, POLLOUT, || {
                let (mut full, mut drained) = UnixStream::pair().unwrap();
                full.set_nonblocking(true).unwrap();
                while full.write(&[0; 4096]).is_ok() {}
                let drain = move || {
                    drained.set_nonblocking(true).unwrap();
                    while drained.read(&mut [0; 4096]).is_ok() {}
                    std::mem::forget(drained);
                };
                (full.into_raw_fd(), Box::new(drain))
            }),
            (POLLPRI, POLLPRI, || {
                let (urgent, sender) = tcp_pair();
                let send = move || {
                    send_urgent(&sender);
                    std::mem::forget(sender);
                };
                (urgent.into_raw_fd(), Box::new(send))
            }),
            (POLLRDHUP, POLLRDHUP, || {
                let (half, other_half) = tcp_pair();
                let shut = move || {
                    other_half.shutdown(Shutdown::Write).unwrap();
                    std::mem::forget(other_half);
                };
                (half.into_raw_fd(), Box::new(shut))
            }),
            (0, POLLHUP, || {
                let (reader, writer) = pipe().unwrap();
                (reader.into_raw_fd(), Box::new(move || drop(writer)))
            }),
            (0, POLLERR, || {
                let (reader, writer) = pipe().unwrap();
                (writer.into_raw_fd(), Box::new(move || drop(reader)))
            }),
        ];
        for (events, news, scene) in scenes {
            let (fd, tell) = scene();
            let (silent, _open) = UnixStream::pair().unwrap();
            let green = sylvan::spawn(move || {
                let mut fds = [wanted(&silent, POLLIN), wanted(&fd, events), wanted(&-1, POLLIN)];
                let n = poll(&mut fds, LONG).unwrap();
                (n, revents(&fds))
            });
            sleep(A_WHILE);
            assert!(!green.is_finished(), "before the news {news:#x}");
            tell();
            assert_eq!(green.join().unwrap(), (1, vec![0, news, 0]));
        }
    });
}

fn a_wait_ends_when_its_time_is_up(process: &Process) {
    process.passes(|| {
        let (silent, _open) = UnixStream::pair().unwrap();
        let wait = move |timeout| {
            let mut fds = [wanted(&silent, POLLIN)];
            let begin = Instant::now();
            assert_eq!(poll(&mut fds, Some(timeout)).unwrap(), 0);
            assert_eq!(fds[0].revents, 0);
            assert!(begin.elapsed() >= timeout, "{:?} instead of {timeout:?}", begin.elapsed());
        };
        let timeouts = move || {
            for ms in [0, 1, 30] {
                wait(Duration::from_millis(ms));
            }
        };
        timeouts();
        sylvan::spawn(timeouts).join().unwrap();
    });
}

fn a_wait_without_descriptors_is_a_sleep(process: &Process) {
    process.passes(|| {
        let green = sylvan::spawn(|| {
            let begin = Instant::now();
            assert_eq!(poll(&mut [], Some(A_WHILE)).unwrap(), 0);
            assert_eq!(poll(&mut [wanted(&-1, POLLIN)], Some(A_WHILE)).unwrap(), 0);
            begin.elapsed()
        });
        assert!(green.join().unwrap() >= 2 * A_WHILE);
    });
}

fn a_descriptor_may_be_asked_about_more_than_once(process: &Process) {
    process.passes(|| {
        let (heard, mut speaker) = UnixStream::pair().unwrap();
        // Full, so that nothing can be written and there is something to wait for.
        heard.set_nonblocking(true).unwrap();
        while (&heard).write(&[0; 4096]).is_ok() {}
        let green = sylvan::spawn(move || {
            let mut fds = [POLLOUT, POLLIN, 0].map(|events| wanted(&heard, events));
            let n = poll(&mut fds, LONG).unwrap();
            (n, revents(&fds))
        });
        sleep(A_WHILE);
        speaker.write_all(b"x").unwrap();
        assert_eq!(green.join().unwrap(), (1, vec![0, POLLIN, 0]));
    });
}

fn all_who_wait_for_a_descriptor_are_told_and_readers_miss_nothing(process: &Process) {
    // Goal: polling takes nothing away from those who read the same socket through the mirror.
    process.passes(|| {
        let (ours, mut theirs) = std_shim::os::unix::net::UnixStream::pair().unwrap();
        let ours = Arc::new(ours);
        let polling: Vec<_> = (0..5)
            .map(|_| {
                let ours = Arc::clone(&ours);
                sylvan::spawn(move || poll(&mut [wanted(&*ours, POLLIN)], LONG).unwrap())
            })
            .collect();
        sleep(A_WHILE);
        theirs.write_all(b"1").unwrap();
        assert!(polling.into_iter().all(|thread| thread.join().unwrap() == 1));

        let reading = {
            let ours = Arc::clone(&ours);
            sylvan::spawn(move || {
                let mut all = Vec::new();
                (&*ours).read_to_end(&mut all).unwrap();
                all
            })
        };
        let polling = sylvan::spawn(move || {
            let mut n_told = 0;
            loop {
                let mut fds = [wanted(&*ours, POLLIN | POLLRDHUP)];
                n_told += poll(&mut fds, LONG).unwrap();
                if fds[0].revents & POLLRDHUP != 0 {
                    return n_told;
                }
                sylvan::yield_now();
            }
        });
        for _ in 0..100 {
            theirs.write_all(b"2").unwrap();
            sylvan::yield_now();
        }
        drop(theirs);
        assert_eq!(reading.join().unwrap().len(), 101);
        assert!(polling.join().unwrap() >= 1);
    });
}

fn a_descriptor_that_is_closed_meanwhile_harms_nobody(process: &Process) {
    process.passes(|| {
        let (silent, _open) = UnixStream::pair().unwrap();
        let fd = silent.as_raw_fd();
        let (heard, mut speaker) = UnixStream::pair().unwrap();
        let green = sylvan::spawn(move || {
            let mut fds = [wanted(&fd, POLLIN), wanted(&heard, POLLIN)];
            poll(&mut fds, LONG).unwrap();
            revents(&fds)
        });
        sleep(A_WHILE);
        drop(silent);
        speaker.write_all(b"x").unwrap();
        assert_eq!(green.join().unwrap(), [POLLNVAL, POLLIN]);
    });
}

fn a_number_that_means_another_file_meanwhile_is_asked_about_as_that(process: &Process) {
    // Goal: what the number meant when the wait began is ready, and the one it means now is not;
    // this must neither be told nor keep a processor busy.
    process.passes(|| {
        let (first, mut of_first) = UnixStream::pair().unwrap();
        let kept = first.try_clone().unwrap();
        let (second, mut of_second) = UnixStream::pair().unwrap();
        let fd = first.as_raw_fd();
        let green = sylvan::spawn(move || {
            let mut fds = [wanted(&fd, POLLIN)];
            poll(&mut fds, LONG).unwrap();
            fds[0].revents
        });
        sleep(A_WHILE);
        // SAFETY: `first` owns the number, and owns what it means now from here on.
        assert_eq!(unsafe { libc::dup2(second.as_raw_fd(), fd) }, fd);
        of_first.write_all(b"to the first").unwrap();
        let before = processor_time();
        sleep(4 * A_WHILE);
        assert!(processor_time() - before < 3 * A_WHILE, "the wait keeps a processor busy");
        assert!(!green.is_finished());
        of_second.write_all(b"to the second").unwrap();
        assert_eq!(green.join().unwrap(), POLLIN);
        drop((first, kept));
    });
}

/// What this process has used so far.
fn processor_time() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec.cast_unsigned(), u32::try_from(now.tv_nsec).unwrap())
}

fn many_wait_on_no_os_thread(process: &Process) {
    process.passes(|| {
        const N: usize = 200;
        sylvan::spawn(|| ()).join().unwrap();
        let descriptors_before = descriptors();
        let (os_threads_before, pairs) = (os_threads(), || UnixStream::pair().unwrap());
        let (heard, speakers): (Vec<_>, Vec<_>) = (0..N).map(|_| pairs()).unzip();
        let waiting: Vec<_> = heard
            .into_iter()
            .map(|heard| {
                sylvan::spawn(move || {
                    let mut byte = [0];
                    for _ in 0..3 {
                        assert_eq!(poll(&mut [wanted(&heard, POLLIN)], LONG).unwrap(), 1);
                        (&heard).read_exact(&mut byte).unwrap();
                    }
                    byte[0]
                })
            })
            .collect();
        sleep(A_WHILE);
        // No event loop for each: those of the cores know the descriptors.
        assert_eq!(descriptors().len(), descriptors_before.len() + 2 * N);
        for round in 0..3 {
            for mut speaker in &speakers {
                speaker.write_all(&[round]).unwrap();
            }
            sleep(A_WHILE);
        }
        let os_threads_during = os_threads();
        assert!(waiting.into_iter().all(|thread| thread.join().unwrap() == 2));
        // A loaded machine calls for a spare now and then; those who wait call for none.
        assert!(
            os_threads_during < os_threads_before + N / 4,
            "{os_threads_during} OS threads, {os_threads_before} before"
        );
        drop(speakers);
        eventually("the descriptors of before", || descriptors() == descriptors_before);
    });
}

fn more_wait_for_one_file_than_the_kernel_nests(process: &Process) {
    process.passes(|| {
        // More than the kernel follows from one file; each further one takes an OS thread.
        const N: usize = 520;
        let (heard, mut speaker) = UnixStream::pair().unwrap();
        let heard = Arc::new(heard);
        let waiting: Vec<_> = (0..N)
            .map(|_| {
                let heard = Arc::clone(&heard);
                sylvan::spawn(move || poll(&mut [wanted(&*heard, POLLIN)], LONG).unwrap())
            })
            .collect();
        sleep(4 * A_WHILE);
        speaker.write_all(b"x").unwrap();
        assert!(waiting.into_iter().all(|thread| thread.join().unwrap() == 1));
    });
}

fn the_mirrors_sockets_can_be_polled(process: &Process) {
    // Goal: a server of one green thread, and a client that uses the mirror's calls beside it.
    process.passes(|| {
        let listener = std_shim::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = sylvan::spawn(move || {
            poll(&mut [wanted(&listener, POLLIN)], LONG)?;
            let (mut client, _) = listener.accept()?;
            let mut n_echoed = 0;
            loop {
                poll(&mut [wanted(&client, POLLIN)], LONG)?;
                let mut buffer = [0; 16];
                let n = client.read(&mut buffer)?;
                if n == 0 {
                    return io::Result::Ok(n_echoed);
                }
                client.write_all(&buffer[..n])?;
                n_echoed += n;
            }
        });
        let client = sylvan::spawn(move || {
            let mut stream = std_shim::net::TcpStream::connect(address).unwrap();
            for i in 0..50 {
                stream.write_all(&[i]).unwrap();
                let mut echo = [0];
                stream.read_exact(&mut echo).unwrap();
                assert_eq!(echo, [i]);
            }
        });
        client.join().unwrap();
        assert_eq!(server.join().unwrap().unwrap(), 50);
    });
}

fn without_a_descriptor_to_spare_it_waits_all_the_same(process: &Process) {
    process.passes(|| {
        let (heard, mut speaker) = UnixStream::pair().unwrap();
        // Whatever the runtime opens, it has opened by now.
        sylvan::spawn(|| sylvan::blocking(|| ())).join().unwrap();
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        let n_open = descriptors().last().map_or(0, |last| u64::try_from(*last).unwrap() + 1);
        setrlimit(Resource::Nofile, Rlimit { current: Some(n_open), ..limit }).unwrap();
        let none_to_spare: Vec<_> = std::iter::from_fn(|| speaker.try_clone().ok()).collect();
        let green =
            sylvan::spawn(move || poll(&mut [wanted(&heard, POLLIN)], LONG).map_err(|e| e.kind()));
        sleep(A_WHILE);
        speaker.write_all(b"x").unwrap();
        assert_eq!(green.join().unwrap(), Ok(1));
        drop(none_to_spare);
        setrlimit(Resource::Nofile, limit).unwrap();
    });
}

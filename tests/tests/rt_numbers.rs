//! What the runtime knows of descriptors by their numbers, and its own descriptors, which for a program
//! do not exist.

use std::fs;
use std::io::{Read, Write};
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, IntoRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use std_shim::{net, thread};
use sylvan::contract::io::{Attempt, Interest, Mode, attempt, ready};

use tests::process::Process;

tests::in_each_mode!(
    a_number_of_stds_own_sockets_means_the_present_one,
    the_runtimes_own_descriptors_do_not_exist_for_the_program,
    a_file_that_is_put_under_a_number_of_the_runtimes_stays_there,
    programs_find_the_lowest_numbers_free,
    event_loops_that_are_lost_are_made_anew,
    event_loops_that_are_lost_to_sleepers_are_made_anew,
    event_loops_that_are_lost_to_sleepers_deaf_to_signals_are_made_anew,
    a_lost_number_of_an_event_loop_is_left_to_whoever_has_it,
);

const A_WHILE: Duration = Duration::from_millis(60);

/// Descriptors of this process that are event loops of the kernel's, or wake one.
fn event_loops() -> Vec<RawFd> {
    let is_one = |path: &Path| {
        let target = fs::read_link(path).unwrap_or_default();
        target.ends_with("anon_inode:[eventpoll]") || target.ends_with("anon_inode:[eventfd]")
    };
    let open = fs::read_dir("/proc/self/fd").unwrap().map(|entry| entry.unwrap().path());
    let number = |path: &Path| path.file_name()?.to_str()?.parse().ok();
    open.filter(|path| is_one(path)).filter_map(|path| number(&path)).collect()
}

/// Closes a number by a system call that nobody sees.
fn close_unseen(number: RawFd) {
    // SAFETY: the scene is about this.
    unsafe { rustix::io::close(number) };
}

fn borrow<'a>(number: RawFd) -> BorrowedFd<'a> {
    // SAFETY: the scenes keep it open while they ask about it.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// Threads that talk to each other over sockets, and sleep.
fn work() {
    let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let clients: Vec<_> = (0..8)
        .map(|_| {
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(2));
                let mut stream = net::TcpStream::connect(address).unwrap();
                let mut text = String::new();
                stream.read_to_string(&mut text).unwrap();
                text
            })
        })
        .collect();
    let server = thread::spawn(move || {
        for _ in 0..8 {
            let mut stream = listener.accept().unwrap().0;
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(2));
                stream.write_all(b"hello").unwrap();
            });
        }
    });
    assert!(clients.into_iter().all(|client| client.join().unwrap() == "hello"));
    server.join().unwrap();
}

fn a_number_of_stds_own_sockets_means_the_present_one(process: &Process) {
    fn received(socket: &UdpSocket) -> usize {
        attempt(socket.as_fd(), Interest::Read, |fd, mode| {
            assert_eq!(mode, Mode::NonBlocking);
            let flags = rustix::net::RecvFlags::DONTWAIT;
            Ok(Attempt::Done(rustix::net::recv(fd, &mut [0; 8], flags)?.1))
        })
        .unwrap()
    }
    process.passes(|| {
        let waits = || {
            let near = UdpSocket::bind("127.0.0.1:0").unwrap();
            let (mut last, mut n_again) = (-1, 0);
            for n in 0..20 {
                let far = UdpSocket::bind("127.0.0.1:0").unwrap();
                let (number, address) = (far.as_raw_fd(), far.local_addr().unwrap());
                // Most often: the monitor may have a file open for a moment.
                n_again += i32::from(std::mem::replace(&mut last, number) == number);
                let near = near.try_clone().unwrap();
                let late = thread::spawn(move || {
                    thread::sleep(Duration::from_millis(5));
                    near.send_to(b"some", address).unwrap();
                });
                if n % 2 == 0 {
                    assert!(ready(far.as_fd(), Interest::Read, None).unwrap());
                }
                assert_eq!(received(&far), 4);
                late.join().unwrap();
                let soon = Some(Instant::now() + Duration::from_millis(2));
                assert!(!ready(far.as_fd(), Interest::Read, soon).unwrap());
                if n % 3 == 0 {
                    // As whoever calls the kernel without libc.
                    close_unseen(far.into_raw_fd());
                }
            }
            assert!(n_again > 5, "{n_again} times the same number");
        };
        thread::spawn(waits).join().unwrap();
    });
}

fn the_runtimes_own_descriptors_do_not_exist_for_the_program(process: &Process) {
    process.passes(|| {
        work();
        let own = event_loops();
        assert!(!own.is_empty());
        for number in own {
            let errno = || std::io::Error::last_os_error().raw_os_error();
            // SAFETY: nothing happens to them: that is what the scene is about.
            unsafe {
                assert_eq!((libc::close(number), errno()), (-1, Some(libc::EBADF)));
                assert_eq!((libc::fcntl(number, libc::F_GETFD), errno()), (-1, Some(libc::EBADF)));
                assert_eq!((libc::dup2(number, 900), errno()), (-1, Some(libc::EBADF)));
            }
            work();
        }
    });
}

fn a_file_that_is_put_under_a_number_of_the_runtimes_stays_there(process: &Process) {
    process.passes(|| {
        work();
        let (near, mut far) = UnixStream::pair().unwrap();
        let own = event_loops();
        for number in &own {
            // SAFETY: for the program the number is free.
            assert_eq!(unsafe { libc::dup2(near.as_raw_fd(), *number) }, *number);
            work();
        }
        // As many, under other numbers.
        let moved = event_loops();
        assert_eq!(moved.len(), own.len());
        assert!(moved.iter().all(|number| !own.contains(number)));
        work();
        for number in own {
            rustix::io::write(borrow(number), b"x").unwrap();
            far.read_exact(&mut [0]).unwrap();
            // SAFETY: it is the program's now.
            assert_eq!(unsafe { libc::close(number) }, 0);
        }
        drop(near);
        assert_eq!(far.read(&mut [0]).unwrap(), 0, "nobody else has written there");
    });
}

fn programs_find_the_lowest_numbers_free(process: &Process) {
    process.passes(|| {
        let free = || rustix::io::dup(std::io::stderr()).unwrap().as_raw_fd();
        let before = free();
        work();
        assert_eq!(free(), before);
    });
}

/// Keeps cores awake while `f` runs.
fn while_busy(f: impl FnOnce()) {
    let stop = Arc::new(AtomicBool::new(false));
    let n_busy = Arc::new(AtomicUsize::new(0));
    let n = sylvan::workers().unwrap();
    let busy: Vec<_> = (0..n)
        .map(|_| {
            let (stop, n_busy) = (Arc::clone(&stop), Arc::clone(&n_busy));
            thread::spawn(move || {
                n_busy.fetch_add(1, Relaxed);
                while !stop.load(Relaxed) {
                    thread::yield_now();
                }
            })
        })
        .collect();
    while n_busy.load(Relaxed) < n {
        thread::sleep(A_WHILE / 10);
    }
    f();
    stop.store(true, Relaxed);
    busy.into_iter().for_each(|thread| thread.join().unwrap());
}

/// One who waits since before, and is to hear all the same.
fn one_who_waits() -> (UnixStream, thread::JoinHandle<usize>) {
    let (near, far) = UnixStream::pair().unwrap();
    let mut far = std_shim::os::unix::net::UnixStream::from(far);
    let waiter = thread::spawn(move || far.read(&mut [0; 8]).unwrap());
    thread::sleep(A_WHILE);
    (near, waiter)
}

fn event_loops_that_are_lost_are_made_anew(process: &Process) {
    process.passes(|| {
        work();
        for _ in 0..3 {
            let (mut near, waiter) = one_who_waits();
            while_busy(|| {
                event_loops().into_iter().for_each(close_unseen);
                work();
                near.write_all(b"some").unwrap();
                assert_eq!(waiter.join().unwrap(), 4);
            });
        }
    });
}

fn lose_event_loops_to_sleepers() {
    work();
    for _ in 0..3 {
        let (mut near, waiter) = one_who_waits();
        event_loops().into_iter().for_each(close_unseen);
        work();
        near.write_all(b"some").unwrap();
        assert_eq!(waiter.join().unwrap(), 4);
    }
}

fn event_loops_that_are_lost_to_sleepers_are_made_anew(process: &Process) {
    process.passes(lose_event_loops_to_sleepers);
}

fn event_loops_that_are_lost_to_sleepers_deaf_to_signals_are_made_anew(process: &Process) {
    process.passes(|| {
        // As a server that leaves all signals to one thread. From here on idle workers block them, too.
        // SAFETY: a set of all signals.
        unsafe {
            let mut all = std::mem::zeroed();
            libc::sigfillset(&mut all);
            let none = std::ptr::null_mut();
            assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, &all, none), 0);
        }
        lose_event_loops_to_sleepers();
    });
}

fn a_lost_number_of_an_event_loop_is_left_to_whoever_has_it(process: &Process) {
    process.passes(|| {
        work();
        let own = event_loops();
        let (near, mut far) = UnixStream::pair().unwrap();
        while_busy(|| {
            for number in &own {
                close_unseen(*number);
                // SAFETY: as whoever opens a file finds it free.
                let copy: OwnedFd = unsafe {
                    let mut there = std::os::fd::FromRawFd::from_raw_fd(*number);
                    rustix::io::dup2(near.as_fd(), &mut there).unwrap();
                    there
                };
                std::mem::forget(copy);
            }
            work();
            for number in &own {
                // SAFETY: it is the program's.
                assert_eq!(unsafe { libc::close(*number) }, 0);
            }
            work();
        });
        drop(near);
        assert_eq!(far.read(&mut [0]).unwrap(), 0, "nobody else has written there");
    });
}

//! An OS thread that accepts beside green ones: the event loop wakes it while workers are busy, and the
//! kernel does otherwise.

use std::cell::Cell;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl};
use std_shim::net::{TcpListener, TcpStream};
use std_shim::thread;

use tests::process::Process;

tests::in_each_mode!(
    beside_threads_that_yield_each_connection_is_accepted,
    a_worker_that_computes_does_not_keep_an_os_thread_from_accepting,
    an_os_thread_and_green_ones_accept_at_one_listener,
    whoever_gets_the_listener_finds_that_it_blocks,
    who_accepts_beside_others_keeps_its_thread_locals,
    a_child_of_a_fork_accepts_as_if_there_were_no_workers,
);

/// Keeps a worker busy until it is dropped.
struct Busy(Arc<AtomicBool>);

impl Busy {
    fn start(each_time: fn()) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&over);
        thread::spawn(move || {
            while !theirs.load(Relaxed) {
                each_time();
            }
        });
        Self(over)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("its address");
    (listener, address)
}

/// Sends a byte to whoever accepts, `n` times, each on a connection of its own, and wants it back.
fn start_clients(address: SocketAddr, n: usize) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for i in 0..n {
            let mut stream = std::net::TcpStream::connect(address).expect("somebody listens");
            stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
            stream.write_all(&[i as u8]).expect("a connection");
            let mut byte = [0];
            stream.read_exact(&mut byte).expect("an answer");
            assert_eq!(byte[0], i as u8);
        }
    })
}

fn answer(mut stream: TcpStream) {
    let mut byte = [0];
    stream.read_exact(&mut byte).expect("a byte");
    stream.write_all(&byte).expect("a client");
}

fn beside_threads_that_yield_each_connection_is_accepted(process: &Process) {
    process.env("SYLVAN_WORKERS", "2").passes(|| {
        let _busy = [Busy::start(thread::yield_now), Busy::start(thread::yield_now)];
        let (listener, address) = listen();
        let clients = [(); 4].map(|()| start_clients(address, 250));
        for _ in 0..1_000 {
            let (stream, _) = listener.accept().expect("a connection");
            thread::spawn(move || answer(stream));
        }
        for client in clients {
            client.join().expect("all were answered");
        }
    });
}

/// It is not left to the worker for longer than a moment.
fn a_worker_that_computes_does_not_keep_an_os_thread_from_accepting(process: &Process) {
    process.env("SYLVAN_WORKERS", "1").passes(|| {
        let _busy = Busy::start(std::hint::spin_loop);
        let (listener, address) = listen();
        let client = start_clients(address, 20);
        for _ in 0..20 {
            answer(listener.accept().expect("a connection").0);
        }
        client.join().expect("all were answered");
    });
}

fn an_os_thread_and_green_ones_accept_at_one_listener(process: &Process) {
    process.env("SYLVAN_WORKERS", "2").passes(|| {
        let _busy = Busy::start(thread::yield_now);
        let (listener, address) = listen();
        let listener = Arc::new(listener);
        let n_accepted = Arc::new(AtomicUsize::new(0));
        let accept = |listener: Arc<TcpListener>, n_accepted: Arc<AtomicUsize>| {
            while n_accepted.fetch_add(1, Relaxed) < 400 {
                answer(listener.accept().expect("a connection").0);
            }
        };
        let greens = [(); 3].map(|()| {
            let (listener, n_accepted) = (Arc::clone(&listener), Arc::clone(&n_accepted));
            thread::spawn(move || accept(listener, n_accepted))
        });
        let clients = [(); 4].map(|()| start_clients(address, 100));
        accept(listener, n_accepted);
        for client in clients {
            client.join().expect("all were answered");
        }
        for green in greens {
            green.join().expect("connections");
        }
    });
}

fn whoever_gets_the_listener_finds_that_it_blocks(process: &Process) {
    process.env("SYLVAN_WORKERS", "1").passes(|| {
        let _busy = Busy::start(thread::yield_now);
        let (listener, address) = listen();
        let client = start_clients(address, 50);
        for _ in 0..50 {
            answer(listener.accept().expect("a connection").0);
        }
        client.join().expect("all were answered");
        let flags = fcntl_getfl(listener.as_fd()).expect("its flags");
        assert!(!flags.contains(OFlags::NONBLOCK), "{flags:?}");
    });
}

/// The event loop that hears of the listener may be another core's than that of who is woken.
fn who_accepts_beside_others_keeps_its_thread_locals(process: &Process) {
    thread_local! {
        static MINE: Cell<usize> = const { Cell::new(0) };
    }
    process.env("SYLVAN_WORKERS", "2").passes(|| {
        let (listener, address) = listen();
        let listener = Arc::new(listener);
        let greens: Vec<_> = (0..8)
            .map(|_| {
                let listener = Arc::clone(&listener);
                thread::spawn(move || {
                    let place = || MINE.with(|mine| ptr::from_ref(mine).addr());
                    // For so long that the other worker takes some of them, too.
                    let begin = Instant::now();
                    while begin.elapsed() < Duration::from_millis(2) {}
                    let first = place();
                    for _ in 0..50 {
                        answer(listener.accept().expect("a connection").0);
                        assert_eq!(place(), first, "the thread-locals of another worker");
                        thread::yield_now();
                    }
                })
            })
            .collect();
        let clients = [(); 4].map(|()| start_clients(address, 100));
        for client in clients {
            client.join().expect("all were answered");
        }
        for green in greens {
            green.join().expect("fifty connections");
        }
    });
}

/// It has one thread, and shares its files with its parent.
fn a_child_of_a_fork_accepts_as_if_there_were_no_workers(process: &Process) {
    process.env("SYLVAN_WORKERS", "1").passes(|| {
        let _busy = Busy::start(thread::yield_now);
        let (ours, our_address) = listen();
        let green = thread::spawn(move || {
            for _ in 0..2 {
                answer(ours.accept().expect("a connection").0);
            }
        });
        start_clients(our_address, 1).join().expect("an answer");
        let (theirs, their_address) = listen();
        // SAFETY: the child calls what this thread might have called, and takes no lock that another
        // thread may have held: it accepts, reads and writes.
        let child = unsafe { libc::fork() };
        if child == 0 {
            for _ in 0..3 {
                answer(theirs.accept().expect("a connection").0);
            }
            // SAFETY: ends the child, without the destructors of what is its parent's.
            unsafe { libc::_exit(0) };
        }
        start_clients(their_address, 2).join().expect("answers of the child");
        let flags = fcntl_getfl(theirs.as_fd()).expect("its flags");
        assert!(!flags.contains(OFlags::NONBLOCK), "{flags:?}");
        start_clients(their_address, 1).join().expect("an answer of the child");
        start_clients(our_address, 1).join().expect("an answer of the parent");
        green.join().expect("two connections");
        let mut status = 0;
        // SAFETY: waits for the child that was made above.
        assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
        assert_eq!(status, 0);
    });
}

//! Signals that arrive all the time, at every thread, with a handler that does not restart system
//! calls: nothing is lost, and nothing ends early.

use std::cell::Cell;
use std::fs;
use std::mem;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

static N_HANDLED: AtomicUsize = AtomicUsize::new(0);
static STOP: AtomicBool = AtomicBool::new(false);

std::thread_local!(static HANDLED_HERE: Cell<usize> = const { Cell::new(0) });

/// Touches what is the thread's own, whichever thread that is at the moment.
extern "C" fn on_signal(_: libc::c_int) {
    // SAFETY: the address of the thread's `errno`.
    let errno = unsafe { &mut *libc::__errno_location() };
    let before = mem::replace(errno, libc::EDOM);
    HANDLED_HERE.set(HANDLED_HERE.get() + 1);
    N_HANDLED.fetch_add(1, Relaxed);
    *errno = before;
}

/// Sends signals to every OS thread of this process, as long as `scene` takes: again and again until there
/// were enough, for on a busy machine the sender may get little done meanwhile.
fn under_signals(scene: impl Fn()) {
    const ENOUGH: usize = 200;
    // SAFETY: zero is a valid `sigaction`, without SA_RESTART; the handler touches what it may.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = on_signal as *const () as libc::sighandler_t;
        assert_eq!(libc::sigaction(libc::SIGUSR1, &action, ptr::null_mut()), 0);
    }
    let sender = std::thread::spawn(|| {
        while !STOP.load(Relaxed) {
            for thread in fs::read_dir("/proc/self/task").expect("a list of the threads") {
                let thread = thread.expect("a thread").file_name();
                let thread: i32 = thread.to_str().and_then(|id| id.parse().ok()).expect("its id");
                // SAFETY: sends a signal to a thread of this process, or to none.
                unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), thread, libc::SIGUSR1) };
            }
            std::thread::sleep(Duration::from_micros(20));
        }
    });
    while N_HANDLED.load(Relaxed) < ENOUGH {
        scene();
    }
    STOP.store(true, Relaxed);
    sender.join().expect("the sender");
    println!("{} signals", N_HANDLED.load(Relaxed));
}

tests::on_std_and_in_each_mode! {
    items {
        use std::io::{self, ErrorKind, Read, Write};
        use std::net::{TcpListener, TcpStream, UdpSocket};
        use std::process::Command;
        use std::sync::{Arc, Condvar, Mutex, mpsc};
        use std::sync::atomic::{AtomicUsize, Ordering::{Acquire, Release}};
        use std::thread;
        use std::time::{Duration, Instant};

        use super::under_signals;
    }

    fn connections_lose_no_byte(process) {
        process.passes(|| under_signals(|| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            thread::spawn(move || {
                for client in listener.incoming() {
                    let client = client.unwrap();
                    thread::spawn(move || io::copy(&mut &client, &mut &client));
                }
            });
            let clients: Vec<_> = (0..16)
                .map(|n| {
                    thread::spawn(move || {
                        let begin = Instant::now();
                        while begin.elapsed() < Duration::from_millis(700) {
                            let mut server = TcpStream::connect(address).unwrap();
                            let far = Duration::from_secs(10);
                            drop(TcpStream::connect_timeout(&address, far).unwrap());
                            for round in 0..20 {
                                server.write_all(&[n + round; 3_000]).unwrap();
                                let mut back = [0; 3_000];
                                server.read_exact(&mut back).unwrap();
                                assert_eq!(back, [n + round; 3_000]);
                            }
                        }
                    })
                })
                .collect();
            clients.into_iter().for_each(|client| client.join().unwrap());
        }));
    }

    fn sleeps_and_joins_take_as_long_as_they_should(process) {
        process.passes(|| under_signals(|| {
            let threads: Vec<_> = (1..=40)
                .map(|n| {
                    thread::spawn(move || {
                        let time = Duration::from_micros(1_500 * n);
                        for _ in 0..10 {
                            let begin = Instant::now();
                            thread::sleep(time);
                            assert!(begin.elapsed() >= time);
                            let child = thread::spawn(move || thread::sleep(time / 2));
                            let begin = Instant::now();
                            child.join().unwrap();
                            assert!(begin.elapsed() < Duration::from_secs(5));
                        }
                    })
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }));
    }

    fn a_park_is_ended_by_its_token_alone(process) {
        process.passes(|| under_signals(|| {
            const N: usize = 100;
            let gifts = Arc::new(AtomicUsize::new(0));
            let parks = Arc::new(AtomicUsize::new(0));
            let parked = thread::spawn({
                let (gifts, parks) = (gifts.clone(), parks.clone());
                move || {
                    for n in 1..=N {
                        thread::park();
                        assert_eq!(gifts.load(Acquire), n);
                        parks.store(n, Release);
                    }
                }
            });
            for n in 1..=N {
                // It parks, and is sent signals.
                thread::sleep(Duration::from_millis(2));
                gifts.store(n, Release);
                parked.thread().unpark();
                while parks.load(Acquire) < n {
                    thread::sleep(Duration::from_micros(100));
                }
            }
            parked.join().unwrap();
        }));
    }

    fn locks_and_channels_wait_for_what_they_wait_for(process) {
        process.passes(|| under_signals(|| {
            let (send, receive) = mpsc::sync_channel(2);
            let pair = Arc::new((Mutex::new(0), Condvar::new()));
            let senders: Vec<_> = (0..8)
                .map(|n| {
                    let (send, pair) = (send.clone(), pair.clone());
                    thread::spawn(move || {
                        for round in 0..60 {
                            send.send(n).unwrap();
                            let (turn, has_changed) = &*pair;
                            let turn = turn.lock().unwrap();
                            let mut turn = has_changed
                                .wait_while(turn, |turn| *turn / 8 < round || *turn % 8 != n)
                                .unwrap();
                            thread::sleep(Duration::from_micros(500));
                            *turn += 1;
                            drop(turn);
                            has_changed.notify_all();
                        }
                    })
                })
                .collect();
            drop(send);
            let mut n_of_each = [0; 8];
            receive.iter().for_each(|n: usize| n_of_each[n] += 1);
            assert_eq!(n_of_each, [60; 8]);
            senders.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(*pair.0.lock().unwrap(), 480);
            let patience = Duration::from_millis(30);
            let begin = Instant::now();
            let (_, receive) = mpsc::channel::<()>();
            assert!(receive.recv_timeout(patience).is_err());
            let (_send, receive) = mpsc::channel::<()>();
            assert!(receive.recv_timeout(patience).is_err());
            assert!(begin.elapsed() >= patience);
        }));
    }

    fn datagrams_and_timeouts_are_as_without_signals(process) {
        process.passes(|| under_signals(|| {
            let pairs: Vec<_> = (0..8)
                .map(|_| {
                    thread::spawn(|| {
                        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
                        socket.connect(socket.local_addr().unwrap()).unwrap();
                        let timeout = Duration::from_millis(60);
                        socket.set_read_timeout(Some(timeout)).unwrap();
                        for n in 0..40_u8 {
                            assert_eq!(socket.send(&[n]).unwrap(), 1);
                            let mut buffer = [0; 2];
                            // std's own is interrupted, and says so.
                            let received = loop {
                                match socket.recv(&mut buffer) {
                                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                                    other => break other.unwrap(),
                                }
                            };
                            assert_eq!((received, buffer[0]), (1, n));
                        }
                        let begin = Instant::now();
                        match socket.recv(&mut [0]).unwrap_err().kind() {
                            ErrorKind::Interrupted => {}
                            kind => {
                                assert_eq!(kind, ErrorKind::WouldBlock);
                                assert!(begin.elapsed() >= timeout - Duration::from_millis(11));
                            }
                        }
                    })
                })
                .collect();
            pairs.into_iter().for_each(|thread| thread.join().unwrap());
        }));
    }

    fn children_are_awaited_to_their_end(process) {
        process.passes(|| under_signals(|| {
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    thread::spawn(|| {
                        for _ in 0..3 {
                            let mut command = Command::new("sh");
                            let output = command.args(["-c", "sleep 0.03; echo here"]).output();
                            assert_eq!(output.unwrap().stdout, b"here\n");
                        }
                    })
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }));
    }

    fn what_a_handler_touches_is_the_threads_own(process) {
        let shared = process.way() == tests::process::Way::Shared;
        process.passes(|| under_signals(|| {
            let begin = Instant::now();
            let threads: Vec<_> = (0..50)
                .map(|n| {
                    thread::spawn(move || {
                        let mut last = 0;
                        while begin.elapsed() < Duration::from_millis(600) {
                            // SAFETY: the address of the thread's `errno`, valid until it waits.
                            unsafe { *libc::__errno_location() = n };
                            for _ in 0..2_000 {
                                ::std::hint::spin_loop();
                            }
                            // SAFETY: as above.
                            assert_eq!(unsafe { *libc::__errno_location() }, n);
                            let here = super::HANDLED_HERE.get();
                            assert!(here >= last || shared);
                            last = here;
                            thread::sleep(Duration::from_micros(100));
                        }
                    })
                })
                .collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }));
    }
}

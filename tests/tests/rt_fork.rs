//! A process that forks: its child has one thread, as POSIX says, and a runtime that starts anew; the
//! parent goes on as if nothing had happened.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::pipe::PipeFlags;
use sylvan::contract::io::{Attempt, Interest, attempt_unflagged};
use tests::forks::{fork, status_of};
use tests::process::Process;
use tests::{in_each_mode, on_std_and_in_each_mode};

on_std_and_in_each_mode! {
    items {
        use std::io::{Read, Write};
        use std::net::{SocketAddr, TcpListener, TcpStream};
        use std::process::{self, Command};
        use std::sync::{Arc, Barrier, Condvar, Mutex, mpsc};
        use std::thread;
        use std::time::Duration;

        use super::{fork, status_of};

        /// What a program does with threads: all of it works.
        fn work() -> i32 {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let server = thread::spawn(move || {
                let serve = |_| {
                    let mut stream = listener.accept().unwrap().0;
                    thread::spawn(move || {
                        let mut bytes = [0; 4];
                        while stream.read_exact(&mut bytes).is_ok() {
                            stream.write_all(&bytes).unwrap();
                        }
                    })
                };
                let served: Vec<_> = (0..4).map(serve).collect();
                served.into_iter().for_each(|thread| thread.join().unwrap());
            });
            let shared = Arc::new((Mutex::new(0), Condvar::new()));
            let (sender, receiver) = mpsc::channel();
            let clients: Vec<_> = (0..4)
                .map(|n: u32| {
                    let (shared, sender) = (shared.clone(), sender.clone());
                    thread::spawn(move || {
                        let mut stream = TcpStream::connect(address).unwrap();
                        for _ in 0..20 {
                            stream.write_all(&n.to_ne_bytes()).unwrap();
                            let mut bytes = [0; 4];
                            stream.read_exact(&mut bytes).unwrap();
                            assert_eq!(u32::from_ne_bytes(bytes), n);
                        }
                        thread::sleep(Duration::from_millis(2));
                        *shared.0.lock().unwrap() += 1;
                        shared.1.notify_all();
                        sender.send(n).unwrap();
                    })
                })
                .collect();
            drop(sender);
            let all = shared.1.wait_while(shared.0.lock().unwrap(), |n| *n < 4).unwrap();
            drop(all);
            assert_eq!(receiver.iter().sum::<u32>(), 6);
            clients.into_iter().for_each(|thread| thread.join().unwrap());
            server.join().unwrap();
            let parked = thread::spawn(thread::park);
            parked.thread().unpark();
            parked.join().unwrap();
            let quiet = mpsc::channel::<()>();
            let timeout = Duration::from_millis(2);
            thread::spawn(move || quiet.1.recv_timeout(timeout).unwrap_err()).join().unwrap();
            drop(quiet.0);
            let output = thread::spawn(|| Command::new("echo").arg("hi").output().unwrap());
            assert_eq!(output.join().unwrap().stdout, b"hi\n");
            7
        }

        /// Threads that do not end, and wait in every way there is.
        fn keep_waiting() {
            let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
            let mutex = Arc::new(Mutex::new(()));
            let (n, joins) = (100, |n: &i32| n % 7 == 4);
            // Whoever starts later may hold a lock of std's own when the process forks.
            let n_threads = n as usize + (0..n).filter(joins).count();
            let ready = Arc::new(Barrier::new(n_threads + 1));
            for n in 0..n {
                let (listener, mutex) = (listener.clone(), mutex.clone());
                let ready = ready.clone();
                thread::spawn(move || {
                    let joined = joins(&n).then(|| {
                        let ready = ready.clone();
                        thread::spawn(move || {
                            ready.wait();
                            thread::park();
                        })
                    });
                    ready.wait();
                    match n % 7 {
                        0 => thread::sleep(Duration::from_secs(3600)),
                        1 => thread::park(),
                        2 => drop(listener.accept()),
                        3 => drop(mpsc::channel::<()>().1.recv_timeout(Duration::from_secs(3600))),
                        4 => drop(joined.expect("it was started").join()),
                        5 => {
                            let _held = mutex.lock().unwrap();
                            thread::sleep(Duration::from_secs(3600));
                        }
                        _ => loop {
                            thread::sleep(Duration::from_micros(300));
                            drop(Box::new([n; 100]));
                        },
                    }
                });
            }
            ready.wait();
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn after_all_threads_have_ended(process) {
        process.passes(|| {
            assert_eq!(work(), 7);
            for _ in 0..3 {
                assert_eq!(status_of(fork(work)), 7);
                assert_eq!(work(), 7);
            }
        });
    }

    fn before_there_was_any_thread(process) {
        process.passes(|| {
            assert_eq!(status_of(fork(work)), 7);
            assert_eq!(work(), 7);
        });
    }

    fn while_a_hundred_threads_wait(process) {
        process.passes(|| {
            keep_waiting();
            for _ in 0..3 {
                assert_eq!(status_of(fork(work)), 7);
            }
            assert_eq!(work(), 7);
        });
    }

    fn a_grandchild(process) {
        process.passes(|| {
            keep_waiting();
            let child = fork(|| {
                assert_eq!(work(), 7);
                keep_waiting();
                let grandchild = fork(|| {
                    keep_waiting();
                    assert_eq!(status_of(fork(work)), 7);
                    work()
                });
                assert_eq!(work(), 7);
                status_of(grandchild)
            });
            assert_eq!(work(), 7);
            assert_eq!(status_of(child), 7);
        });
    }

    fn from_a_thread(process) {
        // On OS threads one child in thirty hangs: while a thread starts it has a lock of std's, in which the
        // bounds of its stack are noted, and if another one forks meanwhile no thread can start in the child.
        let n_forks = if process.way() == ::tests::process::Way::OsThreads { 1 } else { 3 };
        process.passes(move || {
            keep_waiting();
            let forks = || {
                let (id, name) = (thread::current().id(), thread::current().name().map(str::to_owned));
                let child = fork(|| {
                    assert_eq!(thread::current().id(), id);
                    assert_eq!(thread::current().name().map(str::to_owned), name);
                    let me = thread::current();
                    let waker = thread::spawn(move || me.unpark());
                    thread::park();
                    waker.join().unwrap();
                    thread::sleep(Duration::from_millis(2));
                    let child = fork(|| thread::spawn(work).join().unwrap());
                    assert_eq!(status_of(child), 7);
                    work()
                });
                assert_eq!(work(), 7);
                assert_eq!(thread::current().id(), id);
                status_of(child)
            };
            if n_forks == 1 {
                // Those that wait have all started by then.
                thread::sleep(Duration::from_millis(100));
            }
            let threads: Vec<_> = (0..n_forks)
                .map(|n| thread::Builder::new().name(format!("forks {n}")).spawn(forks).unwrap())
                .collect();
            threads.into_iter().for_each(|thread| assert_eq!(thread.join().unwrap(), 7));
        });
    }

    fn a_thread_that_has_forked_ends_and_with_it_the_child(process) {
        process.passes(|| {
            let (sender, children) = mpsc::channel();
            // It is joined by this thread, which is not there in the child.
            let forks = thread::spawn(move || {
                // SAFETY: as in `fork`.
                match unsafe { libc::fork() } {
                    0 => assert_eq!(work(), 7),
                    child => sender.send(child).unwrap(),
                }
            });
            forks.join().unwrap();
            assert_eq!(status_of(children.recv().unwrap()), 0);
            let panics = thread::spawn(move || {
                // SAFETY: as in `fork`.
                let child = unsafe { libc::fork() };
                assert_ne!(child, 0, "only in the child");
                child
            });
            assert_eq!(status_of(panics.join().unwrap()), 0);
            assert_eq!(work(), 7);
        });
    }

    fn a_child_exits_or_executes_another_program(process) {
        process.passes(|| {
            keep_waiting();
            let exits = || {
                assert_eq!(work(), 7);
                process::exit(3)
            };
            assert_eq!(status_of(fork(exits)), 3);
            assert_eq!(thread::spawn(move || status_of(fork(exits))).join().unwrap(), 3);
            let executes = || {
                let [program, option, script] = [c"sh", c"-c", c"exit 5"].map(|word| word.as_ptr());
                // SAFETY: a list of arguments that ends with a null pointer.
                unsafe { libc::execlp(program, program, option, script, std::ptr::null::<u8>()) }
            };
            assert_eq!(status_of(fork(executes)), 5);
            assert_eq!(thread::spawn(move || status_of(fork(executes))).join().unwrap(), 5);
        });
    }

    fn the_parent_answers_all_that_it_is_asked(process) {
        process.passes(|| {
            const CONNECTIONS: usize = 16;
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address: SocketAddr = listener.local_addr().unwrap();
            let server = thread::spawn(move || {
                for _ in 0..CONNECTIONS {
                    let mut stream = listener.accept().unwrap().0;
                    thread::spawn(move || {
                        while stream.read_exact(&mut [0]).is_ok() {
                            stream.write_all(&process::id().to_ne_bytes()).unwrap();
                        }
                    });
                }
            });
            let mut clients: Vec<_> =
                (0..CONNECTIONS).map(|_| ::std::net::TcpStream::connect(address).unwrap()).collect();
            server.join().unwrap();
            let mut ask_all = || {
                clients.iter_mut().for_each(|client| client.write_all(&[1]).unwrap());
                for client in &mut clients {
                    let mut bytes = [0; 4];
                    client.read_exact(&mut bytes).unwrap();
                    assert_eq!(u32::from_ne_bytes(bytes), process::id());
                }
            };
            ask_all();
            let forks_here = || {
                fork(|| {
                    for _ in 0..20 {
                        assert_eq!(work(), 7);
                    }
                    7
                })
            };
            let children = [forks_here(), thread::spawn(forks_here).join().unwrap()];
            for _ in 0..300 {
                ask_all();
                thread::sleep(Duration::from_millis(1));
            }
            children.into_iter().for_each(|child| assert_eq!(status_of(child), 7));
            ask_all();
        });
    }

    fn threads_of_the_parent_do_not_run_in_the_child(process) {
        process.passes(|| {
            let (sender, receiver) = mpsc::channel::<i32>();
            let run_here = process::id();
            let stays = move || assert_eq!(process::id(), run_here);
            let receives = thread::spawn(move || {
                let got = receiver.recv().unwrap();
                stays();
                got
            });
            let parks = thread::spawn(move || {
                thread::park();
                stays();
            });
            let ends = thread::spawn(thread::park);
            let ending = ends.thread().clone();
            let joins = thread::spawn(move || {
                ends.join().unwrap();
                stays();
            });
            // By an OS thread of its own, whose stack libc uses again.
            let (to_os_thread, os_thread_receives) = mpsc::channel::<i32>();
            let os_thread = ::std::thread::spawn(move || os_thread_receives.recv().unwrap());
            thread::sleep(Duration::from_millis(50));
            let (sends, parked, ends) = (sender.clone(), parks.thread().clone(), ending.clone());
            let sends_to_os_thread = to_os_thread.clone();
            let child = fork(move || {
                assert_eq!(work(), 7);
                let others: Vec<_> = (0..8).map(|_| ::std::thread::spawn(work)).collect();
                for n in 0..100 {
                    sends.send(n).unwrap();
                    sends_to_os_thread.send(n).unwrap();
                    parked.unpark();
                    ends.unpark();
                }
                for other in others {
                    assert_eq!(other.join().unwrap(), 7);
                }
                thread::sleep(Duration::from_millis(20));
                work()
            });
            assert_eq!(status_of(child), 7);
            sender.send(5).unwrap();
            to_os_thread.send(6).unwrap();
            parks.thread().unpark();
            ending.unpark();
            assert_eq!(receives.join().unwrap(), 5);
            assert_eq!(os_thread.join().unwrap(), 6);
            parks.join().unwrap();
            joins.join().unwrap();
        });
    }

    fn a_lock_that_the_forking_thread_has_is_free_after_it(process) {
        process.passes(|| {
            let mutex = Arc::new(Mutex::new(0));
            let held = mutex.lock().unwrap();
            let wait = |_| {
                let mutex = mutex.clone();
                thread::spawn(move || *mutex.lock().unwrap() += 1)
            };
            let waiters: Vec<_> = (0..10).map(wait).collect();
            thread::sleep(Duration::from_millis(50));
            // SAFETY: as in `fork`.
            match unsafe { libc::fork() } {
                0 => {
                    drop(held);
                    let threads: Vec<_> = (0..10).map(wait).collect();
                    threads.into_iter().for_each(|thread| thread.join().unwrap());
                    assert_eq!(*mutex.lock().unwrap(), 10);
                    process::exit(7);
                }
                child => assert_eq!(status_of(child), 7),
            }
            drop(held);
            waiters.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(*mutex.lock().unwrap(), 10);
        });
    }

    fn listeners_are_shared_as_their_files_are(process) {
        process.passes(|| {
            let listener = Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
            let address = listener.local_addr().unwrap();
            let accepts = |listener: &TcpListener| {
                let mut stream = listener.accept().unwrap().0;
                stream.write_all(&process::id().to_ne_bytes()).unwrap();
            };
            let ask = || {
                let mut bytes = [0; 4];
                ::std::net::TcpStream::connect(address).unwrap().read_exact(&mut bytes).unwrap();
                u32::from_ne_bytes(bytes)
            };
            // Where a green thread has accepted the runtime has made it non-blocking.
            let same = listener.clone();
            let before = thread::spawn(move || accepts(&same));
            assert_eq!(ask(), process::id());
            before.join().unwrap();
            let child = fork(|| {
                accepts(&listener);
                let same = listener.clone();
                thread::spawn(move || accepts(&same)).join().unwrap();
                accepts(&listener);
                7
            });
            for _ in 0..3 {
                assert_eq!(ask(), child.cast_unsigned());
            }
            assert_eq!(status_of(child), 7);
            let after = thread::spawn(move || accepts(&listener));
            assert_eq!(ask(), process::id());
            after.join().unwrap();
        });
    }

    fn fifty_times_while_others_work(process) {
        let way = process.way();
        process.passes(move || {
            // On OS threads one child in a few hundred hangs: a thread that starts at the moment of the fork
            // may hold a lock of std's own, which stays locked in the child.
            if way == ::tests::process::Way::OsThreads {
                return;
            }
            keep_waiting();
            let stop = Arc::new(::std::sync::atomic::AtomicBool::new(false));
            let workers: Vec<_> = (0..3)
                .map(|_| {
                    let stop = stop.clone();
                    thread::spawn(move || {
                        while !stop.load(::std::sync::atomic::Ordering::Relaxed) {
                            assert_eq!(work(), 7);
                        }
                    })
                })
                .collect();
            let mut rng = ::tests::rng::Rng::of_this_run(0);
            for _ in 0..50 {
                thread::sleep(rng.micros_below(3_000));
                let child = if rng.below(2) == 0 {
                    fork(work)
                } else {
                    thread::spawn(|| fork(work)).join().unwrap()
                };
                assert_eq!(status_of(child), 7);
            }
            stop.store(true, ::std::sync::atomic::Ordering::Relaxed);
            workers.into_iter().for_each(|thread| thread.join().unwrap());
        });
    }
}

in_each_mode!(
    nothing_of_the_parents_event_loops_is_left,
    a_number_that_a_child_has_closed_is_no_more_what_it_was_to_its_parent,
    the_thread_that_has_forked_is_an_ordinary_one,
    the_stack_below_a_thread_that_has_forked_stays_as_it_is,
    a_child_has_settings_of_its_own,
    stacks_of_one_mode_are_good_for_the_other,
    a_start_that_fails_leaves_nothing_behind,
);

/// The event loops and what wakes them, of this process.
fn event_loops() -> Vec<String> {
    let links = fs::read_dir("/proc/self/fd").expect("this process").flatten();
    let targets = links.filter_map(|link| fs::read_link(link.path()).ok());
    let names = targets.map(|target| target.to_string_lossy().into_owned());
    names.filter(|name| name.contains("[eventpoll]") || name.contains("[eventfd]")).collect()
}

fn nothing_of_the_parents_event_loops_is_left(process: &Process) {
    process.env("SYLVAN_WORKERS", "3").passes(|| {
        let look = || i32::try_from(event_loops().len()).expect("a few");
        let spawns = move || {
            sylvan::spawn(|| ()).join().expect("a thread");
            look()
        };
        assert_eq!(look(), 0);
        assert_eq!(spawns(), 6);
        assert_eq!(status_of(fork(look)), 0);
        assert_eq!(status_of(fork(spawns)), 6);
        let in_a_thread = sylvan::spawn(move || (status_of(fork(look)), status_of(fork(spawns))));
        assert_eq!(in_a_thread.join().expect("a thread"), (0, 6));
        assert_eq!(spawns(), 6);
    });
}

fn the_thread_that_has_forked_is_an_ordinary_one(process: &Process) {
    process.passes(|| {
        let forks = sylvan::spawn(|| {
            assert!(sylvan::thread::is_green());
            let child = fork(|| i32::from(sylvan::thread::is_green()));
            assert!(sylvan::thread::is_green());
            assert_eq!(status_of(child), 0);
            // In a section that is made on this thread it goes on behind it.
            if sylvan::tls_mode().expect("the runtime") == sylvan::TlsMode::Own {
                let child = sylvan::blocking(|| {
                    // SAFETY: as in `fork`.
                    unsafe { libc::fork() }
                });
                if child == 0 {
                    sylvan::spawn(|| ()).join().expect("a thread of the child");
                    // SAFETY: ends the child.
                    unsafe { libc::_exit(9) };
                }
                assert_eq!(status_of(child), 9);
            }
        });
        forks.join().expect("a thread that forks");
    });
}

fn a_number_that_a_child_has_closed_is_no_more_what_it_was_to_its_parent(process: &Process) {
    process.passes(|| {
        // That of the reader.
        let number = rustix::io::dup(std::io::stderr()).expect("a number").as_raw_fd();
        let (mut reader, mut writer) = std_shim::io::pipe().expect("a pipe");
        writer.write_all(b"x").expect("room");
        // The runtime has the pipe not block, which is none of the program's doing.
        let reads = move || reader.read_exact(&mut [0]).map(|()| reader);
        let reader = std_shim::thread::spawn(reads).join().expect("no panic").expect("a byte");
        let child = fork(|| {
            // SAFETY: the child's own copy, which is not used any more.
            assert_eq!(unsafe { libc::close(number) }, 0);
            let (at, _writer) = rustix::pipe::pipe_with(PipeFlags::NONBLOCK).expect("a pipe");
            assert_eq!(at.as_raw_fd(), number);
            let read = |fd: BorrowedFd<'_>| Ok(Attempt::Done(rustix::io::read(fd, &mut [0; 1])?));
            let reads = move || attempt_unflagged(at.as_fd(), Interest::Read, read);
            let nothing = sylvan::spawn(reads).join().expect("no panic");
            i32::from(nothing.expect_err("nothing is there").kind() != ErrorKind::WouldBlock)
        });
        assert_eq!(status_of(child), 0);
        drop(reader);
    });
}

/// Where the calling OS thread's record has its number: at the top of its stack, whosever thread-locals it has. `None`
/// where the kernel does not tell.
fn number_of_os_thread() -> Option<*const libc::pid_t> {
    const PR_GET_TID_ADDRESS: libc::c_int = 40;
    let mut at = std::ptr::null::<libc::pid_t>();
    // SAFETY: it writes an address there.
    let done = unsafe { libc::prctl(PR_GET_TID_ADDRESS, &raw mut at) };
    (done == 0).then_some(at)
}

/// That of its worker, which libc would give to the next OS thread.
fn the_stack_below_a_thread_that_has_forked_stays_as_it_is(process: &Process) {
    process.passes(|| {
        let forks = || {
            let number_at = number_of_os_thread()?;
            // SAFETY: the OS thread is there, and in the child its memory is.
            let number = || unsafe { number_at.read_volatile() };
            assert_eq!(number(), rustix::thread::gettid().as_raw_nonzero().get());
            let child = fork(|| {
                let before = number();
                let os_threads = (0..20).map(|n: usize| {
                    std::thread::spawn(move || {
                        // Most of the stack is written to.
                        let filled = std::hint::black_box([n; 100_000]);
                        filled.iter().sum::<usize>()
                    })
                });
                let os_threads: Vec<_> = os_threads.collect();
                for (n, thread) in os_threads.into_iter().enumerate() {
                    assert_eq!(thread.join().expect("an OS thread"), n * 100_000);
                }
                sylvan::spawn(|| ()).join().expect("a thread of the child");
                assert_eq!(number(), before);
                7
            });
            Some(child)
        };
        match sylvan::spawn(forks).join().expect("a thread that forks") {
            Some(child) => assert_eq!(status_of(child), 7),
            None => eprintln!("skipped: the kernel does not tell where a thread's number is"),
        }
    });
}

fn a_child_has_settings_of_its_own(process: &Process) {
    let n_workers = || i32::try_from(sylvan::workers().expect("the runtime")).expect("a few");
    process.env("SYLVAN_WORKERS", "3").passes(move || {
        sylvan::spawn(|| ()).join().expect("a thread");
        assert_eq!(n_workers(), 3);
        assert_eq!(status_of(fork(n_workers)), 3);
        let child = fork(|| {
            // SAFETY: there is one thread.
            unsafe { std::env::set_var("SYLVAN_WORKERS", "4") };
            assert_eq!(n_workers(), 4);
            assert_eq!(status_of(fork(n_workers)), 4);
            n_workers()
        });
        assert_eq!(status_of(child), 4);
        let child = fork(|| {
            sylvan::Config::new().workers(5).start().expect("a start of its own");
            let again = sylvan::Config::new().start().expect_err("has started");
            assert_eq!(again.kind(), std::io::ErrorKind::AlreadyExists);
            // What the program has said goes before the environment.
            assert_eq!(status_of(fork(n_workers)), 5);
            n_workers()
        });
        assert_eq!(status_of(child), 5);
        let mode = sylvan::tls_mode().expect("the runtime");
        let other = match mode {
            sylvan::TlsMode::Own => sylvan::TlsMode::Shared,
            sylvan::TlsMode::Shared => sylvan::TlsMode::Own,
        };
        let child = fork(|| {
            match sylvan::Config::new().tls(other).start() {
                Ok(()) => assert_eq!(sylvan::tls_mode().expect("the runtime"), other),
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::Unsupported),
            }
            sylvan::spawn(|| 6).join().expect("a thread")
        });
        assert_eq!(status_of(child), 6);
        assert_eq!(sylvan::tls_mode().expect("the runtime"), mode);
    });
}

fn stacks_of_one_mode_are_good_for_the_other(process: &Process) {
    thread_local! {
        static MINE: std::cell::Cell<u32> = const { std::cell::Cell::new(7) };
    }
    // More than the workers keep for themselves.
    let many_at_a_time = || {
        let all_there = std::sync::Arc::new(std_shim::sync::Barrier::new(300));
        let thread = |_| {
            let all_there = all_there.clone();
            sylvan::spawn(move || {
                let mine = MINE.replace(8);
                all_there.wait();
                mine
            })
        };
        let threads: Vec<_> = (0..300).map(thread).collect();
        let found = threads.into_iter().map(|thread| thread.join().expect("a thread"));
        let found: Vec<_> = found.collect();
        let is_own = sylvan::tls_mode().expect("the runtime") == sylvan::TlsMode::Own;
        assert!(!is_own || found.iter().all(|mine| *mine == 7));
    };
    let start = |mode| match sylvan::Config::new().tls(mode).start() {
        Err(error) => assert_eq!(error.kind(), ErrorKind::Unsupported),
        Ok(()) => many_at_a_time(),
    };
    process.passes(move || {
        many_at_a_time();
        let (own, shared) = (sylvan::TlsMode::Own, sylvan::TlsMode::Shared);
        for [mode, next, last] in [[own, shared, own], [shared, own, own], [shared, own, shared]] {
            let child = fork(|| {
                start(mode);
                let child = fork(|| {
                    start(next);
                    assert_eq!(
                        status_of(fork(|| {
                            start(last);
                            5
                        })),
                        5
                    );
                    6
                });
                assert_eq!(status_of(child), 6);
                7
            });
            assert_eq!(status_of(child), 7);
        }
    });
}

fn a_start_that_fails_leaves_nothing_behind(process: &Process) {
    fn limit(n: u64) {
        let mut limits = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: asks for two numbers and sets one of them.
        unsafe {
            assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limits), 0);
            limits.rlim_cur = n;
            assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limits), 0);
        }
    }
    let n_open = || fs::read_dir("/proc/self/fd").expect("this process").count();
    process.env("SYLVAN_WORKERS", "8").passes(move || {
        let before = n_open();
        for n in [1, 4] {
            limit(u64::try_from(before).expect("a few") + n);
            let error = sylvan::Config::new().start().expect_err("too few descriptors");
            assert_eq!(error.raw_os_error(), Some(libc::EMFILE), "{error}");
            let spawned = sylvan::Builder::new().spawn(|| ());
            assert_eq!(spawned.expect_err("the same").raw_os_error(), Some(libc::EMFILE));
        }
        limit(1_000);
        assert_eq!(n_open(), before);
        sylvan::Config::new().workers(12).start().expect("enough of them");
        assert_eq!(sylvan::workers().expect("the runtime"), 12);
        let threads: Vec<_> = (0..1_000)
            .map(|_| {
                sylvan::spawn(|| {
                    let soon = std::time::Instant::now() + std::time::Duration::from_millis(5);
                    sylvan::sleep_until(soon);
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("a thread"));
    });
}

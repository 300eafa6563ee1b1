//! Threads that take their OS thread for themselves: they stay who they are, nobody else runs there,
//! and the rest goes on.

use std::io;

use tests::process::Way;

/// Binds the calling thread, where that can be had.
fn bind(way: Way) {
    let bound = sylvan::thread::bind().map_err(|error| error.kind());
    match way {
        Way::Shared => assert_eq!(bound, Err(io::ErrorKind::Unsupported)),
        _ => assert_eq!(bound, Ok(())),
    }
}

/// The number of the OS thread.
fn os_thread() -> i32 {
    rustix::thread::gettid().as_raw_nonzero().get()
}

tests::on_std_and_in_each_mode! {
    items {
        use std::cell::RefCell;
        use std::io::{Read, Write};
        use std::net::{TcpListener, TcpStream};
        use std::panic::{self, AssertUnwindSafe};
        use std::process::Command;
        use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::{Acquire, Relaxed, Release}};
        use std::sync::{Arc, Barrier, Mutex, mpsc};
        use std::thread::{self, Builder};
        use std::time::Duration;

        use super::{bind, os_thread};
        use tests::counts::{eventually, os_threads};

        thread_local! {
            static TEXT: RefCell<String> = const { RefCell::new(String::new()) };
        }

        /// Says when it is dropped who the thread is then.
        struct AtTheEnd(mpsc::Sender<(thread::ThreadId, Option<String>)>);

        impl Drop for AtTheEnd {
            fn drop(&mut self) {
                let this = thread::current();
                self.0.send((this.id(), this.name().map(str::to_owned))).unwrap();
            }
        }

        thread_local! {
            static AT_THE_END: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
        }
    }

    fn a_joined_one_has_no_os_thread_any_more(process) {
        let way = process.way();
        process.passes(move || {
            // Nobody is bound in the shared mode; and of std's own threads the kernel lets who joins go on a
            // moment before it takes them off its list, which glibc makes up for by a list of its own.
            if way != super::Way::Own {
                return;
            }
            let is_there = |id| std::path::Path::new(&format!("/proc/self/task/{id}")).exists();
            for _ in 0..300 {
                let id = thread::spawn(move || {
                    bind(way);
                    os_thread()
                });
                assert!(!is_there(id.join().unwrap()));
            }
            // Those that are OS threads from their start, too.
            thread::spawn(move || {
                for _ in 0..300 {
                    // SAFETY: changes this thread, to its end.
                    assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
                    assert!(!is_there(thread::spawn(os_thread).join().unwrap()));
                }
            })
            .join()
            .unwrap();
        });
    }

    fn it_takes_nobodys_child_along(process) {
        let way = process.way();
        // Few OS threads, which all threads here come by.
        process.env("SYLVAN_WORKERS", "1").passes(|| {
            let parent = thread::spawn(move || {
                let mut command = Command::new("setpriv");
                command.args(["--pdeathsig", "KILL", "sleep", "100"]);
                let Ok(mut child) = command.spawn() else { return true };
                let comm = format!("/proc/{}/comm", child.id());
                eventually("it has asked", || {
                    std::fs::read_to_string(&comm).is_ok_and(|name| name == "sleep\n")
                });
                for _ in 0..6 {
                    thread::spawn(move || bind(way)).join().unwrap();
                }
                thread::sleep(Duration::from_millis(200));
                let lives = child.try_wait().unwrap().is_none();
                let _ = child.kill();
                child.wait().unwrap();
                lives
            });
            assert!(parent.join().unwrap());
        });
    }

    fn it_stays_who_it_is_and_on_one_os_thread(process) {
        let way = process.way();
        process.passes(|| {
            let (end, ended) = mpsc::channel();
            let thread = Builder::new().name("bound".into()).spawn({
                move || {
                    let before = thread::current();
                    TEXT.with_borrow_mut(|text| text.push_str("mine"));
                    bind(way);
                    let on = os_thread();
                    if way != tests::process::Way::Shared {
                        AT_THE_END.set(Some(AtTheEnd(end)));
                    }
                    for _ in 0..20 {
                        thread::sleep(Duration::from_millis(1));
                        thread::yield_now();
                        thread::spawn(|| ()).join().unwrap();
                        assert_eq!(os_thread(), on);
                        assert_eq!(thread::current().id(), before.id());
                        assert_eq!(thread::current().name(), Some("bound"));
                        assert_eq!(TEXT.with_borrow(String::clone), "mine");
                    }
                    before.id()
                }
            }).unwrap();
            assert_eq!(thread.thread().name(), Some("bound"));
            let id = thread.thread().id();
            assert_eq!(thread.join().unwrap(), id);
            if way != tests::process::Way::Shared {
                assert_eq!(ended.recv().unwrap(), (id, Some("bound".to_owned())));
            }
        });
    }

    fn it_waits_and_is_woken_as_any_other(process) {
        let way = process.way();
        process.passes(|| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let (to_bound, at_bound) = mpsc::channel::<u32>();
            let (from_bound, from) = mpsc::sync_channel::<u32>(0);
            let come = Arc::new(AtomicBool::new(false));
            let shared = Arc::new(Mutex::new(0));
            let bound = thread::spawn({
                let (come, shared) = (come.clone(), shared.clone());
                move || {
                    thread::current().unpark();
                    bind(way);
                    // The token of before.
                    thread::park();
                    for n in at_bound {
                        *shared.lock().unwrap() += n;
                        from_bound.send(n + 1).unwrap();
                    }
                    while !come.load(Acquire) {
                        thread::park();
                    }
                    let (mut stream, _) = listener.accept().unwrap();
                    let mut text = String::new();
                    stream.read_to_string(&mut text).unwrap();
                    text
                }
            });
            for n in 0..200 {
                to_bound.send(n).unwrap();
                assert_eq!(from.recv().unwrap(), n + 1);
                *shared.lock().unwrap() += 1;
            }
            drop(to_bound);
            assert_eq!(*shared.lock().unwrap(), 199 * 200 / 2 + 200);
            let waker = bound.thread().clone();
            thread::spawn(move || {
                come.store(true, Release);
                waker.unpark();
                TcpStream::connect(address).unwrap().write_all(b"hello").unwrap();
            }).join().unwrap();
            assert_eq!(bound.join().unwrap(), "hello");
        });
    }

    fn it_may_be_bound_in_the_middle_of_a_blocking_section(process) {
        let way = process.way();
        process.passes(|| {
            // Where sections run on helpers, it is the helper's own matter.
            if sylvan::tls_mode().unwrap() == sylvan::TlsMode::Shared {
                return;
            }
            // Often enough for the core to be handed on beforehand, too.
            for pause in [0, 0, 2, 2, 2, 2, 2, 0] {
                thread::spawn(move || {
                    let on = sylvan::blocking(|| {
                        thread::sleep(Duration::from_millis(pause));
                        bind(way);
                        thread::sleep(Duration::from_millis(pause));
                        os_thread()
                    });
                    assert_eq!(os_thread(), on);
                    let unwound = panic::catch_unwind(AssertUnwindSafe(|| {
                        sylvan::blocking(|| panic::resume_unwind(Box::new(1)))
                    }));
                    unwound.unwrap_err();
                    thread::sleep(Duration::from_millis(1));
                    assert_eq!(os_thread(), on);
                }).join().unwrap();
                let panicked = thread::spawn(move || {
                    sylvan::blocking(|| {
                        bind(way);
                        panic::resume_unwind(Box::new(7))
                    })
                });
                assert_eq!(*panicked.join().unwrap_err().downcast::<i32>().unwrap(), 7);
            }
        });
    }

    fn many_at_once_leave_the_os_threads_as_they_were(process) {
        let way = process.way();
        process.env("SYLVAN_MAX_THREADS", "3").passes(|| {
            thread::spawn(|| ()).join().unwrap();
            let before = os_threads();
            let n_ended = Arc::new(AtomicUsize::new(0));
            for round in 0..4 {
                let barrier = Arc::new(Barrier::new(64));
                let threads: Vec<_> = (0..64).map(|n| {
                    let (barrier, n_ended) = (barrier.clone(), n_ended.clone());
                    thread::spawn(move || {
                        // All there at once, in one round before and in the other after.
                        if round % 2 == 0 {
                            barrier.wait();
                        }
                        bind(way);
                        if round % 2 == 1 {
                            barrier.wait();
                        }
                        if n % 3 == 0 {
                            thread::sleep(Duration::from_millis(1));
                        }
                        n_ended.fetch_add(1, Relaxed);
                        assert!(n % 8 != 0, "the end of some");
                    })
                }).collect();
                // Others go on beside them.
                for _ in 0..50 {
                    thread::spawn(thread::yield_now).join().unwrap();
                }
                for (n, thread) in threads.into_iter().enumerate() {
                    assert_eq!(thread.join().is_err(), n % 8 == 0);
                }
            }
            assert_eq!(n_ended.load(Relaxed), 4 * 64);
            // Idle spares may be left: as many as the limit allows.
            eventually("the OS threads of bound threads end", || os_threads() <= before + 2);
            assert_eq!(thread::spawn(|| 7).join().unwrap(), 7);
        });
    }

    fn a_scope_and_a_warning_cope_with_it(process) {
        let way = process.way();
        let ended = process.env("SYLVAN_WARN_BLOCKING", "30ms").passes(|| {
            let mut numbers = [0; 8];
            thread::scope(|scope| {
                for (n, number) in numbers.iter_mut().enumerate() {
                    scope.spawn(move || {
                        bind(way);
                        thread::sleep(Duration::from_millis(60));
                        *number = n;
                    });
                }
            });
            assert_eq!(numbers, [0, 1, 2, 3, 4, 5, 6, 7]);
        });
        assert!(!ended.stderr.contains("has held its worker"), "{}", ended.stderr);
    }
}

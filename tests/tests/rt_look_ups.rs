//! Look-ups of names and starts of children that last hold up no others of their kind; quick ones take few
//! OS threads.

use std::ffi::{CStr, c_char, c_int};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

/// Look-ups that are under way, the most there have been at a time, and all.
static N_NOW: AtomicUsize = AtomicUsize::new(0);
static N_MOST: AtomicUsize = AtomicUsize::new(0);
static N_ALL: AtomicUsize = AtomicUsize::new(0);

/// The servers of dead names are there again.
static ALIVE: AtomicBool = AtomicBool::new(false);

/// The resolver of this process, in place of libc's. It finds nothing: after 0.3 ms for a `quick…`,
/// 100 ms for a `slow…`, and when it is told for a `dead…`.
///
/// # Safety
///
/// As that of libc.
#[unsafe(no_mangle)]
unsafe extern "C" fn getaddrinfo(
    host: *const c_char,
    _: *const c_char,
    _: *const libc::addrinfo,
    found: *mut *mut libc::addrinfo,
) -> c_int {
    N_ALL.fetch_add(1, SeqCst);
    N_MOST.fetch_max(N_NOW.fetch_add(1, SeqCst) + 1, SeqCst);
    // SAFETY: as the caller promises.
    let host = unsafe { CStr::from_ptr(host) }.to_bytes();
    let takes = if host.starts_with(b"slow") { 100_000 } else { 300 };
    std::thread::sleep(Duration::from_micros(takes));
    while host.starts_with(b"dead") && !ALIVE.load(SeqCst) {
        std::thread::sleep(Duration::from_millis(1));
    }
    // SAFETY: as the caller promises.
    unsafe { *found = std::ptr::null_mut() };
    N_NOW.fetch_sub(1, SeqCst);
    libc::EAI_NONAME
}

tests::on_std_and_in_each_mode! {
    items {
        use std::io::{self, ErrorKind};
        use std::net::{TcpStream, ToSocketAddrs};
        use std::os::fd::OwnedFd;
        use std::os::unix::process::CommandExt;
        use std::process::Command;
        use std::sync::Arc;
        use std::thread::{self, JoinHandle};
        use std::time::{Duration, Instant};

        use super::{ALIVE, AtomicBool, N_ALL, N_MOST, N_NOW, SeqCst};

        fn start(n: usize, name: &'static str) -> Vec<JoinHandle<()>> {
            let look_up = move |i| move || assert!((format!("{name}{i}.test"), 80).to_socket_addrs().is_err());
            (0..n).map(|i| thread::spawn(look_up(i))).collect()
        }

        fn join(threads: Vec<JoinHandle<()>>) {
            threads.into_iter().for_each(|thread| thread.join().unwrap());
        }
    }

    fn many_names_of_a_slow_server_are_looked_up_at_once(process) {
        process.env("SYLVAN_WORKERS", "2").passes(|| {
            // One after the other they take 20 s. On a machine that is busy, now and then, one of some
            // attempts is enough.
            let mut took = (0..10).map(|_| {
                let begin = Instant::now();
                join(start(200, "slow"));
                begin.elapsed()
            });
            assert!(took.any(|took| {
                println!("{took:?}");
                took < Duration::from_secs(1)
            }));
        });
    }

    fn dead_servers_keep_nobody_from_other_names(process) {
        for workers in ["1", "2"] {
            process.env("SYLVAN_WORKERS", workers).passes(|| {
                let dead = start(64, "dead");
                let begin = Instant::now();
                join(start(10, "quick"));
                let connect = || TcpStream::connect("quick.test:80").unwrap_err();
                assert!(thread::spawn(connect).join().unwrap().to_string().contains("address"));
                println!("after {:?}, beside {}", begin.elapsed(), N_NOW.load(SeqCst));
                assert!(dead.iter().all(|thread| !thread.is_finished()));
                ALIVE.store(true, SeqCst);
                join(dead);
            });
        }
    }

    fn who_looks_up_the_same_at_a_time_has_one_ask(process) {
        process.env("SYLVAN_WORKERS", "1").passes(|| {
            let look_up = || ("dead.test", 80).to_socket_addrs().map(drop).unwrap_err();
            let threads: Vec<_> = (0..64).map(|_| thread::spawn(look_up)).collect();
            tests::counts::eventually("one asks", || N_NOW.load(SeqCst) > 0);
            // Behind them in the queue of the only worker.
            thread::spawn(|| thread::sleep(Duration::from_millis(10))).join().unwrap();
            ALIVE.store(true, SeqCst);
            let says: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
            assert!(says.iter().all(|error| error.to_string() == says[0].to_string()));
            assert!(says.iter().all(|error| error.kind() == says[0].kind()));
            println!("{} asked, who heard: {:?}", N_ALL.load(SeqCst), says[0]);
            if process.way() != tests::process::Way::OsThreads {
                // One, and some more where the machine is so busy that some come late.
                assert!(N_ALL.load(SeqCst) < 16);
            }
            // Nothing is kept.
            let before = N_ALL.load(SeqCst);
            join(vec![thread::spawn(move || drop(look_up()))]);
            assert_eq!(N_ALL.load(SeqCst), before + 1);
        });
    }

    fn a_look_up_is_seen_as_one_and_what_comes_after_it_is_not(process) {
        // Where they are shared another OS thread makes the call.
        if process.way() != tests::process::Way::Own {
            return;
        }
        process.passes(|| {
            let page = || {
                let mut page = Vec::new();
                sylvan::dump(&mut page).unwrap();
                String::from_utf8(page).unwrap()
            };
            let is_over = Arc::new(AtomicBool::new(false));
            let theirs = Arc::clone(&is_over);
            let asks = thread::spawn(move || {
                assert!(("dead.test", 80).to_socket_addrs().is_err());
                sylvan::blocking(|| {
                    while !theirs.load(SeqCst) {
                        // SAFETY: waits for a millisecond, in the kernel.
                        unsafe { libc::usleep(1_000) };
                    }
                });
            });
            let (look_up, blocking) = ("  look-up of a name", "  blocking  ");
            tests::counts::eventually("it is seen", || page().contains(look_up));
            ALIVE.store(true, SeqCst);
            tests::counts::eventually("it is another section", || {
                let page = page();
                page.contains(blocking) && !page.contains(look_up)
            });
            is_over.store(true, SeqCst);
            asks.join().unwrap();
        });
    }

    fn what_is_no_name_asks_nobody(process) {
        process.env("SYLVAN_WORKERS", "1").passes(|| {
            let dead = start(8, "dead");
            tests::counts::eventually("they ask", || N_NOW.load(SeqCst) == 8);
            let error = |text: &str| text.to_socket_addrs().unwrap_err();
            thread::spawn(move || {
                for _ in 0..1_000 {
                    for text in ["no port", "a:b:c", "", "dead:", "dead:65536", "dead\0:80"] {
                        assert_eq!(error(text).kind(), ErrorKind::InvalidInput);
                    }
                    assert!(("dead\0", 80).to_socket_addrs().is_err());
                    assert_eq!("[::1]:80".to_socket_addrs().unwrap().count(), 1);
                    assert_eq!(("127.0.0.1", 80).to_socket_addrs().unwrap().count(), 1);
                }
                assert_eq!(error("no port").to_string(), "invalid socket address");
                assert_eq!(error("a:b:c").to_string(), "invalid port value");
            }).join().unwrap();
            assert_eq!(N_ALL.load(SeqCst), 8);
            ALIVE.store(true, SeqCst);
            join(dead);
        });
    }

    fn quick_look_ups_are_few_at_a_time(process) {
        process.env("SYLVAN_WORKERS", "2").passes(|| {
            let most = (0..5).map(|_| {
                N_MOST.store(0, SeqCst);
                join(start(200, "quick"));
                N_MOST.load(SeqCst)
            });
            let least = most.min().unwrap();
            println!("{least} at a time");
            // Of OS threads each asks by itself, at about the same time or not.
            // Two, and some more where the machine is so busy that a quick one lasts.
            let limit = if process.way() == tests::process::Way::OsThreads { 200 } else { 20 };
            assert!(least <= limit, "{least} at a time");
        });
    }

    fn children_that_wait_for_another_before_they_execute_keep_it_from_nothing(process) {
        for workers in ["1", "2"] {
            process.env("SYLVAN_WORKERS", workers).passes(|| {
                const N: usize = 6;
                let (reader, writer) = rustix::pipe::pipe().unwrap();
                let (reader, writer) = (Arc::new(reader), Arc::new(writer));
                let wait = |pipe: Arc<OwnedFd>| move || -> io::Result<()> {
                    rustix::io::read(&*pipe, &mut [0_u8])?;
                    Ok(())
                };
                let child = |before: Box<dyn FnMut() -> io::Result<()> + Send + Sync>| {
                    thread::spawn(move || {
                        let mut command = Command::new("true");
                        // SAFETY: it makes a system call.
                        unsafe { command.pre_exec(before) };
                        assert!(command.status().unwrap().success());
                    })
                };
                let waiting: Vec<_> = (0..N).map(|_| child(Box::new(wait(reader.clone())))).collect();
                thread::sleep(Duration::from_millis(50));
                assert!(waiting.iter().all(|thread| !thread.is_finished()));
                join(vec![child(Box::new(move || {
                    rustix::io::write(&*writer, &[0; N])?;
                    Ok(())
                }))]);
                join(waiting);
            });
        }
    }
}

//! The user and the groups of a process: whoever sets them sets those of all OS threads, whatever these
//! are at, and goes on.
#![cfg(target_os = "linux")]

use std::time::{Duration, Instant};

tests::on_std_and_in_each_mode! {
    items {
        use std::cell::Cell;
        use std::sync::Arc;
        use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
        use std::thread::{self, JoinHandle};
        use std::time::Duration;

        use tests::process::Way;

        use super::{is_root, set_group, set_user, everybodys};

        thread_local! {
            static COUNT: Cell<u64> = const { Cell::new(0) };
        }

        /// Threads that compute, wait and make calls, and see that their thread-locals are theirs.
        struct Crowd {
            stop: Arc<AtomicBool>,
            threads: Vec<JoinHandle<()>>,
        }

        impl Crowd {
            fn new(way: Way) -> Self {
                let own = way != Way::Shared;
                let stop = Arc::new(AtomicBool::new(false));
                let busy = |kind| {
                    let stop = Arc::clone(&stop);
                    thread::spawn(move || work(kind, &stop, own))
                };
                let threads = (0..50).map(busy).collect();
                Self { stop, threads }
            }

            fn end(self) {
                self.stop.store(true, Relaxed);
                for thread in self.threads {
                    thread.join().unwrap();
                }
            }
        }

        fn work(kind: u32, stop: &AtomicBool, own: bool) {
            let mut count = 0;
            while !stop.load(Relaxed) {
                for _ in 0..100 {
                    count += 1;
                    COUNT.set(COUNT.get() + 1);
                    assert!(!own || COUNT.get() == count);
                }
                match kind % 5 {
                    0 => thread::yield_now(),
                    1 => thread::park_timeout(Duration::from_micros(300)),
                    2 => thread::sleep(Duration::from_millis(1)),
                    3 => drop(std::fs::metadata("/proc/self/stat").unwrap()),
                    _ => {
                        let count = thread::spawn(|| COUNT.get()).join().unwrap();
                        assert!(!own || count == 0);
                    }
                }
            }
        }
    }

    fn whoever_sets_the_group_sets_it_for_all(process) {
        process.passes(|| {
            let crowd = Crowd::new(process.way());
            // By turns from a thread and from main.
            for round in 0..30 {
                let set = move || set_group(round);
                let group = if round % 2 == 0 { thread::spawn(set).join().unwrap() } else { set() };
                assert_eq!(everybodys("Gid:"), [group]);
            }
            crowd.end();
            // Nothing of it is left: threads start and end, of both kinds.
            assert!(thread::spawn(|| true).join().unwrap());
            assert!(::std::thread::spawn(|| true).join().unwrap());
        });
    }

    fn two_at_once_take_turns(process) {
        process.passes(|| {
            let crowd = Crowd::new(process.way());
            let callers = [0, 1].map(|which| {
                thread::spawn(move || {
                    for _ in 0..30 {
                        set_group(which);
                    }
                })
            });
            for caller in callers {
                caller.join().unwrap();
            }
            assert_eq!(everybodys("Gid:").len(), 1);
            crowd.end();
            assert!(::std::thread::spawn(|| true).join().unwrap());
        });
    }

    fn a_server_gives_up_its_rights(process) {
        process.passes(|| {
            let crowd = Crowd::new(process.way());
            let user = thread::spawn(|| {
                set_group(1);
                set_user()
            });
            let user = user.join().unwrap();
            let all = [user.clone()];
            assert_eq!(everybodys("Uid:"), all);
            assert!(!is_root());
            // Whoever starts later has no more rights.
            let later = [0; 20].map(|_| thread::spawn(|| thread::sleep(Duration::from_millis(5))));
            let others = [0; 5].map(|_| ::std::thread::spawn(|| everybodys("Uid:")));
            for thread in later {
                thread.join().unwrap();
            }
            for thread in others {
                assert_eq!(thread.join().unwrap(), all);
            }
            crowd.end();
        });
    }
}

/// Whether the calling thread may take any user and group.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Sets the group, to one of many if that is allowed, and the others that go with it; as the kernel then
/// tells it.
fn set_group(which: u32) -> String {
    let group = if is_root() { 20_000 + which } else { rustix::process::getgid().as_raw() };
    // SAFETY: sets numbers; the list is one of that many.
    unsafe {
        if is_root() {
            assert_eq!(libc::setgroups(1, &raw const group), 0);
        }
        assert_eq!(libc::setresgid(group, group, group), 0);
        assert_eq!(libc::setgid(group), 0);
    }
    numbers(group)
}

/// Becomes a user without rights.
fn set_user() -> String {
    const NOBODY: u32 = 65_534;
    let user = if is_root() { NOBODY } else { rustix::process::getuid().as_raw() };
    // SAFETY: sets a number.
    unsafe {
        assert_eq!(libc::setuid(user), 0);
        assert_eq!(libc::setresuid(user, user, user), 0);
    }
    numbers(user)
}

/// The real, effective and saved number and that for files, as the kernel writes them.
fn numbers(number: u32) -> String {
    [number; 4].map(|number| number.to_string()).join("\t")
}

/// What the kernel says there of the OS threads of this process: each thing once. libc passes over those
/// that are about to end, so they get the time for that.
fn everybodys(line: &str) -> Vec<String> {
    let start = Instant::now();
    loop {
        let all = everybodys_now(line);
        if all.len() == 1 || start.elapsed() > Duration::from_secs(5) {
            return all;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn everybodys_now(line: &str) -> Vec<String> {
    let mut all = Vec::new();
    for thread in std::fs::read_dir("/proc/self/task").unwrap() {
        // It may have ended.
        let Ok(status) = std::fs::read_to_string(thread.unwrap().path().join("status")) else {
            continue;
        };
        let said = status.lines().find_map(|said| said.strip_prefix(line)).unwrap().trim();
        if !all.iter().any(|other| other == said) {
            all.push(said.to_owned());
        }
    }
    all
}

//! The name of a green thread is known to code that asks real std, where the thread has thread-locals of
//! its own; so is the one that it asks the system for.
#![cfg(target_os = "linux")]

use std::ffi::{CStr, CString};
use std::time::Duration;

use std_shim::thread::{self, Builder};
use tests::process::{Process, Way};

tests::in_each_mode!(
    real_std_knows_the_name,
    the_os_thread_keeps_its_own,
    libc_knows_the_name,
    real_std_reports_the_name
);

fn named(name: &str) -> Builder {
    Builder::new().name(name.to_owned())
}

/// What a logger would print.
fn known() -> Option<String> {
    std::thread::current().name().map(str::to_owned)
}

fn real_std_knows_the_name(process: &Process) {
    process.passes(|| {
        let own = process.way() == Way::Own;
        for round in 0..200 {
            let name = format!("connection {round}");
            let thread = named(&name).spawn(|| {
                let (first, id) = (known(), std::thread::current().id());
                thread::yield_now();
                assert_eq!(id, std::thread::current().id());
                let inner = named("inner").spawn(known).unwrap().join().unwrap();
                let unnamed = thread::spawn(known).join().unwrap();
                (first, inner, unnamed, known(), id)
            });
            let (first, inner, unnamed, last, id) = thread.unwrap().join().unwrap();
            assert_ne!(id, std::thread::current().id());
            if own {
                assert_eq!(first.as_deref(), Some(&*name));
                assert_eq!(inner.as_deref(), Some("inner"));
                assert_eq!(unnamed, None);
                assert_eq!(last, first);
            }
        }
        let scoped =
            thread::scope(|scope| named("scoped").spawn_scoped(scope, known).unwrap().join());
        assert!(!own || scoped.unwrap().as_deref() == Some("scoped"));
        // OS threads are made as ever.
        let os = std::thread::Builder::new().name("os".to_owned()).spawn(known).unwrap();
        assert_eq!(os.join().unwrap().as_deref(), Some("os"));
    });
}

fn the_os_thread_keeps_its_own(process: &Process) {
    process.passes(|| {
        let name = || std::fs::read_to_string("/proc/thread-self/comm").unwrap();
        let seen = named("visitor").spawn(name).unwrap().join().unwrap();
        assert!(seen.starts_with("sylvan-"), "{seen}");
    });
}

/// What libc says, in each of its ways.
fn asked() -> [String; 3] {
    let text =
        |name: [u8; 16]| CStr::from_bytes_until_nul(&name).unwrap().to_str().unwrap().to_owned();
    let (mut a, mut b, mut c) = ([0; 16], [0; 16], [0; 16]);
    // SAFETY: sixteen bytes each, as the calls want.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_GET_NAME, a.as_mut_ptr()), 0);
        assert_eq!(libc::syscall(libc::SYS_prctl, libc::PR_GET_NAME, b.as_mut_ptr()), 0);
        let own = libc::pthread_self();
        assert_eq!(libc::pthread_getname_np(own, c.as_mut_ptr().cast(), 15), libc::ERANGE);
        assert_eq!(libc::pthread_getname_np(own, c.as_mut_ptr().cast(), 16), 0);
    }
    [a, b, c].map(text)
}

fn libc_knows_the_name(process: &Process) {
    process.passes(|| {
        if process.way() != Way::Own {
            return;
        }
        let long = named("a name of twenty-two").spawn(asked).unwrap().join().unwrap();
        assert_eq!(long, ["a name of twent"; 3]);
        let threads: Vec<_> = (0..9)
            .map(|i| {
                let name = move || CString::new(format!("own {i}")).unwrap();
                let builder = if i == 3 { named("once") } else { Builder::new() };
                builder.spawn(move || {
                    for round in 0..20 {
                        let name = name();
                        // SAFETY: a string of C's.
                        let set = unsafe {
                            match i % 3 {
                                _ if round > 0 => 0,
                                0 => libc::prctl(libc::PR_SET_NAME, name.as_ptr()).into(),
                                1 => {
                                    libc::syscall(libc::SYS_prctl, libc::PR_SET_NAME, name.as_ptr())
                                }
                                _ => libc::pthread_setname_np(libc::pthread_self(), name.as_ptr())
                                    .into(),
                            }
                        };
                        assert_eq!(set, 0);
                        assert_eq!(asked(), [&*format!("own {i}"); 3]);
                        thread::sleep(Duration::from_millis(1));
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.unwrap().join().unwrap();
        }
        // An OS thread from its start: then the name is the kernel's, too.
        let bound = named("binds").spawn(|| {
            // SAFETY: changes this thread, to its end.
            assert_eq!(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) }, 0);
            let comm = || std::fs::read_to_string("/proc/thread-self/comm").unwrap();
            named("descendant").spawn(move || (asked(), comm())).unwrap().join().unwrap()
        });
        let (names, comm) = bound.unwrap().join().unwrap();
        assert_eq!(names, ["descendant"; 3]);
        assert_eq!(comm, "descendant\n");
    });
}

fn real_std_reports_the_name(process: &Process) {
    let ended = process.run(|| {
        drop(std::panic::take_hook());
        let fallen = named("fallen").spawn(|| panic!("here")).unwrap();
        assert!(fallen.join().is_err());
    });
    assert!(ended.status.success());
    assert!(
        process.way() != Way::Own || ended.stderr.contains("thread 'fallen'"),
        "{}",
        ended.stderr
    );
}

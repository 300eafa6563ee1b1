//! The name of a green thread is known to code that asks real std, where the thread has thread-locals of
//! its own.
#![cfg(target_os = "linux")]

use std_shim::thread::{self, Builder};
use tests::process::{Process, Way};

tests::in_each_mode!(
    real_std_knows_the_name,
    the_os_thread_keeps_its_own,
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

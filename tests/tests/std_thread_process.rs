//! `std::thread`: what only the end of a process, or its standard error, can tell.
//!
//! A scene runs in a child: the same test again, in a process of its own.

tests::on_each! {
    items {
        use std::process::{Command, Output};
        use std::thread::{self, Builder};
        use std::time::Duration;
        use std::env;

        const IN_CHILD: &str = "STD_THREAD_PROCESS_CHILD";

        /// Runs the test named `fact` in a child, where this function runs `scene` and returns
        /// nothing; elsewhere, how the child ended.
        fn in_child(fact: &str, scene: impl FnOnce()) -> Option<Output> {
            if env::var_os(IN_CHILD).is_some() {
                scene();
                return None;
            }
            let (_, module) = module_path!().split_once("::").expect("a module of this file");
            let child = Command::new(env::current_exe().expect("the path of this test"))
                .args(["--exact", &format!("{module}::{fact}"), "--nocapture"])
                .env(IN_CHILD, "")
                .env_remove("RUST_BACKTRACE")
                .output();
            Some(child.expect("a child"))
        }

        fn stderr(child: &Output) -> String {
            String::from_utf8_lossy(&child.stderr).into_owned()
        }

        struct PanicsWhenDropped;

        impl Drop for PanicsWhenDropped {
            fn drop(&mut self) {
                panic!("while being dropped");
            }
        }

        fn aborted_over_a_result(child: &Output) -> bool {
            use std::os::unix::process::ExitStatusExt;
            let said = stderr(child);
            assert!(said.contains("thread result panicked on drop"), "{said}");
            child.status.signal() == Some(6)
        }
    }

    fn a_panic_message_names_the_thread() {
        let child = in_child("a_panic_message_names_the_thread", || {
            let named = Builder::new().name("the named one".to_owned());
            named.spawn(|| panic!("of the first")).unwrap().join().unwrap_err();
            thread::spawn(|| panic!("of the second")).join().unwrap_err();
        });
        let Some(child) = child else { return };
        assert!(child.status.success());
        // Between the name and the verb may stand the operating system's number of the thread.
        let said = stderr(&child);
        let of = |message| {
            let before = said.split(message).next().expect("at least the start");
            let line = before.lines().rev().find(|line| line.starts_with("thread '"));
            line.unwrap_or_else(|| panic!("no message: {said}"))
        };
        assert!(of("of the first").starts_with("thread 'the named one' "), "{said}");
        assert!(of("of the second").starts_with("thread '<unnamed>' "), "{said}");
        for message in ["of the first", "of the second"] {
            assert!(of(message).contains("std_thread_process.rs:"), "{said}");
        }
    }

    fn a_detached_result_that_panics_when_dropped_aborts_the_process() {
        let fact = "a_detached_result_that_panics_when_dropped_aborts_the_process";
        let child = in_child(fact, || {
            drop(thread::spawn(|| {
                thread::sleep(Duration::from_millis(10));
                PanicsWhenDropped
            }));
            thread::sleep(Duration::from_secs(10));
        });
        assert!(child.is_none_or(|child| aborted_over_a_result(&child)));
    }

    fn a_finished_result_that_panics_when_dropped_aborts_the_process() {
        let fact = "a_finished_result_that_panics_when_dropped_aborts_the_process";
        let child = in_child(fact, || {
            let handle = thread::spawn(|| PanicsWhenDropped);
            while !handle.is_finished() {
                thread::sleep(Duration::from_millis(1));
            }
            drop(handle);
        });
        assert!(child.is_none_or(|child| aborted_over_a_result(&child)));
    }

    fn a_scoped_result_that_panics_when_dropped_aborts_the_process() {
        let fact = "a_scoped_result_that_panics_when_dropped_aborts_the_process";
        let child = in_child(fact, || {
            thread::scope(|s| {
                s.spawn(|| PanicsWhenDropped);
            });
            thread::sleep(Duration::from_secs(10));
        });
        assert!(child.is_none_or(|child| aborted_over_a_result(&child)));
    }

    fn threads_that_still_wait_do_not_keep_the_process() {
        let child = in_child("threads_that_still_wait_do_not_keep_the_process", || {
            for _ in 0..10 {
                thread::spawn(|| thread::sleep(Duration::from_secs(3600)));
                thread::spawn(|| {
                    loop {
                        thread::park();
                    }
                });
                thread::spawn(|| {
                    loop {
                        thread::yield_now();
                    }
                });
            }
            thread::sleep(Duration::from_millis(10));
        });
        assert!(child.is_none_or(|child| child.status.success()));
    }
}

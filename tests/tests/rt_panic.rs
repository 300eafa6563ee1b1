//! Panics, as the process sees them: what is printed, and what aborts. On OS threads and on green
//! ones the same.

use tests::process::Ended;

/// Whether a line of standard error says that this thread has panicked.
fn says_who(ended: &Ended, name: &str) -> bool {
    let begin = format!("thread '{name}' (");
    ended.stderr.lines().any(|line| {
        line.starts_with(&begin) && line.contains(") panicked at ") && line.contains("rt_panic.rs:")
    })
}

#[track_caller]
fn assert_aborted(ended: &Ended, over: &str) {
    assert_eq!(ended.signal(), Some(libc::SIGABRT), "{}", ended.status);
    assert!(ended.stderr.contains(over), "`{over}`: {}", ended.stderr);
}

tests::on_std_and_in_each_mode! {
    items {
        use std::panic;
        use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
        use std::thread::{self, Builder};
        use std::time::Duration;

        use super::{assert_aborted, says_who};

        fn named(name: &str) -> Builder {
            Builder::new().name(name.to_owned())
        }

        /// Panics when it is dropped.
        struct Bomb(&'static str);

        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("{}", self.0);
            }
        }
    }

    fn a_panic_of_a_detached_thread_is_reported_and_the_process_goes_on(process) {
        let ended = process.passes(|| {
            drop(named("detached").spawn(|| panic!("nobody asks")).unwrap());
            drop(thread::spawn(|| panic::panic_any(5_u8)));
            thread::sleep(Duration::from_millis(100));
            assert_eq!(named("next").spawn(|| 3).unwrap().join().unwrap(), 3);
            println!("went on");
        });
        assert!(says_who(&ended, "detached") && says_who(&ended, "<unnamed>"));
        assert!(ended.stderr.contains("\nnobody asks\n"));
        assert!(ended.stderr.contains("\nBox<dyn Any>\n"));
        assert_eq!(ended.stderr.matches("note: run with `RUST_BACKTRACE=1`").count(), 1);
        assert!(ended.stdout.contains("went on"));
    }

    fn a_panic_while_unwinding_aborts(process) {
        let ended = process.run(|| {
            let _ = named("unlucky")
                .spawn(|| {
                    let _bomb = Bomb("the second");
                    panic!("the first");
                })
                .unwrap()
                .join();
        });
        assert_aborted(&ended, "panic in a destructor during cleanup");
        assert!(ended.stderr.contains("\nthe first\n") && ended.stderr.contains("\nthe second\n"));
        assert!(says_who(&ended, "unlucky"));
        assert!(ended.stderr.contains("thread caused non-unwinding panic. aborting."));
    }

    fn a_caught_panic_while_unwinding_is_no_more_than_that(process) {
        process.passes(|| {
            struct Catches;
            impl Drop for Catches {
                fn drop(&mut self) {
                    assert!(thread::panicking());
                    panic::catch_unwind(|| drop(Bomb("within"))).unwrap_err();
                    thread::sleep(Duration::from_millis(1));
                    thread::spawn(|| panic!("elsewhere")).join().unwrap_err();
                    assert!(thread::panicking());
                }
            }
            let unwinds = thread::spawn(|| {
                let _catches = Catches;
                panic!("outside");
            });
            assert_eq!(unwinds.join().unwrap_err().downcast_ref(), Some(&"outside"));
        });
    }

    fn a_panic_in_a_destructor_of_a_thread_local_aborts(process) {
        let ended = process.run(|| {
            thread_local!(static BOMB: Bomb = const { Bomb("in a thread-local") });
            let _ = named("laid a bomb").spawn(|| BOMB.with(|_| ())).unwrap().join();
            println!("went on");
        });
        if process.way() == tests::process::Way::Shared {
            // It is the worker's, which lives on.
            assert!(ended.status.success() && ended.stdout.contains("went on"));
            return;
        }
        assert_aborted(&ended, "fatal runtime error: thread local panicked on drop, aborting");
        assert!(says_who(&ended, "laid a bomb"));
        assert!(ended.stderr.contains("\nin a thread-local\n"));
    }

    fn a_panic_within_a_panic_hook_aborts(process) {
        let ended = process.run(|| {
            panic::set_hook(Box::new(|_| panic!("the hook")));
            let _ = thread::spawn(|| panic!("the thread")).join();
        });
        assert_aborted(&ended, "thread panicked while processing panic. aborting.");
    }

    fn a_hook_of_the_programs_replaces_the_report(process) {
        let ended = process.passes(|| {
            static SEEN: AtomicUsize = AtomicUsize::new(0);
            let hook = |info: &panic::PanicHookInfo<'_>| {
                assert_eq!(info.payload_as_str(), Some("for the hook"));
                assert!(thread::panicking());
                assert_eq!(thread::current().name(), Some("hooked"));
                SEEN.fetch_add(1, Relaxed);
            };
            let panics = || named("hooked").spawn(|| panic!("for the hook")).unwrap().join();
            // Before the first thread of its own, and after; then std's again.
            panic::set_hook(Box::new(hook));
            panics().unwrap_err();
            panic::set_hook(Box::new(hook));
            panics().unwrap_err();
            drop(panic::take_hook());
            assert_eq!(SEEN.load(Relaxed), 2);
            named("unhooked").spawn(|| panic!("for std")).unwrap().join().unwrap_err();
        });
        assert!(!ended.stderr.contains("for the hook"));
        assert!(ended.stderr.contains("\nfor std\n") && says_who(&ended, "unhooked"));
    }

    fn a_backtrace_shows_the_frames_of_the_thread(process) {
        let ended = process.env("RUST_BACKTRACE", "1").passes(|| {
            #[inline(never)]
            fn a_frame_to_be_seen(n: u32) -> u32 {
                assert_ne!(std::hint::black_box(n), 1, "deep down");
                n
            }
            thread::spawn(|| a_frame_to_be_seen(1)).join().unwrap_err();
            #[inline(never)]
            fn a_frame_that_captures() -> String {
                std::backtrace::Backtrace::capture().to_string()
            }
            let captured = thread::spawn(a_frame_that_captures).join().unwrap();
            assert!(captured.contains("a_frame_that_captures"), "{captured}");
        });
        let (_, trace) = ended.stderr.split_once("stack backtrace:\n").expect("a backtrace");
        let (frames, _) = trace.split_once("note: Some details are omitted").expect("its end");
        assert!(frames.starts_with("   0: ") && frames.contains("panic_fmt"), "{frames}");
        assert!(frames.contains("::a_frame_to_be_seen\n"), "{frames}");
        assert!(frames.lines().last().unwrap().contains("rt_panic.rs:"), "{frames}");
    }

    fn nobody_else_is_panicking_while_many_sleep_in_a_drop_while_unwinding(process) {
        if process.way() == tests::process::Way::Shared {
            println!("does not hold in the shared mode: std counts panics in a thread-local");
            return;
        }
        process.passes(|| {
            static UNWINDING: AtomicUsize = AtomicUsize::new(0);
            static CALM: AtomicUsize = AtomicUsize::new(0);
            panic::set_hook(Box::new(|_| ()));
            struct Sleeps;
            impl Drop for Sleeps {
                fn drop(&mut self) {
                    assert!(thread::panicking());
                    UNWINDING.fetch_add(1, Relaxed);
                    for _ in 0..10 {
                        thread::sleep(Duration::from_millis(10));
                        assert!(thread::panicking());
                    }
                    UNWINDING.fetch_sub(1, Relaxed);
                }
            }
            let unwinding: Vec<_> = (0..200)
                .map(|_| {
                    thread::spawn(|| {
                        let _sleeps = Sleeps;
                        panic!("to sleep on the way");
                    })
                })
                .collect();
            let calm: Vec<_> = (0..50)
                .map(|n| {
                    thread::spawn(move || {
                        for _ in 0..40 {
                            assert!(!thread::panicking());
                            assert!(!::std::thread::panicking());
                            let caught = panic::catch_unwind(|| {
                                drop(Bomb("and one of its own"));
                            });
                            assert!(caught.is_err() && !thread::panicking());
                            CALM.fetch_max(UNWINDING.load(Relaxed), Relaxed);
                            thread::sleep(Duration::from_millis(1 + n % 3));
                        }
                    })
                })
                .collect();
            calm.into_iter().for_each(|thread| thread.join().unwrap());
            unwinding.into_iter().for_each(|thread| drop(thread.join().unwrap_err()));
            println!("{} unwound at a time", CALM.load(Relaxed));
            assert!(CALM.load(Relaxed) > 100);
            assert!(!thread::panicking());
        });
    }
}

/// libtest puts a hook of its own before std's, which the runtime leaves alone: it may be anybody's. It asks
/// real std for the name, which has it where thread-locals are the thread's own.
#[test]
fn under_libtests_hook_names_are_known_once_that_is_taken() {
    const IN_CHILD: &str = "RT_PANIC_HOOK";
    const NAME: &str = "under_libtests_hook_names_are_known_once_that_is_taken";
    if let Some(hook) = std::env::var_os(IN_CHILD) {
        if hook == "taken" {
            drop(std_shim::panic::take_hook());
        }
        let builder = std_shim::thread::Builder::new().name(String::from("green"));
        builder.spawn(|| panic!("in the child")).unwrap().join().unwrap_err();
        return;
    }
    let own = sylvan::tls_mode().unwrap() == sylvan::TlsMode::Own;
    for (hook, arguments, is_known) in [
        ("taken", &["--show-output"][..], true),
        ("left", &["--nocapture"], true),
        ("left", &["--show-output"], own),
    ] {
        let mut child = tests::process::this_test();
        child.args(["--exact", NAME]).args(arguments).env(IN_CHILD, hook);
        let output = child.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        // With shared thread-locals what the thread prints is captured with the test.
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        assert_eq!(said.contains("thread 'green' ("), is_known, "{hook} {arguments:?}: {said}");
        assert!(said.contains("in the child"), "{said}");
    }
}

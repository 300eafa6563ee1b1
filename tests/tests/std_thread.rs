//! `std::thread`: starting, naming, joining, and what becomes of a thread's result.

tests::on_each! {
    items {
        use std::any::Any;
        use std::collections::HashSet;
        use std::io::ErrorKind;
        use std::panic::{AssertUnwindSafe, catch_unwind, panic_any, resume_unwind};
        use std::sync::Arc;
        use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
        use std::sync::mpsc::{self, Sender};
        use std::thread::{self, Builder, JoinHandle, Thread, ThreadId};
        use std::time::{Duration, Instant};

        /// Says on which thread it is dropped.
        struct Tell(Sender<ThreadId>);

        impl Drop for Tell {
            fn drop(&mut self) {
                self.0.send(thread::current().id()).expect("somebody listens");
            }
        }

        fn named(name: &str) -> Builder {
            Builder::new().name(name.to_owned())
        }

        fn wait_until_finished<T>(handle: &JoinHandle<T>) {
            while !handle.is_finished() {
                thread::sleep(Duration::from_millis(1));
            }
        }

        fn text(panic: Box<dyn Any + Send>) -> String {
            *panic.downcast().expect("a formatted message")
        }
    }

    fn join_returns_the_result() {
        let text = String::from("moved in");
        assert_eq!(thread::spawn(move || text + " and out").join().unwrap(), "moved in and out");
    }

    fn join_returns_what_the_thread_panicked_with() {
        let message = thread::spawn(|| panic!("as it is")).join().unwrap_err();
        assert_eq!(message.downcast_ref::<&str>(), Some(&"as it is"));

        let n = 7;
        let message = thread::spawn(move || panic!("number {n}")).join().unwrap_err();
        assert_eq!(text(message), "number 7");

        let value = thread::spawn(|| panic_any(7_u16)).join().unwrap_err();
        assert_eq!(value.downcast_ref::<u16>(), Some(&7));

        let value = thread::spawn(|| resume_unwind(Box::new('7'))).join().unwrap_err();
        assert_eq!(value.downcast_ref::<char>(), Some(&'7'));
    }

    fn a_panic_ends_its_own_thread_only() {
        let proceed = Arc::new(AtomicBool::new(false));
        let other = thread::spawn({
            let proceed = proceed.clone();
            move || {
                while !proceed.load(Relaxed) {
                    thread::yield_now();
                }
                "unharmed"
            }
        });
        thread::spawn(|| panic!("alone")).join().unwrap_err();
        proceed.store(true, Relaxed);
        assert_eq!(other.join().unwrap(), "unharmed");
    }

    fn what_a_thread_did_is_visible_after_join() {
        let counter = Arc::new(AtomicUsize::new(0));
        for n in 1..=100 {
            let theirs = counter.clone();
            thread::spawn(move || theirs.fetch_add(1, Relaxed)).join().unwrap();
            assert_eq!(counter.load(Relaxed), n);
        }
    }

    fn a_thousand_threads_return_a_thousand_results() {
        let threads: Vec<_> = (0..1000).map(|n| thread::spawn(move || n * 2)).collect();
        for (n, thread) in threads.into_iter().enumerate() {
            assert_eq!(thread.join().unwrap(), n * 2);
        }
    }

    fn threads_start_and_join_threads() {
        fn leaves(depth: u32) -> u32 {
            if depth == 0 {
                return 1;
            }
            let left = thread::spawn(move || leaves(depth - 1));
            let right = thread::spawn(move || leaves(depth - 1));
            left.join().unwrap() + right.join().unwrap()
        }
        assert_eq!(leaves(6), 64);
    }

    fn a_handle_can_be_joined_on_another_thread() {
        let first = thread::spawn(|| 'a');
        let second = thread::spawn(move || first.join().unwrap());
        assert_eq!(second.join().unwrap(), 'a');
    }

    fn ordinary_threads_and_these_join_each_other() {
        let inner = thread::spawn(|| {
            thread::sleep(Duration::from_millis(5));
            'a'
        });
        let ordinary = ::std::thread::spawn(move || (inner.join().unwrap(), thread::spawn(|| 'b')));
        let (a, second) = ordinary.join().unwrap();
        assert_eq!((a, second.join().unwrap()), ('a', 'b'));
    }

    fn captures_are_dropped_before_join_returns() {
        let (sender, dropped) = mpsc::channel();
        let thread = thread::spawn({
            let tell = Tell(sender.clone());
            move || drop(tell)
        });
        let id = thread.thread().id();
        thread.join().unwrap();
        assert_eq!(dropped.try_recv(), Ok(id));

        let tell = Tell(sender);
        let thread = thread::spawn(move || {
            let _tell = &tell;
            panic!("with a capture");
        });
        let id = thread.thread().id();
        thread.join().unwrap_err();
        assert_eq!(dropped.try_recv(), Ok(id));
    }

    fn a_detached_thread_runs_on_and_drops_its_result_itself() {
        let (sender, dropped) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        let handle = thread::spawn(move || {
            wait.recv().unwrap();
            Tell(sender)
        });
        let id = handle.thread().id();
        drop(handle);
        go.send(()).unwrap();
        assert_eq!(dropped.recv(), Ok(id));
    }

    fn the_result_of_a_finished_thread_is_dropped_with_its_handle() {
        let (sender, dropped) = mpsc::channel();
        let handle = thread::spawn(move || Tell(sender));
        wait_until_finished(&handle);
        dropped.try_recv().unwrap_err();
        drop(handle);
        assert_eq!(dropped.try_recv(), Ok(thread::current().id()));
    }

    fn the_payload_of_a_detached_threads_panic_is_dropped() {
        let (sender, dropped) = mpsc::channel();
        let (go, wait) = mpsc::channel::<()>();
        drop(thread::spawn(move || {
            wait.recv().unwrap();
            panic_any(Tell(sender));
        }));
        go.send(()).unwrap();
        dropped.recv().unwrap();
    }

    fn a_sleep_of_a_tenth_of_a_millisecond_takes_less_than_half_a_millisecond() {
        let time = Duration::from_micros(100);
        // Whatever else the machine does: once in so many.
        let is_short = || {
            let begin = Instant::now();
            thread::sleep(time);
            begin.elapsed() < 5 * time
        };
        assert!((0..2_000).any(|_| is_short()));
    }

    fn is_finished_turns_true_when_the_closure_is_done() {
        let (go, wait) = mpsc::channel::<()>();
        let handle = thread::spawn(move || wait.recv().unwrap());
        thread::sleep(Duration::from_millis(5));
        assert!(!handle.is_finished());
        go.send(()).unwrap();
        wait_until_finished(&handle);
        handle.join().unwrap();

        let panicking = thread::spawn(|| panic!("also an end"));
        wait_until_finished(&panicking);
        panicking.join().unwrap_err();
    }

    fn a_thread_knows_the_name_it_was_given() {
        for name in ["worker", "", "a name of more than fifteen bytes", "žluťoučký 🦀"] {
            let handle = named(name).spawn(|| thread::current().name().map(str::to_owned)).unwrap();
            assert_eq!(handle.thread().name(), Some(name));
            assert_eq!(handle.join().unwrap().as_deref(), Some(name));
        }
    }

    fn a_thread_without_a_name_has_none() {
        let handle = thread::spawn(|| thread::current().name().map(str::to_owned));
        assert_eq!(handle.thread().name(), None);
        assert_eq!(handle.join().unwrap(), None);
    }

    fn a_name_with_a_nul_makes_spawn_panic() {
        let builder = named("nul\0inside");
        let spawn = || builder.spawn(|| ()).map(drop);
        let message = text(catch_unwind(AssertUnwindSafe(spawn)).unwrap_err());
        assert!(
            message.starts_with("thread name may not contain interior null bytes: NulError(3, "),
            "{message}"
        );
    }

    fn current_is_the_thread_that_the_handle_names() {
        let handle = named("both").spawn(thread::current).unwrap();
        let by_handle = handle.thread().clone();
        let by_itself = handle.join().unwrap();
        assert_eq!(by_itself.id(), by_handle.id());
        assert_eq!(by_itself.name(), by_handle.name());
        assert_eq!(thread::current().id(), thread::current().id());
    }

    fn ids_are_not_shared_by_threads_alive_or_gone() {
        let mut ids = HashSet::from([thread::current().id()]);
        for _ in 0..10 {
            let threads = [(); 10].map(|()| thread::spawn(|| thread::current().id()));
            for thread in threads {
                assert!(ids.insert(thread.join().unwrap()));
            }
            assert!(ids.insert(::std::thread::spawn(|| thread::current().id()).join().unwrap()));
        }
        assert_eq!(ids.len(), 111);
    }

    fn debug_output_is_stds() {
        let handle = named("shown").spawn(|| ()).unwrap();
        assert_eq!(format!("{handle:?}"), "JoinHandle { .. }");
        let id = format!("{:?}", handle.thread().id());
        let number = id.strip_prefix("ThreadId(").and_then(|rest| rest.strip_suffix(")"));
        number.expect("ThreadId(N)").parse::<u64>().expect("a number");
        let thread = format!("{:?}", handle.thread());
        assert_eq!(thread, format!("Thread {{ id: {id}, name: Some(\"shown\"), .. }}"));
        handle.join().unwrap();
    }

    fn handles_are_send_and_sync_whatever_they_carry() {
        fn shared<T: Send + Sync>() {}
        shared::<JoinHandle<*const u8>>();
        shared::<Thread>();
        shared::<ThreadId>();
    }

    fn tiny_stack_sizes_are_rounded_up() {
        for size in [0, 1, 4095] {
            let handle = Builder::new().stack_size(size).spawn(move || size.to_string()).unwrap();
            assert_eq!(handle.join().unwrap(), size.to_string());
        }
    }

    fn a_stack_has_the_size_it_was_asked_for() {
        /// Uses at least 1 KiB of stack a level.
        fn dig(levels: usize) -> usize {
            let kilobyte = std::hint::black_box([levels as u8; 1024]);
            if levels == 0 { 0 } else { dig(levels - 1) + 1 + usize::from(kilobyte[0] ^ levels as u8) }
        }
        // A default stack of 2 MiB would not hold it.
        let handle = Builder::new().stack_size(32 << 20).spawn(|| dig(4096)).unwrap();
        assert_eq!(handle.join().unwrap(), 4096);
    }

    fn a_stack_beyond_all_memory_is_an_error() {
        let closure_is_dropped = Arc::new(());
        let closure = {
            let held = closure_is_dropped.clone();
            move || drop(held)
        };
        let error = Builder::new().stack_size(1 << 60).spawn(closure).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WouldBlock);
        assert_eq!(Arc::strong_count(&closure_is_dropped), 1);
    }

    fn an_unchecked_thread_may_borrow() {
        let mut text = String::from("borrowed");
        // SAFETY: the thread is joined before `text` is used again.
        let handle = unsafe { Builder::new().spawn_unchecked(|| text.push_str(" and returned")) };
        handle.unwrap().join().unwrap();
        assert_eq!(text, "borrowed and returned");
    }

    fn available_parallelism_is_at_least_one() {
        assert!(thread::available_parallelism().unwrap().get() >= 1);
    }
}

//! Backtraces: they show the frames of the thread, innermost first, and end. On OS threads and on
//! green ones the same, but for what is below the thread's own frames.

use std::backtrace::Backtrace;

/// What stands below a thread's own frames: what starts it, and what runs that.
const BELOW_MAX: usize = 60;

/// Of these, the outermost may have no names: the C library's.
const NAMELESS_MAX: usize = 4;

/// The names of a trace's frames, innermost first; each inlined function is a frame.
fn frames(trace: &str) -> Vec<&str> {
    let numbered = trace.lines().filter_map(|line| line.split_once(": "));
    numbered
        .filter(|(number, _)| number.trim().parse::<usize>().is_ok())
        // In full, a name stands behind its address.
        .map(|(_, name)| name.split_once(" - ").map_or(name, |(_, name)| name))
        .collect()
}

/// How many frames are the thread's own: those above what begins it.
#[track_caller]
fn n_own(all: &[&str]) -> usize {
    let begin = all.iter().position(|name| name.contains("__rust_begin_short_backtrace"));
    begin.unwrap_or_else(|| panic!("no beginning: {all:#?}"))
}

/// Checks that the trace has these frames, innermost first and next to what begins a thread, and that
/// it ends.
#[track_caller]
fn assert_shown(trace: &Backtrace, wanted: &[&str]) {
    assert_text_shown(&trace.to_string(), wanted);
}

#[track_caller]
fn assert_text_shown(trace: &str, wanted: &[&str]) {
    let all = frames(trace);
    let (own, below) = all.split_at(n_own(&all));
    let mut rest = own.iter();
    for name in wanted {
        assert!(rest.any(|frame| frame.contains(name)), "no `{name}`: {trace}");
    }
    assert!(!own.contains(&"<unknown>"), "{trace}");
    assert!(!below.iter().any(|name| name.contains("relay")), "a worker's frames: {trace}");
    assert!(below.len() <= BELOW_MAX, "{} below: {trace}", below.len());
    let nameless = below.iter().position(|name| *name == "<unknown>").unwrap_or(below.len());
    assert!(below.len() - nameless <= NAMELESS_MAX, "{trace}");
}

tests::on_std_and_in_each_mode! {
    items {
        use std::backtrace::Backtrace;
        use std::hint::black_box;
        use std::panic;
        use std::sync::Mutex;
        use std::thread;
        use std::time::Duration;

        use super::{assert_shown, assert_text_shown, frames, n_own};

        #[inline(never)]
        fn outer_frame() -> Backtrace {
            let trace = inner_frame();
            black_box(());
            trace
        }

        #[inline(never)]
        fn inner_frame() -> Backtrace {
            let trace = Backtrace::force_capture();
            black_box(());
            trace
        }

        /// Calls `f` below so many frames.
        #[inline(never)]
        fn recurses<T>(n: usize, f: fn() -> T) -> T {
            let result = if black_box(n) == 1 { f() } else { recurses(n - 1, f) };
            black_box(());
            result
        }
    }

    fn a_trace_has_the_frames_of_the_thread_and_ends(process) {
        process.passes(|| {
            let trace = thread::spawn(|| {
                let trace = outer_frame();
                black_box(());
                trace
            });
            let trace = trace.join().unwrap();
            assert_shown(&trace, &["inner_frame", "outer_frame", "closure"]);
        });
    }

    fn the_first_frame_of_a_thread_has_a_trace(process) {
        process.passes(|| {
            let trace = thread::spawn(Backtrace::force_capture).join().unwrap();
            assert_shown(&trace, &[]);
        });
    }

    fn a_trace_from_deep_down_has_each_frame_once(process) {
        process.passes(|| {
            const DEPTH: usize = 300;
            let trace = thread::spawn(|| recurses(DEPTH, outer_frame)).join().unwrap();
            assert_shown(&trace, &["inner_frame", "outer_frame", "recurses"]);
            let trace = trace.to_string();
            let n = frames(&trace).iter().filter(|name| name.contains("recurses")).count();
            assert_eq!(n, DEPTH);
        });
    }

    fn a_trace_in_a_panic_hook_has_the_frames_that_panic(process) {
        process.passes(|| {
            static TRACE: Mutex<Option<Backtrace>> = Mutex::new(None);
            #[inline(never)]
            fn a_frame_that_panics() {
                panic!("to be traced");
            }
            panic::set_hook(Box::new(|_| *TRACE.lock().unwrap() = Some(outer_frame())));
            thread::spawn(|| recurses(20, a_frame_that_panics)).join().unwrap_err();
            let trace = TRACE.lock().unwrap().take().unwrap();
            let wanted = ["inner_frame", "outer_frame", "a_frame_that_panics", "recurses"];
            assert_shown(&trace, &wanted);
        });
    }

    fn traces_before_within_and_after_a_caught_panic_are_whole(process) {
        process.passes(|| {
            panic::set_hook(Box::new(|_| ()));
            static IN_DROP: Mutex<Option<Backtrace>> = Mutex::new(None);
            struct Traces;
            impl Drop for Traces {
                fn drop(&mut self) {
                    *IN_DROP.lock().unwrap() = Some(outer_frame());
                }
            }
            #[inline(never)]
            fn a_frame_that_unwinds() -> Backtrace {
                let _traces = Traces;
                panic::panic_any(inner_frame());
            }
            let traces = thread::spawn(|| {
                let caught = panic::catch_unwind(|| recurses(20, a_frame_that_unwinds));
                let within = caught.unwrap_err().downcast::<Backtrace>().unwrap();
                [*within, outer_frame()]
            });
            let [within, after] = traces.join().unwrap();
            assert_shown(&within, &["inner_frame", "a_frame_that_unwinds", "recurses"]);
            assert_shown(&after, &["inner_frame", "outer_frame"]);
            let unwinding = IN_DROP.lock().unwrap().take().unwrap();
            assert_shown(&unwinding, &["outer_frame", "a_frame_that_unwinds", "recurses"]);
        });
    }

    fn a_thread_that_waits_and_moves_has_the_same_frames(process) {
        process.passes(|| {
            #[inline(never)]
            fn a_frame_that_waits() -> Vec<Backtrace> {
                let traces = (0..10).map(|_| {
                    thread::sleep(Duration::from_millis(1));
                    thread::yield_now();
                    outer_frame()
                });
                traces.collect()
            }
            let threads: Vec<_> =
                (0..8).map(|_| thread::spawn(|| recurses(3, a_frame_that_waits))).collect();
            for thread in threads {
                let traces = thread.join().unwrap();
                assert_shown(&traces[9], &["outer_frame", "a_frame_that_waits", "recurses"]);
                // What is below may be another worker's.
                let texts: Vec<_> = traces.iter().map(ToString::to_string).collect();
                let all: Vec<_> = texts.iter().map(|text| frames(text)).collect();
                let own = &all[0][..n_own(&all[0])];
                assert!(all.iter().all(|frames| &frames[..n_own(frames)] == own), "{texts:#?}");
            }
        });
    }

    fn a_full_report_of_a_panic_ends(process) {
        let ended = process.env("RUST_BACKTRACE", "full").passes(|| {
            #[inline(never)]
            fn a_frame_that_panics() {
                panic!("in full");
            }
            thread::spawn(|| recurses(50, a_frame_that_panics)).join().unwrap_err();
        });
        let (_, trace) = ended.stderr.split_once("stack backtrace:\n").expect("a backtrace");
        assert_text_shown(trace, &["a_frame_that_panics", "recurses"]);
    }
}

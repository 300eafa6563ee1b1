//! What the pictures of `docs/seeing.md` show (`ci/pictures.sh` makes them), as facts: the same three runs,
//! recorded.

#![cfg(target_os = "linux")]

mod examples_support;

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use examples_support::{Program, Web, assert_os_threads};
use sylvan_sight::file::{self, Run};
use sylvan_sight::history::{History, Span, State, Thread, Waker};
use tests::redis::Redis;

/// The run of an example, recorded.
struct Recorded {
    run: Run,
    history: History,
}

impl Recorded {
    fn of(name: &str, arguments: &[&str]) -> Self {
        let place = format!("examples-{name}-{}.trace", arguments.len());
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(place);
        let (printed, status) = Program::start_recorded(name, arguments, &file).wait();
        assert!(status.success(), "{status}: {printed:?}");
        let run = file::read(&fs::read(file).unwrap()).unwrap();
        assert!(!run.is_cut);
        let history = History::of(&run);
        Self { run, history }
    }

    /// The threads whose names begin so, in the order in which they were spawned.
    fn threads(&self, prefix: &str) -> Vec<&Thread> {
        let is_one =
            |thread: &&Thread| thread.name.as_ref().is_some_and(|it| it.starts_with(prefix));
        self.history.threads.iter().filter(is_one).collect()
    }

    fn waits_for(&self, span: &Span, reason: &str) -> bool {
        matches!(span.state, State::Waiting(number) if self.run.reason(number) == reason)
    }

    /// Whether it is, or waits for, a blocking section.
    fn blocks(&self, span: &Span) -> bool {
        span.state == State::Blocking || self.waits_for(span, "blocking")
    }

    /// From when to when a thread waits for answers.
    fn reads(&self, thread: &Thread) -> (u64, u64) {
        let mut reads = thread.spans.iter().filter(|span| self.waits_for(span, "read"));
        let first = reads.next().unwrap_or_else(|| panic!("no answer: {thread:?}"));
        (first.begin_ns, reads.next_back().unwrap_or(first).end_ns)
    }
}

fn is_shared() -> bool {
    sylvan::tls_mode().is_ok_and(|mode| mode == sylvan::TlsMode::Shared)
}

/// The fetcher, three at a time, of so many pages of one server.
fn fetches(web: &Web, n: usize) -> Recorded {
    // As many names as are asked for at a time: the same one would be asked once.
    let names = ["localhost", "Localhost", "LOCALHOST"];
    let url = |n| format!("http://{}:{}/{n}", names[n % 3], web.address.port());
    let arguments: Vec<String> = ["3".to_owned()].into_iter().chain((0..n).map(url)).collect();
    Recorded::of("fetch", &arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

#[test]
fn each_of_three_fetches_looks_its_name_up_in_a_blocking_section_and_then_waits() {
    let recorded = fetches(&Web::start(), 3);
    let threads = recorded.threads("fetch ");
    assert_eq!(threads.len(), 3);
    for thread in threads {
        let (begin_ns, end_ns) = recorded.reads(thread);
        assert!(begin_ns < end_ns, "{thread:?}");
        // Before it others may have to let it in.
        let mut before = thread.spans.iter().filter(|span| span.end_ns <= begin_ns);
        let look_up = before.rfind(|span| recorded.blocks(span)).expect("a look-up");
        if is_shared() {
            // By a helper, which is no worker and tells the thread.
            let next = thread.spans.iter().find(|span| span.begin_ns == look_up.end_ns).unwrap();
            // Or it was through before the thread could wait.
            let is_through = next.state == State::Running;
            assert!(is_through || next.waker == Some(Waker::OsThread), "{thread:?}");
        } else {
            // By the thread itself, on the OS thread that it runs on.
            let place = look_up.place.expect("an OS thread");
            let before = thread.spans.iter().find(|span| span.end_ns == look_up.begin_ns).unwrap();
            assert_eq!((before.state, before.place), (State::Running, Some(place)));
            assert!(recorded.history.os_threads.iter().any(|it| it.id == place.os_thread));
        }
    }
}

#[test]
fn three_that_wait_for_redis_have_no_os_thread_beside_the_workers() {
    let Some(redis) = Redis::start() else { return };
    let path = redis.path();
    // A machine that keeps a worker waiting makes the runtime take on another, now and then.
    let n_workers = std::thread::available_parallelism().unwrap().get();
    assert_os_threads(n_workers, || {
        let recorded = Recorded::of("redis_unix", &[path.to_str().unwrap(), "3", "10"]);
        let threads = recorded.threads("ring ");
        assert_eq!(threads.len(), 3);
        for span in threads.iter().flat_map(|thread| &thread.spans) {
            assert!(!recorded.blocks(span), "{span:?}");
            let waits = matches!(span.state, State::Waiting(_));
            assert!(!waits || recorded.waits_for(span, "read"), "{span:?}");
        }
        threads.iter().for_each(|thread| assert!(recorded.reads(thread).0 > 0));
        let places = threads.iter().flat_map(|thread| &thread.spans).filter_map(|it| it.place);
        Some(places.map(|place| place.os_thread).collect::<HashSet<_>>().len())
    });
}

#[test]
fn three_of_thirty_requests_are_under_way_at_a_time_and_who_ends_wakes_the_next() {
    let web = Web::start();
    let recorded = fetches(&web, 30);
    let threads = recorded.threads("fetch ");
    assert_eq!(threads.len(), 30);
    let reads: Vec<(u64, u64)> = threads.iter().map(|thread| recorded.reads(thread)).collect();
    let at_once = |at_ns: u64| reads.iter().filter(|it| it.0 <= at_ns && at_ns < it.1).count();
    assert_eq!(reads.iter().map(|(begin_ns, _)| at_once(*begin_ns)).max(), Some(3));
    let ids: HashSet<u32> = threads.iter().map(|thread| thread.id).collect();
    let mut n_queued = 0;
    for thread in threads {
        let mut spans = thread.spans.windows(2);
        if let Some(pair) = spans.rfind(|pair| recorded.waits_for(&pair[0], "condvar")) {
            let Some(Waker::Thread(waker)) = pair[1].waker else { panic!("{thread:?}") };
            assert!(ids.contains(&waker), "{thread:?}");
            n_queued += 1;
        }
    }
    assert!((1..=27).contains(&n_queued), "{n_queued} have waited for another to end");
}

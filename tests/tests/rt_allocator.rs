//! What the runtime shares under locks of its own asks for no memory there: the allocator is the program's.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use sylvan::contract::{SingleFlight, Throttle};
use tests::process::Process;

tests::in_each_mode!(an_allocator_may_ask_what_is_asked_once, an_allocator_may_pass_a_throttle);

static QUESTIONS: SingleFlight<u32, u32> = SingleFlight::new();
static THROTTLE: Throttle = Throttle::new();

/// The next allocation is to ask a question, or to pass the throttle.
static ASKS: AtomicBool = AtomicBool::new(false);
static PASSES: AtomicBool = AtomicBool::new(false);
static N_CALLS: AtomicU32 = AtomicU32::new(0);

/// An allocator that uses both.
struct Asking;

fn call() {
    if ASKS.load(Relaxed) && sylvan::is_green() && ASKS.swap(false, Relaxed) {
        let n = N_CALLS.fetch_add(1, Relaxed);
        assert_eq!(QUESTIONS.run(1_000 + n, || n), n);
        ASKS.store(true, Relaxed);
    }
    if PASSES.load(Relaxed) && sylvan::is_green() && PASSES.swap(false, Relaxed) {
        N_CALLS.fetch_add(1, Relaxed);
        THROTTLE.blocking(|| ());
        PASSES.store(true, Relaxed);
    }
}

// SAFETY: the system's allocator does it.
unsafe impl GlobalAlloc for Asking {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        call();
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        call();
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Asking = Asking;

/// Under the lock it would wait for itself.
fn an_allocator_may_ask_what_is_asked_once(process: &Process) {
    process.env("SYLVAN_WORKERS", "1").passes(|| {
        let asked = sylvan::spawn(|| {
            ASKS.store(true, Relaxed);
            // Ten questions under way at a time: the place for them grows.
            let answer = ask_from(0);
            ASKS.store(false, Relaxed);
            answer
        });
        assert_eq!(asked.join().unwrap(), 10);
        assert_ne!(N_CALLS.load(Relaxed), 0);
    });
}

fn ask_from(question: u32) -> u32 {
    if question == 10 { question } else { QUESTIONS.run(question, || ask_from(question + 1)) }
}

fn an_allocator_may_pass_a_throttle(process: &Process) {
    process.env("SYLVAN_WORKERS", "1").passes(|| {
        let passed = sylvan::spawn(|| {
            PASSES.store(true, Relaxed);
            THROTTLE.blocking(|| ());
            PASSES.store(false, Relaxed);
        });
        passed.join().unwrap();
        assert_ne!(N_CALLS.load(Relaxed), 0);
    });
}

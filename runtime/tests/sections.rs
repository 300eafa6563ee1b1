//! Where a thread goes on that is back from a blocking section, which has cost it its core.
#![cfg(target_os = "linux")]
#![allow(clippy::disallowed_methods, reason = "the tests block OS threads on purpose")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::sleep;
use std::time::Duration;

use rustix::thread::gettid;
use sylvan::{Config, TlsMode};

/// One core, and a place for one thread beside it. `None` where such sections run elsewhere.
fn one_core() -> Option<MutexGuard<'static, ()>> {
    static TURN: Mutex<()> = Mutex::new(());
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    // The first test starts the runtime, and the others find it.
    let _ = Config::new().workers(1).start();
    assert_eq!(sylvan::workers().unwrap(), 1);
    (sylvan::tls_mode().unwrap() == TlsMode::Own).then_some(turn)
}

/// Whether the calling green thread is on the same OS thread after a section as in it, which has cost it the core.
fn stays() -> bool {
    let (tell, told) = mpsc::channel();
    // It needs the core. Nobody waits for its end, for that would be a wait, after which this one has a core again.
    drop(sylvan::spawn(move || tell.send(()).unwrap()));
    let within = sylvan::blocking(move || {
        told.recv().unwrap();
        gettid()
    });
    within == gettid()
}

#[test]
fn it_goes_on_where_it_is() {
    let Some(_turn) = one_core() else { return };
    let stays_each_time = || {
        (0..5).all(|_| {
            // A run that has the core begins.
            sylvan::yield_now();
            stays()
        })
    };
    // Other programs may spoil a try.
    assert!((0..8).any(|_| sylvan::spawn(stays_each_time).join().unwrap()), "each time");
}

#[test]
fn where_as_many_do_as_there_are_cores_it_queues() {
    let Some(_turn) = one_core() else { return };
    static GOES_ON: AtomicBool = AtomicBool::new(false);
    static OVER: AtomicBool = AtomicBool::new(false);
    let first = sylvan::spawn(|| {
        let stayed = stays();
        GOES_ON.store(true, Ordering::Release);
        while !OVER.load(Ordering::Acquire) {
            std::hint::spin_loop();
        }
        stayed
    });
    while !GOES_ON.load(Ordering::Acquire) {
        sleep(Duration::from_millis(1));
    }
    let second = sylvan::spawn(stays).join().unwrap();
    OVER.store(true, Ordering::Release);
    assert!(first.join().unwrap() && !second);
    // The place is free again. Other programs may spoil a try.
    assert!((0..8).any(|_| sylvan::spawn(stays).join().unwrap()));
}

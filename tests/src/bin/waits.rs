//! Threads that all wait for each other, main among them: `waits for-good`; or as well for what comes from outside:
//! `waits for-input` until there is some, `waits for-a-signal` until `SIGUSR1` comes.

use std::env;
use std::io::Read;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use std_shim::sync::{Arc, Condvar, Mutex, mpsc};
use std_shim::thread::{self, Builder};

static WOKEN: AtomicU32 = AtomicU32::new(0);

extern "C" fn wake(_: i32) {
    WOKEN.store(1, Relaxed);
    sylvan::wake(&raw const WOKEN, 1);
}

fn main() {
    let from_outside = env::args().nth(1).expect("for what");
    let named = |name: &str| Builder::new().name(name.to_owned());
    let pair = Arc::new((Mutex::new(()), Condvar::new()));
    let waits = move || drop(pair.1.wait(pair.0.lock().unwrap()));
    let waits = named("waits").spawn(waits).expect("a thread");
    let _stays = named("stays").spawn(thread::park).expect("a thread");
    let _joins = named("joins").spawn(move || drop(waits.join())).expect("a thread");
    let (sender, receiver) = mpsc::channel::<u8>();
    match &*from_outside {
        "for-good" => drop(receiver.recv()),
        "for-input" => assert_eq!(std::io::stdin().read(&mut [0]).expect("some input"), 1),
        "for-a-signal" => {
            // SAFETY: the handler wakes, and nobody is in the runtime when it runs.
            unsafe { libc::signal(libc::SIGUSR1, wake as *const () as libc::sighandler_t) };
            while WOKEN.load(Relaxed) == 0 {
                sylvan::wait(&WOKEN, 0, None, sylvan::WaitReason::Futex);
            }
        }
        other => panic!("{other}?"),
    }
    drop(sender);
}

//! Threads that all wait for each other, main among them: `waits for-good`; or as well for what comes from outside:
//! `waits for-input` until there is some, `waits for-a-signal` until `SIGUSR1` comes. And threads that wait for locks
//! that they have themselves, or that one had which has ended, while main joins them: `waits for-itself`; and one that
//! waits for a lock of main's, which waits for its end: `waits for-main`; and one and main that wait for each other's
//! lock: `waits for-each-other`; many that wait for a lock of which many know: `waits in-a-crowd`; and one that waits
//! in the kernel, and its OS thread with it, of which the runtime does not hear: `waits in-the-kernel`.

use std::env;
use std::io::Read;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use std_shim::sync::{Arc, Barrier, Condvar, Mutex, RwLock, mpsc};
use std_shim::thread::{self, Builder};

static WOKEN: AtomicU32 = AtomicU32::new(0);

extern "C" fn wake(_: i32) {
    WOKEN.store(1, Relaxed);
    sylvan::wake(&raw const WOKEN, 1);
}

/// Each has a lock that main has as well, which has it in an `Arc`, or has had the lock.
fn for_itself() {
    let spawn = |name: &str, f: Box<dyn FnOnce() + Send>| {
        Builder::new().name(name.to_owned()).spawn(f).expect("a thread")
    };
    let lock = Arc::new(Mutex::new(0));
    let theirs = Arc::clone(&lock);
    let locks = spawn(
        "locks",
        Box::new(move || {
            let _first = theirs.lock();
            let _second = theirs.lock();
        }),
    );
    let shared = Arc::new(RwLock::new(0));
    let theirs = Arc::clone(&shared);
    spawn(
        "upgrades",
        Box::new(move || {
            let value = theirs.read().unwrap();
            *theirs.write().unwrap() = *value + 1;
        }),
    );
    let used = Arc::new(Mutex::new(0));
    *used.lock().unwrap() += 1;
    let theirs = Arc::clone(&used);
    spawn(
        "locks-mains",
        Box::new(move || {
            let _first = theirs.lock();
            let _second = theirs.lock();
        }),
    );
    println!("ready");
    drop(locks.join());
    drop((lock, shared, used));
}

fn for_main() {
    let lock = Arc::new(Mutex::new(0));
    let theirs = Arc::clone(&lock);
    let _guard = lock.lock();
    let waits = Builder::new().name("waits".to_owned()).spawn(move || drop(theirs.lock()));
    println!("ready");
    waits.expect("a thread").join().expect("it does not end");
}

fn for_each_other() {
    let (a, b, both) =
        (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)), Arc::new(Barrier::new(2)));
    let (theirs, mine, are_there) = (Arc::clone(&a), Arc::clone(&b), Arc::clone(&both));
    let other = move || {
        let _mine = mine.lock();
        are_there.wait();
        drop(theirs.lock());
    };
    let other = Builder::new().name("other".to_owned()).spawn(other).expect("a thread");
    let _guard = a.lock();
    both.wait();
    println!("ready");
    drop(b.lock());
    other.join().expect("it does not end");
}

/// Whose lock it is that `waiter`s wait for each of the `knows` could tell, which has its address on its stack.
fn in_a_crowd() {
    let lock: &'static Mutex<u64> = Box::leak(Box::new(Mutex::new(0)));
    let all = Arc::new(Barrier::new(41));
    for i in 0..40 {
        let all = Arc::clone(&all);
        let name = if i < 20 { "knows" } else { "waiter" };
        let stays = move || {
            let known = std::hint::black_box([lock]);
            let guard = (i == 0).then(|| known[0].lock());
            all.wait();
            if i < 20 {
                thread::sleep(std::time::Duration::from_secs(1000));
            }
            drop((known[0].lock(), guard));
        };
        Builder::new().name(format!("{name} {i}")).spawn(stays).expect("a thread");
    }
    all.wait();
    println!("ready");
    thread::park();
}

fn in_the_kernel() {
    let sleeps = || std::thread::sleep(std::time::Duration::from_secs(1000));
    let sleeps = Builder::new().name("sleeps".to_owned()).spawn(sleeps).expect("a thread");
    println!("ready");
    drop(sleeps.join());
}

fn main() {
    let from_outside = env::args().nth(1).expect("for what");
    if from_outside == "for-itself" {
        return for_itself();
    }
    if from_outside == "for-main" {
        return for_main();
    }
    if from_outside == "for-each-other" {
        return for_each_other();
    }
    if from_outside == "in-a-crowd" {
        return in_a_crowd();
    }
    if from_outside == "in-the-kernel" {
        return in_the_kernel();
    }
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

//! A program with a green thread of each kind, for those who look at it from outside (`sight_*` tests). It says
//! `ready` when all have got to where they stay, and ends when its input does.
//!
//! Each thread's name says what it does.

use std::hint::black_box;
use std::io::Read;
use std::os::fd::AsRawFd;
use std::time::Duration;

use std_shim::net::{TcpListener, TcpStream, UdpSocket};
use std_shim::os::unix::net::UnixStream;
use std_shim::sync::{Arc, Barrier, Condvar, Mutex, Once, RwLock, mpsc};
use std_shim::thread::{self, Builder, JoinHandle};

fn named(name: &str, f: impl FnOnce() + Send + 'static) -> JoinHandle<()> {
    Builder::new().name(name.to_owned()).spawn(f).expect("a thread")
}

/// Waits until the program ends.
fn stay() {
    loop {
        thread::park();
    }
}

fn main() {
    let seconds = Duration::from_secs(1000);
    let mut kept = Vec::new();

    // Locks and a scope, before all others: they lie where nothing was before, so no stack leads there by chance.
    let (lock, of_main) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
    let (a, b) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
    let shared = Arc::new(RwLock::new(0));
    let begun = Arc::new(Barrier::new(2));
    let begins = Arc::clone(&begun);
    named("scope", || {
        thread::scope(|scope| {
            let stays = move || {
                begins.wait();
                stay();
            };
            Builder::new()
                .name("in-scope".to_owned())
                .spawn_scoped(scope, stays)
                .expect("a thread");
        });
    });
    begun.wait();

    // Descriptors.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    let mine = TcpStream::connect(address).expect("a connection");
    let (mut theirs, _) = listener.accept().expect("a connection");
    println!("tcp {} {}", theirs.local_addr().expect("one"), mine.local_addr().expect("one"));
    named("reader", move || drop(theirs.read(&mut [0])));
    println!("listener {address}");
    named("acceptor", move || drop(listener.accept()));
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
    println!("udp {}", udp.local_addr().expect("one"));
    named("datagrams", move || drop(udp.recv(&mut [0])));
    let (mut left, right) = UnixStream::pair().expect("a pair");
    println!("unix {} {}", left.as_raw_fd(), right.as_raw_fd());
    named("unix", move || drop(left.read(&mut [0])));
    let (mut out, into) = std_shim::io::pipe().expect("a pipe");
    println!("pipe {} {}", out.as_raw_fd(), into.as_raw_fd());
    named("pipe", move || drop(out.read(&mut [0])));

    // Time.
    named("sleeper", move || thread::sleep(seconds));
    named("parked", stay);
    named("顧客の接続を待つスレッド番号一", stay);

    // Locks.
    let (theirs, held) = (Arc::clone(&lock), Arc::new(Barrier::new(2)));
    let is_held = Arc::clone(&held);
    named("writer", move || {
        let _guard = theirs.lock();
        is_held.wait();
        stay();
    });
    held.wait();
    println!("mutex {:p}", &*lock);
    named("second", move || drop(lock.lock()));
    let theirs = Arc::clone(&of_main);
    println!("of-main {:p}", &*of_main);
    let guard = of_main.lock();
    named("third", move || drop(theirs.lock()));
    let both = Arc::new(Barrier::new(2));
    for (name, first, second) in [("a", &a, &b), ("b", &b, &a)] {
        let (first, second, both) = (Arc::clone(first), Arc::clone(second), Arc::clone(&both));
        named(name, move || {
            let _first = first.lock();
            both.wait();
            let _second = second.lock();
        });
    }
    let theirs = Arc::clone(&shared);
    let held = Arc::new(Barrier::new(2));
    let is_held = Arc::clone(&held);
    named("read-locks", move || {
        let _guard = theirs.read();
        is_held.wait();
        stay();
    });
    held.wait();
    named("write-locks", move || drop(shared.write()));
    let pair = Arc::new((Mutex::new(()), Condvar::new()));
    named("condvar", move || drop(pair.1.wait(pair.0.lock().unwrap())));
    let barrier = Arc::new(Barrier::new(2));
    named("barrier", move || assert!(barrier.wait().is_leader()));
    static ONCE: Once = Once::new();
    let initializes = Arc::new(Barrier::new(2));
    let begins = Arc::clone(&initializes);
    named("initializes", move || {
        ONCE.call_once(|| {
            begins.wait();
            stay();
        });
    });
    initializes.wait();
    named("once", || ONCE.call_once(|| ()));

    // Channels.
    let (sender, receiver) = mpsc::channel::<u8>();
    kept.push(sender.clone());
    kept.push(sender);
    named("receiver", move || assert!(receiver.recv().is_err()));
    let (sender, receiver) = mpsc::sync_channel(1);
    named("sender", move || while sender.send(1).is_ok() {});

    // Threads.
    let sleeps = named("joined", stay);
    named("joiner", move || drop(sleeps.join()));

    // Children, and calls that block.
    named("child", || {
        // It ends when the input does, too.
        let mut child = std_shim::process::Command::new("cat").spawn().expect("one");
        println!("child {}", child.id());
        drop(child.wait());
    });
    named("bound", move || {
        if sylvan::thread::bind().is_ok() {
            std::thread::sleep(seconds);
        }
        // Thread-locals are shared.
        stay();
    });

    // Last, since it keeps its core from others where thread-locals are shared.
    thread::sleep(Duration::from_millis(200));
    named("computes", || {
        let mut n = 0_u64;
        loop {
            n = black_box(n + 1);
        }
    });
    let seen = Arc::new(Mutex::new(()));
    named("blocks", move || {
        let _guard = seen.lock();
        sylvan::blocking(|| std::thread::sleep(seconds));
    });

    thread::sleep(Duration::from_millis(200));
    println!("ready");
    let _ = std::io::stdin().read(&mut [0]);
    drop((kept, mine, right, into, receiver, guard));
    std::process::exit(0);
}

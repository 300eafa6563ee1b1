//! A crowd that waits on duplicates of one descriptor: each hears of everything, one is served, and
//! the others go back to wait without an OS thread each.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use std_shim::io::pipe;
use std_shim::net::{TcpListener, TcpStream};
use std_shim::os::unix::net::{UnixListener, UnixStream};
use std_shim::thread;

use tests::counts::{eventually, os_threads};
use tests::process::Process;

tests::in_each_mode!(
    clones_of_a_tcp_listener_take_no_os_thread_each,
    clones_of_a_unix_listener_take_no_os_thread_each,
    clones_of_the_end_of_a_pipe_take_no_os_thread_each,
);

const N_CLONES: usize = 300;

/// Main, the harness's, the monitor, and some that the runtime takes on when the machine keeps its
/// workers waiting.
const OS_THREADS_BESIDE_WORKERS: usize = 20;

/// Has each of many clones served once by `serve`, some at a time as `feed` asks for.
fn crowd<T: Send + 'static>(clone: impl Fn() -> T, serve: fn(T), mut feed: impl FnMut(usize)) {
    let n_served = Arc::new(AtomicUsize::new(0));
    let threads: Vec<_> = (0..N_CLONES)
        .map(|_| {
            let (clone, n_served) = (clone(), Arc::clone(&n_served));
            thread::spawn(move || {
                serve(clone);
                n_served.fetch_add(1, SeqCst);
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(50));
    let (mut n_fed, mut most) = (0, os_threads());
    for n in [1, 1, 1, 10, 100, N_CLONES - 113] {
        feed(n);
        n_fed += n;
        eventually("as many are served as were fed", || {
            most = most.max(os_threads());
            n_served.load(SeqCst) >= n_fed
        });
        assert_eq!(n_served.load(SeqCst), n_fed);
    }
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    println!("{most} OS threads");
    assert!(most <= sylvan::workers().unwrap() + OS_THREADS_BESIDE_WORKERS, "{most} OS threads");
}

fn clones_of_a_tcp_listener_take_no_os_thread_each(process: &Process) {
    process.passes(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut clients = Vec::new();
        crowd(
            || listener.try_clone().unwrap(),
            |listener| drop(listener.accept().unwrap()),
            |n| clients.extend((0..n).map(|_| TcpStream::connect(address).unwrap())),
        );
    });
}

fn clones_of_a_unix_listener_take_no_os_thread_each(process: &Process) {
    process.passes(|| {
        let path = std::env::temp_dir().join(format!("clones-{}", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        let mut clients = Vec::new();
        crowd(
            || listener.try_clone().unwrap(),
            |listener| drop(listener.accept().unwrap()),
            |n| clients.extend((0..n).map(|_| UnixStream::connect(&path).unwrap())),
        );
        std::fs::remove_file(&path).unwrap();
    });
}

fn clones_of_the_end_of_a_pipe_take_no_os_thread_each(process: &Process) {
    process.passes(|| {
        let (reader, mut writer) = pipe().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        crowd(
            || (reader.try_clone().unwrap(), Arc::clone(&seen)),
            |(mut reader, seen)| {
                let mut byte = [0];
                reader.read_exact(&mut byte).unwrap();
                seen.lock().unwrap().push(byte[0]);
            },
            |n| writer.write_all(&vec![n as u8; n]).unwrap(),
        );
        let n_seen = |n: usize| seen.lock().unwrap().iter().filter(|b| **b == n as u8).count();
        assert_eq!((n_seen(1), n_seen(10), n_seen(100)), (3, 10, 100));
    });
}

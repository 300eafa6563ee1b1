//! Those that wait for one descriptor have their turns in the order they came.
//!
//! With one worker a thread that has said that it comes has parked by the time another one hears of
//! it, unless the machine stops the worker in between, for so long that another takes over: so the
//! order has to be right in one of a few attempts. Between descriptors (`try_clone`) there is none.
//!
//! And those whose calls never have to wait have their turns, too.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use std_shim::net::{TcpListener, TcpStream};
use std_shim::os::unix::net::{UnixDatagram, UnixStream};
use std_shim::thread::{self, JoinHandle};

use tests::process::Process;

tests::in_each_mode!(
    readers_of_a_stream_have_their_turns,
    writers_to_a_stream_have_their_turns,
    receivers_of_datagrams_have_their_turns,
    those_who_accept_have_their_turns,
    the_next_request_is_the_next_turn,
    a_turn_is_a_few_calls_where_none_waits,
    calls_that_never_wait_have_their_share_beside_threads_that_compute,
);

const N_THREADS: usize = 20;

/// Who has had a turn, in this order.
#[derive(Clone, Default)]
struct Turns(Arc<Mutex<Vec<usize>>>);

impl Turns {
    fn were_in_order(&self) -> bool {
        let turns = self.0.lock().unwrap().clone();
        println!("{turns:?}");
        turns.into_iter().eq(0..N_THREADS)
    }
}

/// Starts threads that wait one behind the other, by `wait`.
fn queue_up(turns: &Turns, wait: impl Fn(usize) + Clone + Send + 'static) -> Vec<JoinHandle<()>> {
    let n_came = Arc::new(AtomicUsize::new(0));
    let start = |n| {
        let (came, turns, wait) = (Arc::clone(&n_came), turns.clone(), wait.clone());
        let thread = thread::spawn(move || {
            came.fetch_add(1, SeqCst);
            wait(n);
            turns.0.lock().unwrap().push(n);
        });
        while n_came.load(SeqCst) <= n {
            thread::yield_now();
        }
        thread
    };
    (0..N_THREADS).map(start).collect()
}

/// Plays `scene` on one worker; in one of the attempts it has to say that the order was right.
fn is_in_order(process: &Process, scene: fn() -> bool) {
    process.env("SYLVAN_WORKERS", "1").passes(|| {
        assert!((0..5).any(|_| thread::spawn(scene).join().unwrap()), "never in order");
    });
}

fn join(threads: Vec<JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

fn readers_of_a_stream_have_their_turns(process: &Process) {
    is_in_order(process, || {
        let (mut near, far) = UnixStream::pair().unwrap();
        let (far, turns) = (Arc::new(far), Turns::default());
        let readers = queue_up(&turns, move |_| (&*far).read_exact(&mut [0]).unwrap());
        // For some at once, then for one at a time.
        near.write_all(&[0; N_THREADS / 2]).unwrap();
        for _ in N_THREADS / 2..N_THREADS {
            near.write_all(&[0]).unwrap();
            thread::yield_now();
        }
        join(readers);
        turns.were_in_order()
    });
}

fn writers_to_a_stream_have_their_turns(process: &Process) {
    is_in_order(process, || {
        let (near, mut far) = UnixStream::pair().unwrap();
        near.set_nonblocking(true).unwrap();
        let mut n_before = 0;
        while let Ok(n) = (&near).write(&[0; 4096]) {
            n_before += n;
        }
        near.set_nonblocking(false).unwrap();
        let (near, turns) = (Arc::new(near), Turns::default());
        let writers = queue_up(&turns, move |n| (&*near).write_all(&[n as u8; 100]).unwrap());
        far.read_exact(&mut vec![0; n_before]).unwrap();
        let mut read = [0; 100 * N_THREADS];
        far.read_exact(&mut read).unwrap();
        join(writers);
        turns.were_in_order() && read.is_sorted()
    });
}

fn receivers_of_datagrams_have_their_turns(process: &Process) {
    is_in_order(process, || {
        let (near, far) = UnixDatagram::pair().unwrap();
        let (far, turns) = (Arc::new(far), Turns::default());
        let receivers = queue_up(&turns, move |_| assert_eq!(far.recv(&mut [0]).unwrap(), 1));
        for _ in 0..N_THREADS {
            near.send(&[0]).unwrap();
        }
        join(receivers);
        turns.were_in_order()
    });
}

fn those_who_accept_have_their_turns(process: &Process) {
    is_in_order(process, || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let turns = Turns::default();
        let listener = Arc::new(listener);
        let accepting = queue_up(&turns, move |_| drop(listener.accept().unwrap()));
        let _clients: Vec<_> =
            (0..N_THREADS).map(|_| TcpStream::connect(address).unwrap()).collect();
        join(accepting);
        turns.were_in_order()
    });
}

/// How many calls of a thread, none of which has to wait, come before the next run of a thread that it has woken.
fn calls_before_another_runs(mut call: impl FnMut()) -> usize {
    let [waits, ran] = [(); 2].map(|()| Arc::new(AtomicBool::new(false)));
    let other = thread::spawn({
        let (waits, ran) = (Arc::clone(&waits), Arc::clone(&ran));
        move || {
            waits.store(true, SeqCst);
            thread::park();
            ran.store(true, SeqCst);
        }
    });
    while !waits.load(SeqCst) {
        thread::yield_now();
    }
    other.thread().unpark();
    let mut n_calls = 0;
    while !ran.load(SeqCst) {
        call();
        n_calls += 1;
    }
    other.join().unwrap();
    n_calls
}

fn the_next_request_is_the_next_turn(process: &Process) {
    process.env("SYLVAN_WORKERS", "1").passes(|| {
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let n_requests = thread::spawn(move || {
            calls_before_another_runs(|| {
                near.write_all(&[0]).unwrap();
                far.read_exact(&mut [0]).unwrap();
            })
        });
        let n_requests = n_requests.join().unwrap();
        assert!(n_requests <= 2, "{n_requests} requests");
    });
}

fn a_turn_is_a_few_calls_where_none_waits(process: &Process) {
    process.env("SYLVAN_WORKERS", "1").passes(|| {
        // There is room for two hundred.
        let (mut near, _far) = UnixStream::pair().unwrap();
        let n_calls =
            thread::spawn(move || calls_before_another_runs(|| near.write_all(&[0]).unwrap()));
        let n_calls = n_calls.join().unwrap();
        assert!(n_calls <= 64, "{n_calls} calls");
    });
}

/// Half of the time is theirs, as of those that do wait; not a turn in a round of all that compute.
fn calls_that_never_wait_have_their_share_beside_threads_that_compute(process: &Process) {
    const N_REQUESTS: usize = 1_000;
    const BURST: Duration = Duration::from_millis(1);
    process.env("SYLVAN_WORKERS", "1").passes(|| {
        let (n_bursts, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let compute = |_| {
            let (n_bursts, over) = (Arc::clone(&n_bursts), Arc::clone(&over));
            thread::spawn(move || {
                while !over.load(SeqCst) {
                    let begin = Instant::now();
                    while begin.elapsed() < BURST {
                        std::hint::spin_loop();
                    }
                    n_bursts.fetch_add(1, SeqCst);
                    thread::yield_now();
                }
            })
        };
        let computing = (0..N_THREADS).map(compute).collect();
        let (mut near, mut far) = UnixStream::pair().unwrap();
        let ask = {
            let n_bursts = Arc::clone(&n_bursts);
            move || {
                let n_before = n_bursts.load(SeqCst);
                for _ in 0..N_REQUESTS {
                    near.write_all(&[0]).unwrap();
                    far.read_exact(&mut [0]).unwrap();
                }
                n_bursts.load(SeqCst) - n_before
            }
        };
        let n_beside = thread::spawn(ask).join().unwrap();
        over.store(true, SeqCst);
        join(computing);
        // A round for each request would be twenty thousand.
        assert!(n_beside < N_REQUESTS, "{n_beside} bursts beside {N_REQUESTS} requests");
    });
}

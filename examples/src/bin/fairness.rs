//! How long the others wait: timers, sockets and channels beside threads that keep a machine busy.
//!
//! ```text
//! cargo run --release --bin fairness [SECONDS]
//! ```
//!
//! In each scene, of a second, twelve threads sleep for 2 ms again and again; four of them then ask
//! an echo server over TCP, and four another thread over a channel. It prints how much longer a round
//! took at worst, for each of the three kinds:
//!
//! ```text
//! worst wait beside                                  timer    socket   channel
//! nothing                                           0.2 ms    0.3 ms    0.2 ms
//! 4 threads that yield                              0.3 ms    0.5 ms    0.1 ms
//! ...
//! ```

use std::hint;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(2);

/// What the threads of a scene have in common: whether it is over.
type Over = Arc<AtomicBool>;

type Busy = (&'static str, fn(&Over) -> Vec<JoinHandle<()>>);

const SCENES: [Busy; 9] = [
    ("nothing", |_| Vec::new()),
    ("4 threads that yield", |over| spawn(4, over, thread::yield_now)),
    ("4 pairs that pass a message to and fro", |over| pairs(4, over, || ())),
    ("50 sockets that are always ready", sockets),
    ("4 threads whose calls never have to wait", |over| spawn(4, over, talk_to_myself)),
    ("40 threads that compute for 5 ms and yield", |over| {
        spawn(40, over, || {
            compute(5);
            thread::yield_now();
        })
    }),
    ("20 pairs that compute for 5 ms for each message", |over| pairs(20, over, || compute(5))),
    ("8 threads that never stop computing", |over| spawn(8, over, hint::spin_loop)),
    ("16 threads that sleep in C for 250 ms", |over| spawn(16, over, sleep_in_c)),
];

fn main() -> io::Result<()> {
    let seconds = std::env::args().nth(1).and_then(|seconds| seconds.parse().ok()).unwrap_or(1.0);
    println!("{:48} {:>9} {:>9} {:>9}", "worst wait beside", "timer", "socket", "channel");
    for (name, start) in SCENES {
        let over = Over::default();
        let watchers: [Vec<_>; 3] = [
            (0..4).map(|_| ticker(&over)).collect(),
            (0..4).map(|_| echo_client(&over)).collect::<io::Result<_>>()?,
            (0..4).map(|_| asker(&over)).collect(),
        ];
        thread::sleep(Duration::from_millis(50));
        let busy = start(&over);
        thread::sleep(Duration::from_secs_f64(seconds));
        over.store(true, Ordering::Relaxed);
        let [timer, socket, channel] = watchers.map(worst_ms);
        println!("{name:48} {timer:6.1} ms {socket:6.1} ms {channel:6.1} ms");
        for thread in busy {
            thread.join().unwrap();
        }
    }
    Ok(())
}

fn worst_ms(watchers: Vec<JoinHandle<Duration>>) -> f64 {
    let waits = watchers.into_iter().map(|watcher| watcher.join().unwrap());
    waits.max().unwrap_or_default().as_secs_f64() * 1e3
}

/// Repeats `step` until the scene is over.
fn repeat(over: &Over, mut step: impl FnMut()) {
    while !over.load(Ordering::Relaxed) {
        step();
    }
}

/// Does `step` every 2 ms; how much longer one round took at worst, after the first.
fn worst(over: &Over, mut step: impl FnMut()) -> Duration {
    let mut worst = Duration::ZERO;
    step();
    repeat(over, || {
        let begin = Instant::now();
        thread::sleep(TICK);
        step();
        worst = worst.max(begin.elapsed());
    });
    worst.saturating_sub(TICK)
}

fn ticker(over: &Over) -> JoinHandle<Duration> {
    let over = over.clone();
    thread::spawn(move || worst(&over, || ()))
}

fn echo_client(over: &Over) -> io::Result<JoinHandle<Duration>> {
    let over = over.clone();
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut client = TcpStream::connect(listener.local_addr()?)?;
    let mut server = listener.accept()?.0;
    thread::spawn(move || {
        let mut byte = [0];
        while server.read_exact(&mut byte).and_then(|()| server.write_all(&byte)).is_ok() {}
    });
    Ok(thread::spawn(move || {
        worst(&over, || {
            client.write_all(&[1]).unwrap();
            client.read_exact(&mut [0]).unwrap();
        })
    }))
}

fn asker(over: &Over) -> JoinHandle<Duration> {
    let over = over.clone();
    let (ask, asked) = mpsc::channel();
    let (answer, answered) = mpsc::channel();
    thread::spawn(move || asked.iter().for_each(|()| answer.send(()).unwrap()));
    thread::spawn(move || {
        worst(&over, || {
            ask.send(()).unwrap();
            answered.recv().unwrap();
        })
    })
}

/// Starts `n` threads that repeat `step`.
fn spawn(n: usize, over: &Over, step: fn()) -> Vec<JoinHandle<()>> {
    let thread = |over: Over| thread::spawn(move || repeat(&over, step));
    (0..n).map(|_| thread(over.clone())).collect()
}

/// Starts `n` pairs of threads that do `step` and wake each other.
fn pairs(n: usize, over: &Over, step: fn()) -> Vec<JoinHandle<()>> {
    let pair = |over: Over| {
        let (there, from_here) = mpsc::channel();
        let (back, from_there) = mpsc::channel();
        there.send(()).unwrap();
        let pass = move |to: mpsc::Sender<()>, from: mpsc::Receiver<()>| {
            repeat(&over, || {
                step();
                // The other one has seen first that the scene is over.
                let _ = from.recv().and_then(|()| to.send(()).map_err(|_| mpsc::RecvError));
            });
        };
        let other = pass.clone();
        [
            thread::spawn(move || pass(there, from_there)),
            thread::spawn(move || other(back, from_here)),
        ]
    };
    (0..n).flat_map(|_| pair(over.clone())).collect()
}

/// Starts pairs of threads that ask and answer over a socket without a pause.
fn sockets(over: &Over) -> Vec<JoinHandle<()>> {
    let pair = |over: Over| {
        let (mut near, far) = UnixStream::pair().unwrap();
        let asks = move || {
            repeat(&over, || {
                near.write_all(&[1; 64]).unwrap();
                near.read_exact(&mut [0; 64]).unwrap();
            });
        };
        [thread::spawn(asks), thread::spawn(move || drop(io::copy(&mut &far, &mut &far)))]
    };
    (0..25).flat_map(|_| pair(over.clone())).collect()
}

/// Makes calls that find what they want, each of them.
fn talk_to_myself() {
    let (mut near, mut far) = UnixStream::pair().unwrap();
    for _ in 0..1_000 {
        near.write_all(&[1; 64]).unwrap();
        far.read_exact(&mut [0; 64]).unwrap();
    }
}

fn compute(ms: u64) {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(ms) {
        hint::spin_loop();
    }
}

fn sleep_in_c() {
    unsafe extern "C" {
        fn usleep(microseconds: u32) -> i32;
    }
    // SAFETY: it waits for a quarter of a second.
    unsafe { usleep(250_000) };
}

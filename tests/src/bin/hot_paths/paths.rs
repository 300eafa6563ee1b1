//! The paths: what threads do all the time.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use std_shim::io::{Read, Write};
use std_shim::os::unix::net::UnixStream;
use std_shim::sync::{Arc, Condvar, Mutex, mpsc};
use std_shim::thread::{self, Thread};

use crate::count;

/// A wait that the other side always ends long before it is over.
const LONG: Duration = Duration::from_secs(1_000);

/// Does an operation over and over, on a thread of one worker, and ticks after each.
type Path = fn(&mut Meter);

/// What each of them is called; the text says what one operation is.
pub(crate) const ALL: [(&str, &str, Path); 10] = [
    ("yield", "a `yield_now` of each of two threads", yields),
    ("spawn", "a spawn and a join", spawn_and_join),
    ("batch", "the same, but 61 spawns come first", batch),
    ("mutex", "ten times lock and unlock, uncontended", mutex),
    ("channel", "a number there and back", channel),
    ("condvar", "a turn there and back", condvar),
    ("park", "an `unpark` there and back", |meter| ping_pong(meter, thread::park)),
    ("timer", "the same, each wait with a timeout", |meter| {
        ping_pong(meter, || thread::park_timeout(LONG));
    }),
    ("echo", "64 bytes there and back over a pair of sockets", |meter| echo(meter, None)),
    ("timeouts", "the same, at a server with timeouts", |meter| echo(meter, Some(LONG))),
];

/// A worker looks at its event loop after so many runs. A whole period is counted.
const PERIOD: u64 = 61;

/// Operations between the two marks, and before them.
pub(crate) const COUNTED: u64 = PERIOD;
const TO_WARM_UP: u64 = 100 * PERIOD;

/// Knows how many operations a path has done, and marks where the counted ones begin and end.
pub(crate) struct Meter {
    n: u64,
    warm: mpsc::Sender<()>,
    go_on: mpsc::Receiver<()>,
}

impl Meter {
    fn tick(&mut self) {
        self.n += 1;
        if self.n == TO_WARM_UP {
            self.warm.send(()).expect("`main` waits");
            self.go_on.recv().expect("`main` says when");
            count::trace_this_thread();
            count::mark();
        } else if self.n == TO_WARM_UP + COUNTED {
            count::mark();
            unreachable!("whoever counts has seen enough");
        }
    }
}

/// In the child that is traced: a path, until whoever traces it has seen enough.
pub(crate) fn play(name: &str) {
    let (_, _, path) = ALL.into_iter().find(|path| path.0 == name).expect("the name of a path");
    let (warm, is_warm) = mpsc::channel();
    let (let_go_on, go_on) = mpsc::channel();
    let thread = thread::spawn(move || path(&mut Meter { n: 0, warm, go_on }));
    is_warm.recv().expect("a path comes that far");
    count::say_so_and_wait();
    let_go_on.send(()).expect("the path waits");
    thread.join().expect("a path does not panic");
}

fn yields(meter: &mut Meter) {
    thread::spawn(|| {
        loop {
            thread::yield_now();
        }
    });
    loop {
        thread::yield_now();
        meter.tick();
    }
}

fn spawn_and_join(meter: &mut Meter) {
    loop {
        thread::spawn(|| ()).join().expect("it does not panic");
        meter.tick();
    }
}

fn batch(meter: &mut Meter) {
    loop {
        let threads: Vec<_> = (0..PERIOD).map(|_| thread::spawn(|| ())).collect();
        for thread in threads {
            thread.join().expect("it does not panic");
            meter.tick();
        }
    }
}

fn mutex(meter: &mut Meter) {
    let sum = Mutex::new(0_u64);
    loop {
        for _ in 0..10 {
            *std::hint::black_box(&sum).lock().expect("no holder panics") += 1;
        }
        meter.tick();
    }
}

fn channel(meter: &mut Meter) {
    let (there, inbox) = mpsc::channel();
    let (back, outbox) = mpsc::channel();
    thread::spawn(move || {
        for number in inbox {
            back.send(number).expect("the asker waits");
        }
    });
    for number in 0_u64.. {
        there.send(number).expect("the other side listens");
        assert_eq!(outbox.recv(), Ok(number));
        meter.tick();
    }
}

fn condvar(meter: &mut Meter) {
    fn play(turn: &(Mutex<bool>, Condvar), mine: bool, mut on_turn: impl FnMut()) {
        let (lock, changed) = turn;
        loop {
            let mut now = lock.lock().expect("no player panics");
            while *now != mine {
                now = changed.wait(now).expect("no player panics");
            }
            *now = !mine;
            changed.notify_one();
            drop(now);
            on_turn();
        }
    }
    let turn = Arc::new((Mutex::new(false), Condvar::new()));
    let theirs = Arc::clone(&turn);
    thread::spawn(move || play(&theirs, true, || ()));
    play(&turn, false, || meter.tick());
}

/// A shared word says whose turn it is, so that a token left over by one wake-up does no harm.
fn ping_pong(meter: &mut Meter, wait: fn()) {
    fn play(turn: &AtomicU64, mine: u64, other: &Thread, wait: fn(), mut on_turn: impl FnMut()) {
        for round in (mine..).step_by(2) {
            while turn.load(Relaxed) != round {
                wait();
            }
            turn.store(round + 1, Relaxed);
            other.unpark();
            on_turn();
        }
    }
    let turn = Arc::new(AtomicU64::new(0));
    let (me, theirs) = (thread::current(), Arc::clone(&turn));
    let other = thread::spawn(move || play(&theirs, 1, &me, wait, || ()));
    play(&turn, 0, other.thread(), wait, || meter.tick());
}

fn echo(meter: &mut Meter, timeout: Option<Duration>) {
    let (mut near, mut far) = UnixStream::pair().expect("a pair of sockets");
    far.set_read_timeout(timeout).expect("a socket has the option");
    far.set_write_timeout(timeout).expect("a socket has the option");
    thread::spawn(move || {
        let mut message = [0; 64];
        while far.read(&mut message).expect("a message") != 0 {
            far.write_all(&message).expect("room for an answer");
        }
    });
    let mut message = [7; 64];
    loop {
        near.write_all(&message).expect("room for a message");
        near.read_exact(&mut message).expect("an answer");
        meter.tick();
    }
}

//! Stress: locks, condition variables, channels and barriers between green threads and OS threads,
//! with deadlines that race what they wait for.
//!
//! As in `stress_threads`: seeded, for `SYLVAN_STRESS_SECONDS`, and everything is accounted for.

use std::collections::VecDeque;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::*};
use std::time::Instant;

use std_shim::sync::mpsc::{self, RecvTimeoutError, TryRecvError, TrySendError};
use std_shim::sync::{Arc, Barrier, Condvar, Mutex, OnceLock, RwLock};
use std_shim::thread;

use tests::process::Process;
use tests::rng::{Rng, stress_time};

tests::in_each_mode!(
    no_increment_under_a_lock_is_lost,
    a_queue_of_a_lock_and_two_conditions_loses_no_item,
    a_deadline_that_races_a_message_loses_none,
    bounded_channels_lose_no_message_and_hold_no_more_than_they_may,
    each_round_of_a_barrier_has_one_leader,
    of_all_who_initialize_one_does,
);

/// Runs `body(n, rng)` on `n` threads, every sixth of them an OS thread, until the time is up.
fn crowd<T: Send + 'static>(
    n: usize,
    body: impl Fn(usize, Rng) -> T + Clone + Send + 'static,
) -> Vec<T> {
    let start = |n: usize| {
        let (body, rng) = (body.clone(), Rng::of_this_run(n));
        move || body(n, rng)
    };
    let (os, green): (Vec<_>, Vec<_>) = (0..n).partition(|n| n % 6 == 5);
    let os: Vec<_> = os.into_iter().map(|n| std::thread::spawn(start(n))).collect();
    let green: Vec<_> = green.into_iter().map(|n| thread::spawn(start(n))).collect();
    let green = green.into_iter().map(|thread| thread.join().unwrap());
    green.chain(os.into_iter().map(|thread| thread.join().unwrap())).collect()
}

/// Says when the time is up.
fn time_is_up() -> impl Fn() -> bool + Copy + Send + 'static {
    let end = Instant::now() + stress_time() / 2;
    move || Instant::now() >= end
}

fn no_increment_under_a_lock_is_lost(process: &Process) {
    process.passes(|| {
        let counters = Arc::new((Mutex::new(0_usize), RwLock::new([0_usize; 2])));
        let over = time_is_up();
        let counts = crowd(48, {
            let counters = Arc::clone(&counters);
            move |_, mut rng| {
                let (mutex, rwlock) = &*counters;
                let mut n_added = [0, 0];
                while !over() {
                    match rng.below(6) {
                        0 => {
                            // Held across a wait, and left by a panic: the next one takes it over.
                            let panics = panic::catch_unwind(AssertUnwindSafe(|| {
                                let mut count = mutex.lock().unwrap_or_else(|e| e.into_inner());
                                let now = *count;
                                thread::sleep(rng.micros_below(60));
                                *count = now + 1;
                                panic::resume_unwind(Box::new(()));
                            }));
                            assert!(panics.is_err());
                            n_added[0] += 1;
                        }
                        1 => {
                            *mutex.lock().unwrap_or_else(|e| e.into_inner()) += 1;
                            n_added[0] += 1;
                        }
                        2 => {
                            mutex.clear_poison();
                            if let Ok(mut count) = mutex.try_lock() {
                                *count += 1;
                                n_added[0] += 1;
                            }
                        }
                        3 => {
                            let mut pair = rwlock.write().unwrap();
                            pair[0] += 1;
                            thread::yield_now();
                            pair[1] += 1;
                            n_added[1] += 1;
                        }
                        4 => {
                            let pair = rwlock.read().unwrap();
                            let before = *pair;
                            assert_eq!(pair[0], pair[1]);
                            thread::sleep(rng.micros_below(40));
                            assert_eq!(*pair, before);
                        }
                        _ => thread::yield_now(),
                    }
                }
                n_added
            }
        });
        let [of_mutex, of_rwlock] =
            counts.iter().fold([0, 0], |sum, n| [sum[0] + n[0], sum[1] + n[1]]);
        println!("{of_mutex} and {of_rwlock} increments");
        assert_eq!(*counters.0.lock().unwrap_or_else(|e| e.into_inner()), of_mutex);
        assert_eq!(*counters.1.read().unwrap(), [of_rwlock; 2]);
        assert!(of_mutex > 100 && of_rwlock > 100);
    });
}

/// A bounded queue as one writes it with std's parts.
#[derive(Default)]
struct Queue {
    items: Mutex<VecDeque<usize>>,
    has_items: Condvar,
    has_room: Condvar,
}

impl Queue {
    const CAPACITY: usize = 8;

    fn push(&self, item: usize, rng: &mut Rng) {
        let mut items = self.items.lock().unwrap();
        while items.len() == Self::CAPACITY {
            items = self.has_room.wait_timeout(items, rng.micros_below(300)).unwrap().0;
        }
        items.push_back(item);
        drop(items);
        self.has_items.notify_one();
    }

    /// The oldest item; `None` if there is none for a time.
    fn pop(&self, rng: &mut Rng) -> Option<usize> {
        let mut items = self.items.lock().unwrap();
        if rng.below(2) == 0 {
            items = self.has_items.wait_while(items, |items| items.is_empty()).unwrap();
        } else {
            let patience = rng.micros_below(300);
            let waited = self.has_items.wait_timeout_while(items, patience, |i| i.is_empty());
            items = waited.unwrap().0;
        }
        let item = items.pop_front()?;
        drop(items);
        self.has_room.notify_one();
        Some(item)
    }
}

fn a_queue_of_a_lock_and_two_conditions_loses_no_item(process: &Process) {
    process.passes(|| {
        const END: usize = usize::MAX;
        let queue = Arc::new(Queue::default());
        let over = time_is_up();
        let consumers = {
            let queue = Arc::clone(&queue);
            std::thread::spawn(move || {
                crowd(24, move |_, mut rng| {
                    let (mut n_items, mut sum) = (0, 0);
                    loop {
                        match queue.pop(&mut rng) {
                            Some(END) => return (n_items, sum),
                            Some(item) => (n_items, sum) = (n_items + 1, sum + item),
                            None => {}
                        }
                    }
                })
            })
        };
        let total = |parts: Vec<(usize, usize)>| {
            parts.into_iter().fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1))
        };
        let produced = total(crowd(24, {
            let queue = Arc::clone(&queue);
            move |_, mut rng| {
                let (mut n_items, mut sum) = (0, 0);
                while !over() {
                    let item = rng.below(1_000);
                    queue.push(item, &mut rng);
                    (n_items, sum) = (n_items + 1, sum + item);
                }
                (n_items, sum)
            }
        }));
        let mut rng = Rng::of_this_run(1_000);
        (0..24).for_each(|_| queue.push(END, &mut rng));
        assert_eq!(total(consumers.join().unwrap()), produced);
        println!("{} items", produced.0);
        assert!(produced.0 > 1_000);
    });
}

fn a_deadline_that_races_a_message_loses_none(process: &Process) {
    process.passes(|| {
        let over = time_is_up();
        let counts = crowd(24, move |_, mut rng| {
            let (send, receive) = mpsc::channel();
            let senders: Vec<_> = (0..3)
                .map(|_| {
                    let (send, mut rng) = (send.clone(), Rng::new(rng.next()));
                    thread::spawn(move || {
                        let mut n_sent = 0;
                        while !over() {
                            thread::sleep(rng.micros_below(250));
                            send.send(n_sent).unwrap();
                            n_sent += 1;
                        }
                        n_sent
                    })
                })
                .collect();
            drop(send);
            let (mut n_received, mut n_timeouts) = (0, 0);
            loop {
                match receive.recv_timeout(rng.micros_below(200)) {
                    Ok(_) => n_received += 1,
                    Err(RecvTimeoutError::Timeout) => n_timeouts += 1,
                    Err(RecvTimeoutError::Disconnected) => break,
                }
            }
            let n_sent: usize = senders.into_iter().map(|thread| thread.join().unwrap()).sum();
            assert_eq!(n_received, n_sent);
            (n_received, n_timeouts)
        });
        let (n_received, n_timeouts) =
            counts.into_iter().fold((0, 0), |sum, n| (sum.0 + n.0, sum.1 + n.1));
        println!("{n_received} messages, {n_timeouts} timeouts");
        assert!(n_received > 0 && n_timeouts > 0);
    });
}

fn bounded_channels_lose_no_message_and_hold_no_more_than_they_may(process: &Process) {
    process.passes(|| {
        let over = time_is_up();
        let counts = crowd(18, move |n, mut rng| {
            let bound = [0, 1, 7][n % 3];
            let (send, receive) = mpsc::sync_channel(bound);
            // What was sent; who sends counts afterwards.
            let n_counted = Arc::new(AtomicUsize::new(0));
            let senders: Vec<_> = (0..3)
                .map(|_| {
                    let (send, n_counted) = (send.clone(), Arc::clone(&n_counted));
                    let mut rng = Rng::new(rng.next());
                    thread::spawn(move || {
                        let mut n_sent = 0;
                        while !over() {
                            if rng.below(3) == 0 {
                                match send.try_send(()) {
                                    Err(TrySendError::Full(())) => continue,
                                    sent => sent.unwrap(),
                                }
                            } else {
                                send.send(()).unwrap();
                            }
                            n_sent += 1;
                            n_counted.fetch_add(1, Relaxed);
                        }
                        n_sent
                    })
                })
                .collect();
            drop(send);
            let mut n_received = 0;
            loop {
                if rng.below(4) == 0 {
                    match receive.try_recv() {
                        Ok(()) => {}
                        Err(TryRecvError::Empty) => {
                            thread::yield_now();
                            continue;
                        }
                        Err(TryRecvError::Disconnected) => break,
                    }
                } else if receive.recv().is_err() {
                    break;
                }
                n_received += 1;
                let n_held = n_counted.load(Relaxed).saturating_sub(n_received);
                assert!(n_held <= bound, "{n_held} of {bound}");
            }
            let n_sent: usize = senders.into_iter().map(|thread| thread.join().unwrap()).sum();
            assert_eq!(n_received, n_sent);
            n_received
        });
        println!("{} messages", counts.iter().sum::<usize>());
        assert!(counts.into_iter().all(|n| n > 10));
    });
}

fn each_round_of_a_barrier_has_one_leader(process: &Process) {
    process.passes(|| {
        const N: usize = 48;
        let barrier = Arc::new(Barrier::new(N));
        let stop = Arc::new(AtomicBool::new(false));
        let over = time_is_up();
        let counts = crowd(N, move |_, mut rng| {
            let (mut n_rounds, mut n_led) = (0, 0);
            loop {
                if rng.below(8) == 0 {
                    thread::sleep(rng.micros_below(100));
                }
                let leads = barrier.wait().is_leader();
                if leads {
                    n_led += 1;
                    stop.store(over(), Relaxed);
                }
                n_rounds += 1;
                // Behind this, all have seen the same.
                barrier.wait();
                if stop.load(Relaxed) {
                    return (n_rounds, n_led);
                }
                barrier.wait();
            }
        });
        let n_rounds = counts[0].0;
        println!("{n_rounds} rounds");
        assert!(counts.iter().all(|(n, _)| *n == n_rounds));
        assert_eq!(counts.iter().map(|(_, n_led)| n_led).sum::<usize>(), n_rounds);
    });
}

fn of_all_who_initialize_one_does(process: &Process) {
    process.passes(|| {
        const N: usize = 24;
        let cells: Vec<OnceLock<usize>> = (0..500).map(|_| OnceLock::new()).collect();
        let cells = Arc::new(cells);
        let n_calls = Arc::new(AtomicUsize::new(0));
        let seen = crowd(N, {
            let (cells, n_calls) = (Arc::clone(&cells), Arc::clone(&n_calls));
            move |n, mut rng| {
                let init = |cell: &OnceLock<usize>| {
                    *cell.get_or_init(|| {
                        n_calls.fetch_add(1, Relaxed);
                        thread::sleep(rng.micros_below(50));
                        n
                    })
                };
                cells.iter().map(init).collect::<Vec<_>>()
            }
        });
        assert_eq!(n_calls.load(Relaxed), cells.len());
        assert!(seen.iter().all(|values| *values == seen[0]));
    });
}

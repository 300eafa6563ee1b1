//! `parking_lot`, which calls the kernel's futex itself: a wait of its own costs an OS thread while
//! it lasts, and holds up nobody else.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crates::{Watch, are_thread_locals_shared, crowd, green};
use parking_lot::{Condvar, Mutex, RwLock};

const WHY: &str = "a wait of parking_lot's holds up the worker";

#[test]
fn a_lock_whose_holder_waits_for_a_socket_is_waited_for() {
    green(|| {
        if are_thread_locals_shared(WHY) {
            return;
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let total = Arc::new(Mutex::new(0));
        let watch = Watch::begin();

        let holds = Arc::clone(&total);
        let holder = thread::spawn(move || {
            let mut total = holds.lock();
            client.write_all(b"?").unwrap();
            let mut byte = [0];
            client.read_exact(&mut byte).unwrap();
            *total += usize::from(byte[0]);
        });
        let mut byte = [0];
        server.read_exact(&mut byte).unwrap();
        // The lock is held. More than there are workers wait for it, and only then there is an answer.
        let (waits, answer) = (
            Arc::clone(&total),
            thread::spawn(move || {
                thread::sleep(Duration::from_millis(100));
                server.write_all(&[100]).unwrap();
            }),
        );
        crowd(20, move |_| *waits.lock() += 1);
        holder.join().unwrap();
        answer.join().unwrap();
        watch.at_most(100, "twenty who wait for a lock of parking_lot's");
        assert_eq!(*total.lock(), 120);
    });
}

#[test]
fn a_condition_and_a_read_lock_hold_among_green_threads() {
    green(|| {
        if are_thread_locals_shared(WHY) {
            return;
        }
        const CROWD: usize = 20;
        let state = Arc::new((Mutex::new(0), Condvar::new(), RwLock::new(0)));
        crowd(CROWD, move |i| {
            let (turn, changed, sum) = &*state;
            let mut turn = turn.lock();
            while *turn != i {
                changed.wait(&mut turn);
            }
            *sum.write() += i;
            *turn += 1;
            changed.notify_all();
            drop(turn);
            thread::yield_now();
            assert!(*sum.read() >= i);
        });
    });
}

//! `parking_lot`, which waits by the futex's number; and the mirror beside real std.

use std::sync::Arc;
use std::thread;

use parking_lot::{Condvar, Mutex};

use crate::{THREADS, say_os_threads};

pub(crate) fn run() {
    let state = Arc::new((Mutex::new((0, false)), Condvar::new()));
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let state = Arc::clone(&state);
            thread::spawn(move || {
                let (lock, changed) = &*state;
                let mut inside = lock.lock();
                inside.0 += 1;
                changed.notify_all();
                while !inside.1 {
                    changed.wait(&mut inside);
                }
                number
            })
        })
        .collect();
    let (lock, changed) = &*state;
    let mut inside = lock.lock();
    while inside.0 < THREADS {
        changed.wait(&mut inside);
    }
    say_os_threads();
    inside.1 = true;
    changed.notify_all();
    drop(inside);
    println!(
        "{}",
        threads.into_iter().map(|thread| thread.join().expect("no panic")).sum::<usize>()
    );
}

/// Threads of the mirror wait for real std's lock, and threads of real std for the mirror's.
pub(crate) fn run_with_the_mirror() {
    let (to_main, arrivals) = std::sync::mpsc::channel();
    let real = Arc::new((std::sync::Mutex::new(false), std::sync::Condvar::new()));
    let green = Arc::new((mirror::sync::Mutex::new(false), mirror::sync::Condvar::new()));
    let of_the_mirror: Vec<_> = (0..THREADS)
        .map(|number| {
            let (real, to_main) = (Arc::clone(&real), to_main.clone());
            mirror::thread::spawn(move || {
                to_main.send(()).expect("main listens");
                let (lock, changed) = &*real;
                let inside = lock.lock().expect("no panic");
                drop(changed.wait_while(inside, |is_open| !*is_open));
                number
            })
        })
        .collect();
    let of_std: Vec<_> = (0..THREADS)
        .map(|number| {
            let (green, to_main) = (Arc::clone(&green), to_main.clone());
            thread::spawn(move || {
                to_main.send(()).expect("main listens");
                let (lock, changed) = &*green;
                let inside = lock.lock().expect("no panic");
                drop(changed.wait_while(inside, |is_open| !*is_open));
                number
            })
        })
        .collect();
    arrivals.iter().take(2 * THREADS).for_each(drop);
    say_os_threads();
    *real.0.lock().expect("no panic") = true;
    real.1.notify_all();
    *green.0.lock().expect("no panic") = true;
    green.1.notify_all();
    let of_the_mirror: usize =
        of_the_mirror.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    let of_std: usize = of_std.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    println!("{of_the_mirror} {of_std}");
}

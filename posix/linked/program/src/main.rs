//! Scenes, each with many threads that wait: `linked-program SCENE` says `OS threads: N`, how many the process
//! had at most while all of them waited, and what came of it.

mod database;
mod library;
mod locks;
mod tls;

use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

/// In each scene.
const THREADS: usize = 100;

fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("std") => plain(),
        Some("locks") => locks::run(),
        Some("library") => library::run(),
        Some("database") => database::run(),
        Some("tls") => tls::run(),
        Some("mirror") => locks::run_with_the_mirror(),
        _ => panic!("std, locks, library, database, tls or mirror"),
    }
}

/// How many OS threads the process has: real std reads the directory.
fn say_os_threads() {
    let tasks = Path::new("/proc/self/task").read_dir().expect("the kernel lists them");
    println!("OS threads: {}", tasks.count());
}

/// Real std: channels, a name, a panic, a line from each thread.
fn plain() {
    let (to_main, from_threads) = channel();
    let threads: Vec<(Sender<usize>, JoinHandle<usize>)> = (0..THREADS)
        .map(|number| {
            let (sender, receiver): (_, Receiver<usize>) = channel();
            let to_main = to_main.clone();
            let main = move || {
                to_main.send(number).expect("main listens");
                let sum = number + receiver.recv().expect("main answers");
                assert_eq!(thread::current().name(), Some(&*format!("thread {number}")));
                if number == 7 {
                    panic!("as it should");
                }
                sum
            };
            let builder = thread::Builder::new().name(format!("thread {number}"));
            (sender, builder.spawn(main).expect("a thread"))
        })
        .collect();
    from_threads.iter().take(THREADS).for_each(drop);
    say_os_threads();
    let mut sum = 0;
    let mut panics = 0;
    for (number, (sender, thread)) in threads.into_iter().enumerate() {
        sender.send(2 * number).expect("the thread waits");
        match thread.join() {
            Ok(found) => sum += found,
            Err(why) => panics += usize::from(why.is::<&str>()),
        }
    }
    println!("{sum} {panics}");
}

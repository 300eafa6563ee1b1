//! A program that goes on until somebody ends it, for those who record it from outside: one thread asks another
//! every millisecond. It says `ready` when they have begun.

use std::time::Duration;

use std_shim::sync::mpsc;
use std_shim::thread::{self, Builder};

fn main() {
    let (to, from) = mpsc::channel();
    let (back, returned) = mpsc::channel();
    let named = |name: &str| Builder::new().name(name.to_owned());
    let echo = move || from.iter().for_each(|n: u32| back.send(n).expect("somebody asks"));
    let ask = move || {
        for n in 0.. {
            to.send(n).expect("somebody answers");
            assert_eq!(returned.recv(), Ok(n));
            if n == 0 {
                println!("ready");
            }
            thread::sleep(Duration::from_millis(1));
        }
    };
    named("echoes").spawn(echo).expect("a thread");
    named("asks").spawn(ask).expect("a thread").join().expect("it goes on");
}

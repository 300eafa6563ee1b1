//! Does what its argument says, for tests that need a main thread.

use std::alloc::System;
use std::env::args;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: System = System;

fn main() -> ExitCode {
    match args().nth(1).as_deref() {
        Some("name") => println!("{:?}", thread::current().name()),
        Some("spawn") => thread::spawn(|| ()).join().unwrap(),
        Some("panic") => panic!("in main"),
        Some("leave") => {
            thread::spawn(|| thread::sleep(Duration::from_secs(3600)));
            thread::spawn(thread::park);
        }
        _ => return ExitCode::from(2),
    }
    ExitCode::SUCCESS
}

//! Counts the instructions of the hot paths and the memory of a thread that waits, and compares them
//! with a table of what they were.
//!
//! `hot_paths TABLE` fails if one is over a tenth more than the table says; `hot_paths TABLE
//! --update` writes the table anew. Counts hold on a busy machine, where times do not; another
//! compiler or C library changes them by some percent.
#![deny(unsafe_code)]

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[allow(unsafe_code, reason = "stands in for a function of the C library")]
mod clock;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[allow(unsafe_code, reason = "traces a child process")]
mod count;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod memory;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod paths;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod table;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn main() -> std::process::ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--play", name] => {
            paths::play(name);
            std::process::ExitCode::SUCCESS
        }
        ["--wait"] => {
            memory::wait();
            std::process::ExitCode::SUCCESS
        }
        [path] => table::check(path.as_ref()),
        [path, "--update"] => table::update(path.as_ref()),
        _ => {
            eprintln!("usage: hot_paths TABLE [--update]");
            std::process::ExitCode::FAILURE
        }
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn main() {
    println!("skipped: instructions are counted on x86-64 Linux");
}

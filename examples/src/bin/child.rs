//! Three ways to look after a child: run it and check how it ended; poll it and work meanwhile; wait
//! for it no longer than so, and then terminate it.
//!
//! ```text
//! cargo run --release --bin child
//! ```
//!
//! Each is done on a thread of its own. It prints:
//!
//! ```text
//! checked: sort ended with exit status: 0, and wrote apple, pear, plum
//! checked: ls ended with exit status: 2, and wrote nothing
//! polled: worked until sleep ended with exit status: 0
//! timed out: sleep ended with signal: 15 (SIGTERM)
//! ```

use std::io::{self, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

fn main() -> io::Result<()> {
    let ways: [fn() -> io::Result<()>; 4] =
        [check_a_success, check_a_failure, poll_while_working, wait_and_terminate];
    for way in ways {
        thread::spawn(way).join().unwrap()?;
    }
    Ok(())
}

fn check_a_success() -> io::Result<()> {
    let mut sort = Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    sort.stdin.take().expect("a piped input").write_all(b"plum\napple\npear\n")?;
    let output = sort.wait_with_output()?;
    let written = String::from_utf8_lossy(&output.stdout);
    let words: Vec<&str> = written.lines().collect();
    println!("checked: sort ended with {}, and wrote {}", output.status, words.join(", "));
    Ok(())
}

fn check_a_failure() -> io::Result<()> {
    let output = Command::new("ls").arg("/there is no such folder").output()?;
    let what = if output.stdout.is_empty() { "nothing" } else { "something" };
    println!("checked: ls ended with {}, and wrote {what}", output.status);
    Ok(())
}

fn poll_while_working() -> io::Result<()> {
    let mut sleep = Command::new("sleep").arg("0.1").spawn()?;
    let status = loop {
        work();
        if let Some(status) = sleep.try_wait()? {
            break status;
        }
    };
    println!("polled: worked until sleep ended with {status}");
    Ok(())
}

/// A step of some work.
fn work() {
    thread::sleep(Duration::from_millis(1));
}

fn wait_and_terminate() -> io::Result<()> {
    let mut sleep = Command::new("sleep").arg("3600").spawn()?;
    let status = match wait_for(&mut sleep, Duration::from_millis(100))? {
        Some(status) => status,
        None => {
            Command::new("kill").args(["-s", "TERM", &sleep.id().to_string()]).status()?;
            sleep.wait()?
        }
    };
    println!("timed out: sleep ended with {status}");
    Ok(())
}

/// Waits for the child's end, but no longer than `patience`.
fn wait_for(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + patience;
    loop {
        let status = child.try_wait()?;
        if status.is_some() || Instant::now() >= deadline {
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

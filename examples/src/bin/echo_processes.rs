//! Three processes that share one listener, each with a thread a client.
//!
//! The parent binds, starts itself three more times and hands the listener down as the standard
//! input of each child, which takes it from descriptor 0. A child that is killed takes only its own
//! clients along; the children end when the parent does.
//!
//! Run it, and talk to it with `nc 127.0.0.1 37564`:
//!
//! ```text
//! cargo run --release --bin echo_processes
//! ```
//!
//! Another address can be given as the first argument. It prints what connects, arrives and
//! leaves, and in which process:
//!
//! ```text
//! listening on 127.0.0.1:37564
//! [4242] serves
//! [4243] serves
//! [4244] serves
//! [4243] 127.0.0.1:49152 connected
//! [4243] 127.0.0.1:49152 sent 6 bytes
//! [4243] 127.0.0.1:49152 left after 6 bytes
//! ```

use std::env;
use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::parent_id;
use std::process::{self, Command, Stdio};
use std::thread;
use std::time::Duration;

const N_PROCESSES: usize = 3;

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--child-of", parent] => serve_for(parent),
        [] => start("127.0.0.1:37564"),
        [address, ..] => start(address),
    }
}

/// The parent: binds, starts the children, and waits for them.
fn start(address: &str) -> io::Result<()> {
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    let mut children = Vec::new();
    for _ in 0..N_PROCESSES {
        let child = Command::new(env::current_exe()?)
            .args(["--child-of", &process::id().to_string()])
            .stdin(Stdio::from(OwnedFd::from(listener.try_clone()?)))
            .spawn()?;
        children.push(child);
    }
    drop(listener);
    for mut child in children {
        let status = child.wait()?;
        println!("[{}] ended: {status}", child.id());
    }
    Ok(())
}

/// A child: serves whom it gets from the shared listener until the parent is gone.
fn serve_for(parent: &str) -> io::Result<()> {
    let listener = TcpListener::from(io::stdin().as_fd().try_clone_to_owned()?);
    println!("[{}] serves", process::id());
    thread::spawn(move || accept_forever(&listener));
    while parent_id().to_string() == parent {
        thread::sleep(Duration::from_secs(1));
    }
    Ok(())
}

fn accept_forever(listener: &TcpListener) {
    loop {
        match listener.accept() {
            Ok((client, peer)) => {
                let who = format!("[{}] {peer}", process::id());
                thread::spawn(move || serve(client, &who));
            }
            Err(error) => {
                eprintln!("[{}] accept: {error}", process::id());
                thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

fn serve(client: TcpStream, who: &str) {
    println!("{who} connected");
    match echo(client, who) {
        Ok(total) => println!("{who} left after {total} bytes"),
        Err(error) => eprintln!("{who} left: {error}"),
    }
}

/// Sends back what arrives until the client has said all; returns how many bytes that was.
fn echo(mut client: TcpStream, who: &str) -> io::Result<usize> {
    let mut buffer = [0; 4096];
    let mut total = 0;
    loop {
        let n = client.read(&mut buffer)?;
        if n == 0 {
            return Ok(total);
        }
        println!("{who} sent {n} bytes");
        client.write_all(&buffer[..n])?;
        total += n;
    }
}

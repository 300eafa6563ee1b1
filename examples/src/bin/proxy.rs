//! A TCP proxy: two threads a client, one for each direction.
//!
//! When one side has said all, the other is told (half-close), and may still answer.
//!
//! Run it in front of a server (`echo`, say), and talk to it with `nc 127.0.0.1 37565`:
//!
//! ```text
//! cargo run --release --bin proxy
//! ```
//!
//! The first argument can be another address to listen on, the second another one to connect to. It
//! prints what connects and leaves:
//!
//! ```text
//! listening on 127.0.0.1:37565, for 127.0.0.1:37564
//! 127.0.0.1:49152 connected
//! 127.0.0.1:49152 left after 6 bytes there and 6 bytes back
//! ```

use std::env;
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

fn main() -> io::Result<()> {
    let mut arguments = env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:37565".to_owned());
    let target = arguments.next().unwrap_or_else(|| "127.0.0.1:37564".to_owned());

    let listener = TcpListener::bind(address)?;
    println!("listening on {}, for {target}", listener.local_addr()?);
    loop {
        let (client, peer) = listener.accept()?;
        let target = target.clone();
        thread::spawn(move || {
            println!("{peer} connected");
            match relay(&client, &target) {
                Ok((there, back)) => {
                    println!("{peer} left after {there} bytes there and {back} bytes back");
                }
                Err(error) => eprintln!("{peer} left: {error}"),
            }
        });
    }
}

/// Carries bytes both ways until both sides have said all; returns how many there were.
fn relay(client: &TcpStream, target: &str) -> io::Result<(u64, u64)> {
    let server = TcpStream::connect(target)?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    thread::scope(|scope| {
        let there = scope.spawn(|| carry(client, &server));
        let back = carry(&server, client);
        Ok((there.join().unwrap()?, back?))
    })
}

fn carry(mut from: &TcpStream, mut to: &TcpStream) -> io::Result<u64> {
    let result = io::copy(&mut from, &mut to);
    // Whether `from` has said all or `to` is gone: neither has more to expect of the other. A side
    // that has already hung up needs no telling.
    let _ = to.shutdown(Shutdown::Write);
    let _ = from.shutdown(Shutdown::Read);
    result
}

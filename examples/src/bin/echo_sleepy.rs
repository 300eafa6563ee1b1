//! A handler that sleeps for 20 seconds, while the other clients are served.
//!
//! Run it, and talk to it from two terminals with `nc 127.0.0.1 37564`. The line `sleep` is answered
//! after 20 seconds, any other line at once:
//!
//! ```text
//! cargo run --release --bin echo_sleepy
//! ```
//!
//! Another address can be given as the first argument, another number of seconds as the second. It
//! prints what connects, arrives and leaves:
//!
//! ```text
//! listening on 127.0.0.1:37564
//! 127.0.0.1:49152 connected
//! 127.0.0.1:49152 sent `sleep`
//! 127.0.0.1:49152 sleeps
//! 127.0.0.1:49153 connected
//! 127.0.0.1:49153 sent `hello`
//! 127.0.0.1:49153 left
//! 127.0.0.1:49152 is awake
//! 127.0.0.1:49152 left
//! ```

use std::env;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

fn main() -> Result<(), Box<dyn Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:37564".to_owned());
    let nap_seconds: f64 = env::args().nth(2).map_or(Ok(20.0), |seconds| seconds.parse())?;
    let nap = Duration::try_from_secs_f64(nap_seconds)?;

    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        let (client, peer) = listener.accept()?;
        thread::spawn(move || {
            println!("{peer} connected");
            match echo(&client, peer, nap) {
                Ok(()) => println!("{peer} left"),
                Err(error) => eprintln!("{peer} left: {error}"),
            }
        });
    }
}

/// Sends back each line, and sleeps first where that is what it says.
fn echo(mut client: &TcpStream, peer: SocketAddr, nap: Duration) -> io::Result<()> {
    for line in BufReader::new(client).lines() {
        let line = line?;
        println!("{peer} sent `{line}`");
        if line == "sleep" {
            println!("{peer} sleeps");
            thread::sleep(nap);
            println!("{peer} is awake");
        }
        client.write_all(format!("{line}\n").as_bytes())?;
    }
    Ok(())
}

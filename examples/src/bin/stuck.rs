//! A server in trouble, for those who look at it (`docs/seeing.md`): thousands of clients that say nothing, two
//! threads that wait for each other's lock, and one that computes.
//!
//! The argument is how many clients there are; they are another process, since each has a descriptor on both
//! sides:
//!
//! ```text
//! ulimit -n 20000
//! cargo run --release --bin stuck 10000
//! ```
//!
//! It prints a line when all are there, and stays until it is ended:
//!
//! ```text
//! ready: 10000 clients are there
//! ```

use std::env;
use std::error::Error;
use std::io::{self, Read};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match &arguments[..] {
        [n_clients] => serve(n_clients.parse()?),
        [address, n_clients] => be_clients(address, n_clients.parse()?),
        _ => Err("usage: stuck CLIENTS".into()),
    }
}

fn serve(n_clients: usize) -> Result<(), Box<dyn Error>> {
    let (accounts, journal) = (Arc::new(Mutex::new(())), Arc::new(Mutex::new(())));
    let both_have_one = Arc::new(Barrier::new(2));
    for (name, first, then) in [("pays", &accounts, &journal), ("audits", &journal, &accounts)] {
        let (first, then) = (Arc::clone(first), Arc::clone(then));
        let both_have_one = Arc::clone(&both_have_one);
        spawn(name.to_owned(), move || {
            let _first = first.lock();
            both_have_one.wait();
            let _then = then.lock();
        })?;
    }
    spawn("computes".to_owned(), || {
        let mut n = 1_u64;
        loop {
            n = n << 1 ^ n >> 3;
        }
    })?;

    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut clients = Command::new(env::current_exe()?);
    clients.args([listener.local_addr()?.to_string(), n_clients.to_string()]);
    // They end when this does, and their input with it.
    let _clients = clients.stdin(Stdio::piped()).spawn()?;
    for n in 1..=n_clients {
        let (mut client, _) = listener.accept()?;
        spawn(format!("client {n}"), move || {
            let mut buffer = [0; 64];
            while let Ok(1..) = client.read(&mut buffer) {}
        })?;
    }
    println!("ready: {n_clients} clients are there");
    loop {
        thread::park();
    }
}

fn spawn(name: String, f: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().name(name).spawn(f).map(drop)
}

fn be_clients(address: &str, n_clients: usize) -> Result<(), Box<dyn Error>> {
    let connect = |_| TcpStream::connect(address);
    let _clients = (0..n_clients).map(connect).collect::<io::Result<Vec<_>>>()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

//! A thread a client: sockets, channels, locks, timeouts.

use std::io::{self, prelude::*};
use std::net::{SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::ops::ControlFlow::{self, Break, Continue};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// Counts the bytes of its clients, until one of them sends a zero.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    thread: JoinHandle<io::Result<usize>>,
}

impl Server {
    /// Starts a server at an address.
    ///
    /// # Errors
    ///
    /// When it cannot listen there.
    pub fn start(address: impl ToSocketAddrs) -> io::Result<Server> {
        let listener = TcpListener::bind(address)?;
        let address = listener.local_addr()?;
        let thread =
            thread::Builder::new().name("server".into()).spawn(move || serve(&listener))?;
        Ok(Server { address, thread })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits for the end, and returns how many bytes came.
    ///
    /// # Errors
    ///
    /// What the server failed with.
    pub fn join(self) -> io::Result<usize> {
        self.thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

fn serve(listener: &TcpListener) -> io::Result<usize> {
    let count = Arc::new(AtomicUsize::new(0));
    let (report, reports) = mpsc::channel();
    for stream in listener.incoming() {
        let (stream, count, report) = (stream?, count.clone(), report.clone());
        thread::spawn(move || report.send(echo(stream, &count)));
        if let Break(()) = reports.recv().map_err(io::Error::other)?? {
            break;
        }
    }
    Ok(count.load(Ordering::SeqCst))
}

fn echo(mut stream: TcpStream, count: &AtomicUsize) -> io::Result<ControlFlow<()>> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut end = Continue(());
    let mut byte = [0];
    while stream.read(&mut byte)? > 0 {
        count.fetch_add(1, Ordering::SeqCst);
        stream.write_all(&byte)?;
        if byte == [0] {
            end = Break(());
        }
    }
    Ok(end)
}

/// A gate that opens once.
#[derive(Debug, Default)]
pub struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    /// The gate of the whole program.
    pub fn of_all() -> &'static Gate {
        static GATE: OnceLock<Gate> = OnceLock::new();
        GATE.get_or_init(Gate::default)
    }

    /// Lets all pass.
    pub fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    /// Waits until it is open.
    pub fn pass(&self) {
        drop(self.opened.wait_while(self.open.lock().unwrap(), |open| !*open).unwrap());
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::{Ipv4Addr, Shutdown};

    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let server = Server::start((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = server.address();
        for last in [b"abc", b"de\0"] {
            let mut stream = TcpStream::connect(address).unwrap();
            (&stream).write_all(last).unwrap();
            stream.shutdown(Shutdown::Write).unwrap();
            let mut echo = std::vec::Vec::new();
            stream.read_to_end(&mut echo).unwrap();
            assert_eq!(echo, last);
        }
        assert_eq!(server.join().unwrap(), 6);
        assert_eq!(TcpStream::connect(address).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_gate_lets_pass_when_it_is_open() {
        let passing = [(); 3].map(|()| thread::spawn(|| Gate::of_all().pass()));
        Gate::of_all().open();
        for thread in passing {
            thread.join().unwrap();
        }
    }
}

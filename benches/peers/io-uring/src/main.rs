//! What the kernel alone costs when it completes instead of announcing: io_uring loops.
//!
//! Each worker is one OS thread with a ring of its own. The first one also accepts, with one
//! request that stays, and deals the connections out in turn by messages from ring to ring. A
//! connection always has exactly one request under way, a receive or a send, so its buffer has one
//! user at a time. Submissions and the wait share one system call.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::{Arc, OnceLock};
use std::thread;

use io_uring::{IoUring, cqueue, opcode, squeue, types};

/// Room for requests between two submissions.
const SUBMISSIONS: u32 = 4096;

/// Room for completions: each connection has one at most.
const COMPLETIONS: u32 = 32_768;

/// What a completion is about; the other half of its word is a descriptor's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The listener has a new connection.
    Accepted,
    /// The first worker hands a connection over.
    Dealt,
    /// A message to another worker has left.
    Sent,
    Received,
    Echoed,
}

const KINDS: [Kind; 5] = [Kind::Accepted, Kind::Dealt, Kind::Sent, Kind::Received, Kind::Echoed];

impl Kind {
    fn key(self, number: RawFd) -> u64 {
        (self as u64) << 32 | u64::from(number.unsigned_abs())
    }
}

fn main() {
    let args = kit::Args::from_env();
    match args.scene() {
        "echo-tcp" => echo_tcp(&args),
        _ => kit::unsupported(),
    }
    .expect("the loop goes on until it is killed");
}

fn echo_tcp(args: &kit::Args) -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    // SAFETY: the call takes no pointer.
    unsafe { libc::listen(listener.as_raw_fd(), 4096) };
    kit::ready(listener.local_addr()?);
    let (workers, buffer) = (args.workers(), args.buffer());
    // A worker makes its ring itself (a ring has a single issuer) and says which it is.
    let rings: Arc<[OnceLock<RawFd>]> = (0..workers).map(|_| OnceLock::new()).collect();
    for worker in 1..workers {
        let rings = Arc::clone(&rings);
        thread::spawn(move || Worker::new(buffer, &rings[worker])?.run(&rings, None));
    }
    Worker::new(buffer, &rings[0])?.run(&rings, Some(&listener))
}

struct Connection {
    stream: OwnedFd,
    bytes: Box<[u8]>,
}

struct Worker {
    ring: IoUring,
    connections: Vec<Option<Connection>>,
    buffer: usize,
    accepted: usize,
}

impl Worker {
    fn new(buffer: usize, announce: &OnceLock<RawFd>) -> io::Result<Worker> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_cqsize(COMPLETIONS)
            .build(SUBMISSIONS)?;
        announce.set(ring.as_raw_fd()).expect("a worker has one ring");
        Ok(Worker { ring, connections: Vec::new(), buffer, accepted: 0 })
    }

    fn run(mut self, rings: &[OnceLock<RawFd>], listener: Option<&TcpListener>) -> io::Result<()> {
        if let Some(listener) = listener {
            self.accept(listener)?;
        }
        let mut completions: Vec<cqueue::Entry> = Vec::new();
        loop {
            match self.ring.submit_and_wait(1) {
                Err(e) if e.kind() != io::ErrorKind::Interrupted => return Err(e),
                _ => completions.extend(self.ring.completion()),
            }
            for completion in completions.drain(..) {
                let kind = KINDS[(completion.user_data() >> 32) as usize];
                let (number, result) = (completion.user_data() as RawFd, completion.result());
                match kind {
                    Kind::Accepted => {
                        if !cqueue::more(completion.flags()) {
                            self.accept(listener.expect("only the acceptor hears of these"))?;
                        }
                        self.deal(rings, result)?;
                    }
                    Kind::Dealt => self.adopt(result)?,
                    Kind::Sent => assert_eq!(result, 0, "a worker's ring takes messages"),
                    Kind::Received if result > 0 => self.send(number, result.unsigned_abs())?,
                    Kind::Echoed if result > 0 => self.receive(number)?,
                    Kind::Received | Kind::Echoed => self.connections[number as usize] = None,
                }
            }
        }
    }

    /// Starts the request that accepts until further notice.
    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        let number = listener.as_raw_fd();
        self.push(&opcode::AcceptMulti::new(types::Fd(number)).build(), Kind::Accepted, number)
    }

    /// Gives a new connection to the worker whose turn it is.
    fn deal(&mut self, rings: &[OnceLock<RawFd>], stream: i32) -> io::Result<()> {
        if stream < 0 {
            return Err(io::Error::from_raw_os_error(-stream));
        }
        let worker = self.accepted % rings.len();
        self.accepted += 1;
        if worker == 0 {
            return self.adopt(stream);
        }
        let ring = types::Fd(*rings[worker].wait());
        let message = opcode::MsgRingData::new(ring, stream, Kind::Dealt.key(0), None).build();
        self.push(&message, Kind::Sent, stream)
    }

    /// Takes over a connection and waits for its first bytes.
    fn adopt(&mut self, number: RawFd) -> io::Result<()> {
        // SAFETY: the kernel has just made this descriptor, and dealt it to this worker alone.
        let stream = unsafe { OwnedFd::from_raw_fd(number) };
        set_nodelay(&stream);
        let index = number as usize;
        if self.connections.len() <= index {
            self.connections.resize_with(index + 1, || None);
        }
        let bytes = vec![0; self.buffer].into_boxed_slice();
        self.connections[index] = Some(Connection { stream, bytes });
        self.receive(number)
    }

    fn receive(&mut self, number: RawFd) -> io::Result<()> {
        let connection = self.connections[number as usize].as_mut().expect("it is open");
        let (stream, length) = (connection.stream.as_raw_fd(), connection.bytes.len() as u32);
        let start = connection.bytes.as_mut_ptr();
        let request = opcode::Recv::new(types::Fd(stream), start, length).build();
        self.push(&request, Kind::Received, number)
    }

    fn send(&mut self, number: RawFd, length: u32) -> io::Result<()> {
        let connection = self.connections[number as usize].as_mut().expect("it is open");
        let (stream, start) = (connection.stream.as_raw_fd(), connection.bytes.as_ptr());
        // MSG_WAITALL: the kernel goes on by itself after a short send.
        let request = opcode::Send::new(types::Fd(stream), start, length)
            .flags(libc::MSG_NOSIGNAL | libc::MSG_WAITALL)
            .build();
        self.push(&request, Kind::Echoed, number)
    }

    fn push(&mut self, request: &squeue::Entry, kind: Kind, number: RawFd) -> io::Result<()> {
        let request = request.clone().user_data(kind.key(number));
        loop {
            // SAFETY: a buffer the request points to belongs to a connection that stays where it
            // is until the completion, since a connection has one request at a time and is only
            // dropped at a completion.
            match unsafe { self.ring.submission().push(&request) } {
                Ok(()) => return Ok(()),
                Err(_full) => drop(self.ring.submit()?),
            }
        }
    }
}

fn set_nodelay(stream: &OwnedFd) {
    let on: i32 = 1;
    let value = (&raw const on).cast();
    // SAFETY: `value` points to an int that lives through the call, and 4 is its size.
    unsafe {
        libc::setsockopt(stream.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_NODELAY, value, 4);
    }
}

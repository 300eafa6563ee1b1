//! A thread a client, and very many clients at once: the main job under a crowd.
//!
//! The crowd is one thread of the test with non-blocking sockets and `poll`. Each member says bytes
//! of its own and expects exactly these back.

mod examples_support;

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use examples_support::{Build, PATIENCE, Program, n_os_threads_max, on_both};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::Timespec;
use rustix::process::{Resource, getrlimit, setrlimit};

/// How much a member may be ahead of what has come back: less than what any socket buffers, so
/// that a server that echoes before it reads on never blocks.
const N_AHEAD_MAX: usize = 4096;

/// One client of many.
struct Member {
    stream: TcpStream,
    id: usize,
    n_sent: usize,
    n_received: usize,
}

impl Member {
    /// The byte that this member, and hardly another, sends at `position`.
    fn byte(&self, position: usize) -> u8 {
        let mixed = (self.id as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ (position as u64).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed >> 29) as u8
    }

    /// Sends what may be sent without waiting.
    fn send(&mut self, n_total: usize) {
        let end = n_total.min(self.n_received + N_AHEAD_MAX);
        let bytes: Vec<u8> = (self.n_sent..end).map(|position| self.byte(position)).collect();
        match self.stream.write(&bytes) {
            Ok(n) => self.n_sent += n,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("client {} cannot send: {error}", self.id),
        }
    }

    /// Receives what has arrived, and compares it.
    fn receive(&mut self) {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => panic!("client {} was hung up on", self.id),
            Ok(n) => {
                for &byte in &buffer[..n] {
                    let (id, position) = (self.id, self.n_received);
                    assert_eq!(byte, self.byte(position), "client {id}, byte {position}");
                    self.n_received += 1;
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("client {} cannot receive: {error}", self.id),
        }
    }
}

/// Clients that are all connected at once.
struct Crowd {
    members: Vec<Member>,
}

impl Crowd {
    fn connect(address: SocketAddr, n_members: usize) -> Crowd {
        let mut crowd = Crowd { members: Vec::new() };
        crowd.grow(address, n_members);
        crowd
    }

    fn grow(&mut self, address: SocketAddr, n_more: usize) {
        for id in self.members.len()..self.members.len() + n_more {
            let stream = TcpStream::connect_timeout(&address, PATIENCE)
                .unwrap_or_else(|error| panic!("client {id} cannot connect: {error}"));
            stream.set_nonblocking(true).unwrap();
            self.members.push(Member { stream, id, n_sent: 0, n_received: 0 });
        }
    }

    /// Goes on until each has sent `n_total` bytes in all, and has them back.
    fn talk(&mut self, n_total: usize) {
        let deadline = Instant::now() + PATIENCE;
        let patience = Timespec::try_from(PATIENCE).unwrap();
        loop {
            let mut waiting: Vec<&mut Member> =
                self.members.iter_mut().filter(|member| member.n_received < n_total).collect();
            if waiting.is_empty() {
                return;
            }
            let n_waiting = waiting.len();
            assert!(Instant::now() < deadline, "{n_waiting} clients wait for their bytes");

            let mut polled: Vec<PollFd<'_>> = waiting
                .iter()
                .map(|member| {
                    let may_send = member.n_sent < n_total.min(member.n_received + N_AHEAD_MAX);
                    let output = if may_send { PollFlags::OUT } else { PollFlags::empty() };
                    PollFd::new(&member.stream, PollFlags::IN | output)
                })
                .collect();
            let n_ready = poll(&mut polled, Some(&patience)).expect("poll");
            assert!(n_ready > 0, "{n_waiting} clients wait, and nothing arrives");
            let ready: Vec<PollFlags> = polled.iter().map(PollFd::revents).collect();
            for (member, ready) in waiting.iter_mut().zip(ready) {
                if ready.contains(PollFlags::OUT) {
                    member.send(n_total);
                }
                if ready.intersects(PollFlags::IN | PollFlags::ERR | PollFlags::HUP) {
                    member.receive();
                }
            }
        }
    }

    /// All have said all, and hear that so has the server.
    fn leave(self) {
        for member in &self.members {
            member.stream.shutdown(Shutdown::Write).unwrap();
        }
        for mut member in self.members {
            member.stream.set_nonblocking(false).unwrap();
            member.stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let id = member.id;
            assert_eq!(member.stream.read(&mut [0]).unwrap(), 0, "client {id} hears more");
        }
    }
}

/// Sees to it that this process, and those it starts, may have `n` descriptors.
fn allow_descriptors(n: u64) {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < n) {
        limit.current = limit.maximum.map_or(Some(n), |maximum| Some(n.min(maximum)));
        setrlimit(Resource::Nofile, limit).unwrap();
        let current = getrlimit(Resource::Nofile).current;
        let allowed = current.is_none_or(|current| current >= n);
        assert!(allowed, "{n} descriptors are needed (see `ulimit -Hn`), {current:?} are allowed");
    }
}

/// Waits until a server has no more descriptors open than it had before the crowd came.
fn assert_descriptors_return_to(before: Option<usize>, server: &Program) {
    let deadline = Instant::now() + PATIENCE;
    while server.n_descriptors() > before {
        let now = server.n_descriptors();
        assert!(Instant::now() < deadline, "descriptors before: {before:?}, after: {now:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn echo_serves_1_000_clients_at_once() {
    const N_CLIENTS: usize = 1_000;
    const N_BYTES: usize = 16 * 1024;
    allow_descriptors(N_CLIENTS as u64 + 200);
    on_both(|build| {
        let (server, address) = Program::serve(build, "echo", &[]);
        let mut crowd = Crowd { members: Vec::new() };
        for _ in 0..N_CLIENTS / 100 {
            // No more than fit std's backlog of 128; beyond that a client waits for a second.
            crowd.grow(address, 100);
            crowd.talk(100);
        }
        crowd.talk(N_BYTES);
        if build == Build::OsThreads
            && let Some(n_os_threads) = server.n_os_threads()
        {
            // The control: a thread a client is what this program asks for.
            assert_eq!(n_os_threads, N_CLIENTS + 1);
        }
        crowd.leave();

        // Each connects once, gets all its bytes, and leaves once.
        let (mut n_left, mut sent) = (0, BTreeMap::<String, usize>::new());
        while n_left < N_CLIENTS {
            let line = server.line();
            let (client, what) = line.split_once(' ').unwrap();
            if what == "connected" {
                assert_eq!(sent.insert(client.to_owned(), 0), None, "{line}");
            } else if let Some(n) = what.strip_prefix("sent ") {
                let n: usize = n.strip_suffix(" bytes").unwrap().parse().unwrap();
                *sent.get_mut(client).expect("a client that has connected") += n;
            } else {
                assert_eq!(what, format!("left after {N_BYTES} bytes"));
                assert_eq!(sent.insert(client.to_owned(), 0), Some(N_BYTES), "{line}");
                n_left += 1;
            }
        }
        assert_eq!(sent.len(), N_CLIENTS);
    });
}

#[test]
fn echo_serves_5_000_clients_at_once_on_few_os_threads() {
    // Goal: each client has its handler thread, and the process has hardly more OS threads than the
    // machine has processors. Method: all are connected and have been answered once, so all 5,000
    // handlers wait for more; then the OS threads are counted, and all go on.
    const N_CLIENTS: usize = 5_000;
    allow_descriptors(N_CLIENTS as u64 + 200);
    let (server, address) = Program::serve(Build::Shim, "echo", &["--quiet"]);
    let mut first = Crowd::connect(address, 1);
    first.talk(1);
    first.leave();
    let n_descriptors_before = server.n_descriptors();

    let mut crowd = Crowd::connect(address, N_CLIENTS);
    crowd.talk(100);
    let n_at_first = server.n_os_threads();
    crowd.talk(2_000);
    let n_os_threads = n_at_first.max(server.n_os_threads());
    crowd.leave();
    assert_descriptors_return_to(n_descriptors_before, &server);
    Crowd::connect(address, 10).talk(100);

    let n_max = n_os_threads_max();
    if let Some(n) = n_os_threads {
        assert!(n <= n_max, "{n} OS threads, expected at most {n_max}");
    }
}

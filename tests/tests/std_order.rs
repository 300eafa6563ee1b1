//! Who waits longest for a socket is served first.
//!
//! Of a stream the kernel wakes all who read, and lets them race; on the mirror these are served in
//! turn, too (`rt_turns`).

use std::time::Duration;

/// Calls `attempt` until `expected` comes out. A thread that has not got to wait in time makes an
/// attempt void; the next one gives it twice as long.
fn is_seen_in_one_attempt(expected: Vec<usize>, mut attempt: impl FnMut(Duration) -> Vec<usize>) {
    const N_ATTEMPTS: u32 = 7;
    let mut seen = Vec::new();
    for n in 0..N_ATTEMPTS {
        seen.push(attempt(Duration::from_millis(10 << n)));
        if seen.last() == Some(&expected) {
            return;
        }
    }
    panic!("never {expected:?}: {seen:?}");
}

tests::on_each! {
    items {
        use std::net::{TcpListener, TcpStream, UdpSocket};
        use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
        use std::sync::{Arc, Mutex};
        use std::thread;
        use std::time::{Duration, Instant};

        use super::is_seen_in_one_attempt;

        const N: usize = 5;
        const LONG: Duration = Duration::from_secs(20);

        /// Lets threads wait on `socket`, one after the other, and gives each something to take;
        /// the order in which they had it. Each has `a_while` to begin to wait.
        fn order<S: Send + Sync + 'static>(
            a_while: Duration,
            socket: S,
            take: fn(&S),
            mut give: impl FnMut(),
        ) -> Vec<usize> {
            let (socket, served) = (Arc::new(socket), Arc::new(Mutex::new(Vec::new())));
            let waiting: Vec<_> = (0..N)
                .map(|i| {
                    let (socket, served) = (Arc::clone(&socket), Arc::clone(&served));
                    let thread = thread::spawn(move || {
                        take(&socket);
                        served.lock().unwrap().push(i);
                    });
                    thread::sleep(a_while);
                    thread
                })
                .collect();
            for n in 1..=N {
                give();
                let begin = Instant::now();
                while served.lock().unwrap().len() < n {
                    assert!(begin.elapsed() < LONG, "nobody takes what is there");
                    thread::sleep(Duration::from_millis(1));
                }
            }
            waiting.into_iter().for_each(|thread| thread.join().unwrap());
            Arc::into_inner(served).unwrap().into_inner().unwrap()
        }

    }

    fn those_who_accept_over_tcp_are_served_in_turn() {
        is_seen_in_one_attempt((0..N).collect(), |a_while| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let addr = listener.local_addr().unwrap();
            order(a_while, listener, |listener| drop(listener.accept().unwrap()), || {
                TcpStream::connect(addr).unwrap();
            })
        });
    }

    fn those_who_accept_at_a_path_are_served_in_turn() {
        is_seen_in_one_attempt((0..N).collect(), |a_while| {
            let name = format!("order-{}-{:?}.sock", std::process::id(), thread::current().id());
            let path = std::env::temp_dir().join(name);
            let listener = UnixListener::bind(&path).unwrap();
            let order = order(a_while, listener, |listener| drop(listener.accept().unwrap()), || {
                UnixStream::connect(&path).unwrap();
            });
            std::fs::remove_file(&path).unwrap();
            order
        });
    }

    fn those_who_receive_over_udp_are_served_in_turn() {
        is_seen_in_one_attempt((0..N).collect(), |a_while| {
            let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
            let addr = receiver.local_addr().unwrap();
            let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
            order(a_while, receiver, |receiver| _ = receiver.recv_from(&mut [0]).unwrap(), || {
                sender.send_to(b"x", addr).unwrap();
            })
        });
    }

    fn those_who_receive_unix_datagrams_are_served_in_turn() {
        is_seen_in_one_attempt((0..N).collect(), |a_while| {
            let (sender, receiver) = UnixDatagram::pair().unwrap();
            order(a_while, receiver, |receiver| _ = receiver.recv(&mut [0]).unwrap(), || {
                sender.send(b"x").unwrap();
            })
        });
    }
}

//! `crossbeam-channel`, which waits by std's `park`.

use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{io, net, thread};

use crates::{Watch, are_thread_locals_shared, crowd, green};
use crossbeam_channel::{RecvTimeoutError, bounded, select, tick, unbounded};

const WHY: &str = "crossbeam-channel keeps who waits in a thread-local";

#[test]
fn hundreds_wait_in_channels_on_few_os_threads() {
    green(|| {
        if are_thread_locals_shared(WHY) {
            return;
        }
        const CROWD: usize = 300;
        let watch = Watch::begin();
        let (numbers, work) = bounded(1);
        let (squares, results) = unbounded();
        let producer = thread::spawn(move || (0..3000_u64).for_each(|n| numbers.send(n).unwrap()));
        let taken: usize =
            crowd(CROWD, move |_| work.iter().map(|n| squares.send(n * n).unwrap()).count())
                .into_iter()
                .sum();
        producer.join().unwrap();
        watch.at_most(CROWD / 2, "300 receivers of a bounded channel");
        assert_eq!(taken, 3000);
        assert_eq!(results.iter().sum::<u64>(), (0..3000).map(|n| n * n).sum());
    });
}

#[test]
fn a_select_hears_of_a_socket_a_channel_and_the_time() {
    green(|| {
        if are_thread_locals_shared(WHY) {
            return;
        }
        let listener = net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (lines, from_socket) = unbounded();
        let reader = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            lines.send(io::read_to_string(stream).unwrap()).unwrap();
        });
        let ticks = tick(Duration::from_millis(20));
        let mut n_ticks = 0;
        let line = loop {
            select! {
                recv(from_socket) -> line => break line.unwrap(),
                recv(ticks) -> _ => {
                    n_ticks += 1;
                    if n_ticks == 3 {
                        io::Write::write_all(&mut net::TcpStream::connect(address).unwrap(), b"hello")
                            .unwrap();
                    }
                }
            }
        };
        assert_eq!(line, "hello");
        assert!(n_ticks >= 3);
        reader.join().unwrap();
    });
}

#[test]
fn a_timeout_is_on_time() {
    green(|| {
        if are_thread_locals_shared(WHY) {
            return;
        }
        let (sender, receiver) = unbounded::<u8>();
        let sender = Arc::new(sender);
        let begin = Instant::now();
        let timeout = Duration::from_millis(50);
        assert_eq!(receiver.recv_timeout(timeout), Err(RecvTimeoutError::Timeout));
        assert!(begin.elapsed() >= timeout);
        drop(sender);
    });
}

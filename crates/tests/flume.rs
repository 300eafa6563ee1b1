//! `flume`, channels that wait by std's `park`.

use std::io::{self, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crates::{Watch, crowd, green};
use flume::{RecvTimeoutError, Selector, bounded, unbounded};

#[test]
fn hundreds_wait_in_channels_on_few_os_threads() {
    green(|| {
        const CROWD: usize = 300;
        let watch = Watch::begin();
        let (numbers, work) = bounded(1);
        let (squares, results) = unbounded();
        let producer = thread::spawn(move || (0..3000_u64).for_each(|n| numbers.send(n).unwrap()));
        let taken =
            crowd(CROWD, move |_| work.iter().map(|n| squares.send(n * n).unwrap()).count());
        producer.join().unwrap();
        watch.at_most(CROWD / 2, "300 receivers of a bounded channel of flume's");
        assert_eq!(taken.into_iter().sum::<usize>(), 3000);
        assert_eq!(results.iter().sum::<u64>(), (0..3000).map(|n| n * n).sum());
    });
}

#[test]
fn a_selector_hears_of_what_comes_by_a_socket() {
    green(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (lines, from_socket) = unbounded();
        let (nothing, never) = unbounded::<String>();
        let reader = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            lines.send(io::read_to_string(stream).unwrap()).unwrap();
        });
        let writer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(50));
            TcpStream::connect(address).unwrap().write_all(b"hello").unwrap();
        });
        let line = Selector::new().recv(&never, |line| line).recv(&from_socket, |line| line).wait();
        assert_eq!(line.unwrap(), "hello");
        drop(nothing);
        reader.join().unwrap();
        writer.join().unwrap();
    });
}

#[test]
fn a_timeout_is_on_time() {
    green(|| {
        let (sender, receiver) = unbounded::<u8>();
        let begin = Instant::now();
        let timeout = Duration::from_millis(50);
        assert_eq!(receiver.recv_timeout(timeout), Err(RecvTimeoutError::Timeout));
        assert!(begin.elapsed() >= timeout);
        drop(sender);
    });
}

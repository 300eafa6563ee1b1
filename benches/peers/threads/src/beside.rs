//! Latency beside work: clients, their server and threads that compute, all of one program.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kit::Args;
use kit::beside::{BREATH, CLIENTS, Pauses, burst, compute, span, tell, warm};

const MESSAGE: usize = 64;

/// Clients ask for echoes beside `burners` threads that compute.
pub(crate) fn beside(args: &Args) {
    let (burners, burst) = (args.number("burners", 1), burst(args));
    let (warm, span) = (warm(args), span(args));
    let pauses: Vec<_> = (0..CLIENTS).map(|client| Pauses::new(args, client)).collect();
    let stop = Arc::new(AtomicBool::new(false));
    let scene = move || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        thread::spawn(move || serve(&listener));
        for _ in 0..burners {
            let stop = Arc::clone(&stop);
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    compute(burst);
                    thread::sleep(BREATH);
                }
            });
        }
        let client = |pauses| thread::spawn(move || ask(address, pauses, warm, span));
        let clients: Vec<_> = pauses.into_iter().map(client).collect();
        let all = clients.into_iter().flat_map(|client| client.join().expect("an echo"));
        let all = all.collect();
        stop.store(true, Ordering::Relaxed);
        all
    };
    tell(thread::spawn(scene).join().expect("a scene does not panic"));
}

fn serve(listener: &TcpListener) {
    while let Ok((mut stream, _)) = listener.accept() {
        thread::spawn(move || {
            stream.set_nodelay(true).expect("a TCP socket");
            let mut message = [0; MESSAGE];
            while stream.read_exact(&mut message).is_ok() && stream.write_all(&message).is_ok() {}
        });
    }
}

fn ask(address: SocketAddr, mut pauses: Pauses, warm: Duration, span: Duration) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).expect("a server");
    stream.set_nodelay(true).expect("a TCP socket");
    let mut message = [1; MESSAGE];
    let mut round_trips = Vec::new();
    let start = Instant::now();
    while start.elapsed() < warm + span {
        let begin = Instant::now();
        stream.write_all(&message).expect("a server");
        stream.read_exact(&mut message).expect("an echo");
        if start.elapsed() >= warm {
            round_trips.push(begin.elapsed());
        }
        thread::sleep(pauses.next_pause());
    }
    round_trips
}

/// Two halves of some work, one of them by a new thread; one operation is both.
pub(crate) fn fork_join(args: &Args) {
    let burst = burst(args);
    kit::measure(args, |count| {
        let scene = move || {
            for _ in 0..count {
                let other = thread::spawn(move || compute(burst));
                compute(burst);
                other.join().expect("nothing panics");
            }
        };
        thread::spawn(scene).join().expect("a scene does not panic");
    });
}

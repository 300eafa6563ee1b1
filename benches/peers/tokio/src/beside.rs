//! Latency beside work: clients, their server and tasks that compute, all of one program.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kit::Args;
use kit::beside::{BREATH, CLIENTS, Pauses, burst, compute, span, tell, warm};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::{task, time};

use crate::Executor;

const MESSAGE: usize = 64;

pub(crate) fn beside(executor: &Executor, args: &Args) {
    let (burners, burst) = (args.number("burners", 1), burst(args));
    let (warm, span) = (warm(args), span(args));
    let pauses: Vec<_> = (0..CLIENTS).map(|client| Pauses::new(args, client)).collect();
    tell(executor.run(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        task::spawn(serve(listener));
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..burners {
            let stop = Arc::clone(&stop);
            task::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    compute(burst);
                    time::sleep(BREATH).await;
                }
            });
        }
        let client = |pauses| task::spawn(ask(address, pauses, warm, span));
        let clients: Vec<_> = pauses.into_iter().map(client).collect();
        let mut all = Vec::new();
        for client in clients {
            all.extend(client.await.expect("an echo"));
        }
        stop.store(true, Ordering::Relaxed);
        all
    }));
}

async fn serve(listener: TcpListener) {
    while let Ok((mut stream, _)) = listener.accept().await {
        task::spawn(async move {
            stream.set_nodelay(true).expect("a TCP socket");
            let mut message = [0; MESSAGE];
            while stream.read_exact(&mut message).await.is_ok()
                && stream.write_all(&message).await.is_ok()
            {}
        });
    }
}

async fn ask(
    address: SocketAddr,
    mut pauses: Pauses,
    warm: Duration,
    span: Duration,
) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.expect("a server");
    stream.set_nodelay(true).expect("a TCP socket");
    let mut message = [1; MESSAGE];
    let mut round_trips = Vec::new();
    let start = Instant::now();
    while start.elapsed() < warm + span {
        let begin = Instant::now();
        stream.write_all(&message).await.expect("a server");
        stream.read_exact(&mut message).await.expect("an echo");
        if start.elapsed() >= warm {
            round_trips.push(begin.elapsed());
        }
        time::sleep(pauses.next_pause()).await;
    }
    round_trips
}

pub(crate) fn fork_join(executor: &Executor, args: &Args) {
    let burst = burst(args);
    kit::measure(args, |count| {
        executor.run(async move {
            for _ in 0..count {
                let other = task::spawn(async move { compute(burst) });
                compute(burst);
                other.await.expect("nothing panics");
            }
        });
    });
}

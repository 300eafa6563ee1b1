//! `tokio` with green threads: a runtime of its own workers, and who waits for its tasks.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crates::{Watch, are_thread_locals_shared, crowd, green};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Barrier, oneshot};

const WHY: &str = "tokio keeps in a thread-local which runtime it is in";

const CROWD: usize = 100;

/// A runtime of two workers.
fn new_runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Echoes until each of `n` clients has closed.
async fn echo(listener: TcpListener, n: usize) {
    let mut clients = Vec::new();
    for _ in 0..n {
        let (mut stream, _) = listener.accept().await.unwrap();
        clients.push(tokio::spawn(async move {
            let (mut read, mut write) = stream.split();
            tokio::io::copy(&mut read, &mut write).await.unwrap();
        }));
    }
    for client in clients {
        client.await.unwrap();
    }
}

/// A server of `runtime`'s for `n` clients.
fn start_echo(runtime: &Runtime, n: usize) -> SocketAddr {
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(echo(listener, n));
    address
}

#[test]
fn a_hundred_green_threads_block_on_one_runtime() {
    green(|| {
        if are_thread_locals_shared(WHY) {
            return;
        }
        let runtime = Arc::new(new_runtime());
        let address = start_echo(&runtime, CROWD);
        let all_are_connected = Arc::new(Barrier::new(CROWD));
        let watch = Watch::begin();
        crowd(CROWD, move |i| {
            let all_are_connected = Arc::clone(&all_are_connected);
            runtime.block_on(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                all_are_connected.wait().await;
                for n in 0..5 {
                    let said = [i as u8, n];
                    stream.write_all(&said).await.unwrap();
                    let mut heard = [0; 2];
                    stream.read_exact(&mut heard).await.unwrap();
                    assert_eq!(heard, said);
                }
            });
        });
        watch.at_most(CROWD / 2, "a hundred in block_on, one of tokio's runtimes");
    });
}

#[test]
fn a_server_of_tokios_has_green_clients() {
    green(|| {
        if are_thread_locals_shared(WHY) {
            return;
        }
        let server = new_runtime();
        let address = start_echo(&server, CROWD);
        let watch = Watch::begin();
        crowd(CROWD, move |i| {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            for n in 0..10 {
                let said = [i as u8, n];
                stream.write_all(&said).unwrap();
                let mut heard = [0; 2];
                stream.read_exact(&mut heard).unwrap();
                assert_eq!(heard, said);
            }
        });
        watch.at_most(CROWD / 2, "a server of tokio's and its hundred green clients");
    });
}

#[test]
fn a_green_thread_and_a_task_wake_each_other_and_time_goes_by() {
    green(|| {
        if are_thread_locals_shared(WHY) {
            return;
        }
        let runtime = new_runtime();
        let (to_task, from_thread) = oneshot::channel();
        let (to_thread, from_task) = oneshot::channel();
        let pause = Duration::from_millis(20);
        runtime.spawn(async move {
            let n: u32 = from_thread.await.unwrap();
            tokio::time::sleep(pause).await;
            to_thread.send(n + 1).unwrap();
        });
        let begin = Instant::now();
        to_task.send(41).unwrap();
        assert_eq!(from_task.blocking_recv().unwrap(), 42);
        assert!(begin.elapsed() >= pause);
        let blocked = runtime.spawn_blocking(move || std::thread::sleep(pause));
        runtime.block_on(blocked).unwrap();
        let late = runtime
            .block_on(async { tokio::time::timeout(pause, std::future::pending::<()>()).await });
        assert!(late.is_err());
    });
}

//! `tokio`, a runtime in each green thread: in a process of its own, for each waits in the kernel by an epoll of
//! its own and takes an OS thread.

use std::thread;
use std::time::Duration;

use crates::{Watch, are_thread_locals_shared, crowd, green};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Builder;

const WHY: &str = "tokio keeps in a thread-local which runtime it is in";

const CROWD: usize = 100;

#[test]
fn a_hundred_green_threads_have_a_runtime_each() {
    green(|| {
        if are_thread_locals_shared(WHY) {
            return;
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            crowd(CROWD, move |_| {
                let (mut client, _) = listener.accept().unwrap();
                std::io::copy(&mut client.try_clone().unwrap(), &mut client).unwrap()
            })
        });
        let watch = Watch::begin();
        crowd(CROWD, move |i| {
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let mut stream = TcpStream::connect(address).await.unwrap();
                tokio::time::sleep(Duration::from_millis(50)).await;
                stream.write_all(&[i as u8]).await.unwrap();
                assert_eq!(stream.read_u8().await.unwrap(), i as u8);
            });
        });
        watch.at_most(CROWD + 50, "a hundred in block_on, each with a runtime of tokio's");
        assert_eq!(server.join().unwrap(), [1; CROWD]);
    });
}

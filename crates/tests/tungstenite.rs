//! `tungstenite`, WebSocket: an echo, with both sides on green threads.

use std::net::{TcpListener, TcpStream};
use std::sync::Barrier;
use std::thread;

use crates::{Watch, crowd, green};
use tungstenite::{Message, WebSocket, accept, client};

const CLIENTS: usize = 100;

/// Sends each message back until the client closes.
fn echo(mut socket: WebSocket<TcpStream>) {
    while let Ok(message) = socket.read() {
        if message.is_text() || message.is_binary() {
            socket.send(message).unwrap();
        }
    }
}

#[test]
fn a_hundred_clients_have_their_messages_back() {
    green(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = thread::spawn(move || {
            let clients = listener
                .incoming()
                .take(CLIENTS)
                .map(|stream| thread::spawn(move || echo(accept(stream.unwrap()).unwrap())));
            clients.collect::<Vec<_>>()
        });
        let watch = Watch::begin();
        let all_are_connected = Barrier::new(CLIENTS);
        crowd(CLIENTS, move |i| {
            let stream = TcpStream::connect(address).unwrap();
            let (mut socket, _) = client(format!("ws://{address}/"), stream).unwrap();
            all_are_connected.wait();
            let large = vec![i as u8; 100_000];
            for message in [Message::text(format!("client {i}")), Message::binary(large)] {
                socket.send(message.clone()).unwrap();
                assert_eq!(socket.read().unwrap(), message);
            }
            socket.close(None).unwrap();
            while socket.read().is_ok() {}
        });
        for thread in server.join().unwrap() {
            thread.join().unwrap();
        }
        watch.at_most(CLIENTS / 2, "a hundred WebSockets, both sides");
    });
}

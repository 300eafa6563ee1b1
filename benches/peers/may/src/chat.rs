//! Chat: a coroutine that reads and one that writes for each member, a channel to the writer.

use std::io::{self, Read, Write};
use std::sync::Arc;

use kit::CHAT_MESSAGE;
use may::go;
use may::net::{TcpListener, TcpStream};
use may::sync::Mutex;
use may::sync::mpsc::{self, Receiver, Sender};

type Message = [u8; CHAT_MESSAGE];
type Members = Arc<Mutex<Vec<Sender<Message>>>>;

pub(crate) fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    kit::ready(listener.local_addr().expect("a bound listener has an address"));
    let server = go!(move || {
        let members: Members = Arc::new(Mutex::new(Vec::new()));
        for stream in listener.incoming() {
            let stream = stream.expect("a client");
            stream.set_nodelay(true).expect("a TCP socket has the option");
            let (sender, receiver) = mpsc::channel();
            members.lock().expect("no member panics").push(sender);
            let members = Arc::clone(&members);
            let reader = stream.try_clone().expect("a descriptor");
            go!(move || listen(reader, &members));
            go!(move || speak(stream, &receiver));
        }
    });
    server.join().expect("no panic");
}

fn listen(mut stream: TcpStream, members: &Members) -> io::Result<()> {
    loop {
        let mut message = [0; CHAT_MESSAGE];
        stream.read_exact(&mut message)?;
        // Whoever has left takes no more messages.
        members.lock().expect("no member panics").retain(|member| member.send(message).is_ok());
    }
}

fn speak(mut stream: TcpStream, messages: &Receiver<Message>) -> io::Result<()> {
    let mut bytes = Vec::new();
    while let Ok(message) = messages.recv() {
        bytes.clear();
        bytes.extend_from_slice(&message);
        while let Ok(message) = messages.try_recv() {
            bytes.extend_from_slice(&message);
        }
        stream.write_all(&bytes)?;
    }
    Ok(())
}

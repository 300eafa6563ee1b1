//! Chat: whatever one member says goes to all of them.
//!
//! Each member has a thread that reads and a thread that writes; a channel leads to the writer.
//! The writer sends all that is queued in one call.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;

use kit::CHAT_MESSAGE;

type Message = [u8; CHAT_MESSAGE];
type Members = Arc<Mutex<Vec<Sender<Message>>>>;

pub(crate) fn serve() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    kit::ready(listener.local_addr().expect("a bound listener has an address"));
    let members = Members::default();
    for stream in listener.incoming() {
        let stream = stream.expect("a client");
        stream.set_nodelay(true).expect("a TCP socket has the option");
        let (sender, receiver) = mpsc::channel();
        members.lock().expect("no member panics").push(sender);
        let (members, reader) = (Arc::clone(&members), stream.try_clone().expect("a descriptor"));
        thread::spawn(move || listen(reader, &members));
        thread::spawn(move || speak(stream, &receiver));
    }
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
        messages.try_iter().for_each(|message| bytes.extend_from_slice(&message));
        stream.write_all(&bytes)?;
    }
    Ok(())
}

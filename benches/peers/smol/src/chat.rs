//! Chat: a task that reads and one that writes for each member, a channel to the writer.

use std::io;
use std::sync::{Arc, Mutex};

use kit::CHAT_MESSAGE;
use smol::channel::{self, Receiver, Sender};
use smol::io::{AsyncReadExt, AsyncWriteExt};
use smol::net::{TcpListener, TcpStream};

use crate::{run, spawn};

type Message = [u8; CHAT_MESSAGE];
type Members = Arc<Mutex<Vec<Sender<Message>>>>;

pub(crate) fn serve() {
    let server = async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        kit::ready(listener.local_addr()?);
        let members = Members::default();
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (sender, receiver) = channel::unbounded();
            members.lock().expect("no member panics").push(sender);
            spawn(listen(stream.clone(), Arc::clone(&members))).detach();
            spawn(speak(stream, receiver)).detach();
        }
    };
    let ended: io::Result<()> = run(server);
    ended.expect("a healthy listener");
}

async fn listen(mut stream: TcpStream, members: Members) -> io::Result<()> {
    loop {
        let mut message = [0; CHAT_MESSAGE];
        stream.read_exact(&mut message).await?;
        // Whoever has left takes no more messages.
        members.lock().expect("no member panics").retain(|member| member.try_send(message).is_ok());
    }
}

async fn speak(mut stream: TcpStream, messages: Receiver<Message>) -> io::Result<()> {
    let mut bytes = Vec::new();
    while let Ok(message) = messages.recv().await {
        bytes.clear();
        bytes.extend_from_slice(&message);
        while let Ok(message) = messages.try_recv() {
            bytes.extend_from_slice(&message);
        }
        stream.write_all(&bytes).await?;
    }
    Ok(())
}

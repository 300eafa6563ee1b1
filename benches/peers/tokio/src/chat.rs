//! Chat: a task that reads and one that writes for each member, a channel to the writer.
//!
//! The list of members is under std's lock, as tokio advises where no lock is held over an await.

use std::io;
use std::sync::{Arc, Mutex};

use kit::CHAT_MESSAGE;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::Executor;

type Message = [u8; CHAT_MESSAGE];
type Members = Arc<Mutex<Vec<UnboundedSender<Message>>>>;

pub(crate) fn serve(executor: &Executor) {
    let server = async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        kit::ready(listener.local_addr()?);
        let members = Members::default();
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            let (sender, receiver) = mpsc::unbounded_channel();
            members.lock().expect("no member panics").push(sender);
            let (reader, writer) = stream.into_split();
            tokio::spawn(listen(reader, Arc::clone(&members)));
            tokio::spawn(speak(writer, receiver));
        }
    };
    let ended: io::Result<()> = executor.run(server);
    ended.expect("a healthy listener");
}

async fn listen(mut stream: OwnedReadHalf, members: Members) -> io::Result<()> {
    loop {
        let mut message = [0; CHAT_MESSAGE];
        stream.read_exact(&mut message).await?;
        // Whoever has left takes no more messages.
        members.lock().expect("no member panics").retain(|member| member.send(message).is_ok());
    }
}

async fn speak(
    mut stream: OwnedWriteHalf,
    mut messages: UnboundedReceiver<Message>,
) -> io::Result<()> {
    let mut bytes = Vec::new();
    while let Some(message) = messages.recv().await {
        bytes.clear();
        bytes.extend_from_slice(&message);
        while let Ok(message) = messages.try_recv() {
            bytes.extend_from_slice(&message);
        }
        stream.write_all(&bytes).await?;
    }
    Ok(())
}

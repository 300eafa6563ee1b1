//! Members of one room: whatever one of them says, all of them hear.
//!
//! Messages have one size and carry the number of their speaker. A speaker says the next one when
//! it has heard itself, and times that; each message that anybody hears is a delivery.

use std::io;
use std::time::{Duration, Instant};

use super::fleet::{Transport, receive_in_time};
use super::{Outcome, Span, Watch, now_or_later};
use crate::child::Server;
use crate::failure::{Failure, failed};
use crate::sys::{Epoll, Socket};

/// The size of a message; the servers know it too.
const MESSAGE: usize = 64;

struct Member {
    socket: Socket,
    /// The beginning of a message whose end has not come.
    piece: Vec<u8>,
    spoke: u64,
}

impl Member {
    fn say(&self, number: usize) -> io::Result<()> {
        let mut message = [0; MESSAGE];
        message[..8].copy_from_slice(&number.to_le_bytes());
        match self.socket.send(&message)? {
            MESSAGE => Ok(()),
            n => Err(io::Error::other(format!("sent {n} bytes of a message"))),
        }
    }
}

/// Has `speakers` of `members` speak.
pub(crate) fn run(
    server: &Server,
    members: usize,
    speakers: usize,
    span: Span,
) -> Result<Outcome, Failure> {
    let mut epoll = Epoll::new()?;
    let mut room = Vec::with_capacity(members);
    for key in 0..members {
        let socket = Transport::Tcp.connect(server.address())?;
        let member = Member { socket, piece: Vec::new(), spoke: 0 };
        join(&member, key)?;
        member.socket.set_nonblocking()?;
        epoll.add(&member.socket, key)?;
        room.push(member);
    }
    let mut bytes = vec![0; 1 << 16];
    hush(&mut room, &mut bytes)?;
    let mut watch = Watch::new(server, span);
    for (number, speaker) in room.iter().enumerate().take(speakers) {
        speaker.say(number)?;
    }
    loop {
        let mut moved = false;
        for event in 0..epoll.wait(10)? {
            let number = epoll.key(event);
            let (heard, own) = room[number].hear(number, &mut bytes)?;
            watch.count(heard);
            moved |= heard > 0;
            if own && number < speakers {
                let now = watch.now();
                watch.record(0, now - room[number].spoke);
                room[number].spoke = now;
                room[number].say(number)?;
            }
        }
        if let Some(outcome) = watch.check(moved)? {
            return Ok(outcome);
        }
    }
}

/// Speaks until the member hears itself: then the server knows it.
fn join(member: &Member, number: usize) -> Result<(), Failure> {
    member.say(number)?;
    let (mut heard, mut message) = (0, [0; MESSAGE]);
    while heard < MESSAGE {
        heard += receive_in_time(&member.socket, &mut message[heard..])?;
    }
    if message[..8] == number.to_le_bytes() {
        Ok(())
    } else {
        Err(failed("a new member hears somebody else"))
    }
}

/// Lets everybody hear the last of what was said while the room filled.
fn hush(room: &mut [Member], bytes: &mut [u8]) -> Result<(), Failure> {
    let patience = Instant::now() + Duration::from_secs(5);
    let count = room.len();
    // The member that came first hears everybody who came after it.
    let mut missing: Vec<usize> = (0..count).map(|number| count - 1 - number).collect();
    while missing.iter().any(|&missing| missing > 0) {
        if Instant::now() > patience {
            return Err(failed("a member does not hear what the others say"));
        }
        for (number, member) in room.iter_mut().enumerate() {
            if missing[number] > 0 {
                missing[number] -= member.hear(number, bytes)?.0 as usize;
            }
        }
    }
    Ok(())
}

impl Member {
    /// Receives all there is: how many messages have become complete, and whether this member's
    /// own was among them.
    fn hear(&mut self, number: usize, bytes: &mut [u8]) -> io::Result<(u64, bool)> {
        let (mut heard, mut own) = (0, false);
        loop {
            let kept = self.piece.len();
            bytes[..kept].copy_from_slice(&self.piece);
            let room = bytes.len() - kept;
            let Some(n) = now_or_later(self.socket.receive(&mut bytes[kept..]))? else { break };
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let mut messages = bytes[..kept + n].chunks_exact(MESSAGE);
            for message in &mut messages {
                heard += 1;
                own |= message[..8] == number.to_le_bytes();
            }
            self.piece.clear();
            self.piece.extend_from_slice(messages.remainder());
            if n < room {
                break;
            }
        }
        Ok((heard, own))
    }
}

//! A chat server: who gives a name is in the room, and hears what the others say.
//!
//! Two threads a client: one reads what he says, one writes what he hears, so that a slow reader
//! holds up nobody else.
//!
//! Run it, and join from several terminals with `nc 127.0.0.1 37564`:
//!
//! ```text
//! cargo run --release --bin chat
//! ```
//!
//! Another address can be given as the first argument. It prints what all hear:
//!
//! ```text
//! listening on 127.0.0.1:37564
//! * ann joined
//! * bob joined
//! bob: hello
//! * bob left
//! ```

use std::collections::HashMap;
use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread;

/// How many messages a client may be behind before he misses some.
const N_BEHIND_MAX: usize = 1_000;

type Message = Arc<str>;

fn main() -> io::Result<()> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:37564".to_owned());
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    let room = Arc::new(Room::default());
    loop {
        let (client, peer) = listener.accept()?;
        let room = Arc::clone(&room);
        thread::spawn(move || {
            if let Err(error) = welcome(client, &room) {
                eprintln!("{peer} left: {error}");
            }
        });
    }
}

/// Asks for a name that is free, and lets the client in.
fn welcome(mut client: TcpStream, room: &Room) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut lines = BufReader::new(client.try_clone()?).lines();
    let (to_client, messages) = mpsc::sync_channel(N_BEHIND_MAX);
    client.write_all(b"your name?\n")?;
    let name = loop {
        let Some(name) = lines.next().transpose()? else { return Ok(()) };
        if room.enter(&name, &to_client) {
            break name;
        }
        client.write_all(format!("`{name}` is taken, your name?\n").as_bytes())?;
    };
    drop(to_client);
    thread::spawn(move || {
        for message in messages {
            if client.write_all(message.as_bytes()).is_err() {
                break;
            }
        }
    });

    room.say(&name, &format!("* {name} joined"));
    // A line that cannot be read is the end, as hanging up is.
    for line in lines.map_while(Result::ok) {
        room.say(&name, &format!("{name}: {line}"));
    }
    room.leave(&name);
    Ok(())
}

/// Who is there, and how to reach him.
#[derive(Default)]
struct Room {
    members: Mutex<HashMap<String, SyncSender<Message>>>,
}

impl Room {
    /// Whether the name was free.
    fn enter(&self, name: &str, to_client: &SyncSender<Message>) -> bool {
        let mut members = self.members.lock().unwrap();
        if members.contains_key(name) {
            return false;
        }
        members.insert(name.to_owned(), to_client.clone());
        true
    }

    /// Tells all but who says it.
    fn say(&self, from: &str, text: &str) {
        let message: Message = format!("{text}\n").into();
        // Locked until it is printed, so that all hear all in one order.
        let members = self.members.lock().unwrap();
        println!("{text}");
        for (name, to_client) in &*members {
            if name != from {
                // Who is too far behind misses this one, rather than hold up the room.
                let _ = to_client.try_send(Arc::clone(&message));
            }
        }
    }

    fn leave(&self, name: &str) {
        self.members.lock().unwrap().remove(name);
        self.say(name, &format!("* {name} left"));
    }
}

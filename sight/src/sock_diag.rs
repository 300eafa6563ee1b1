//! What the kernel says of sockets to who asks by a socket of its own (`sock_diag`), and in no file: which Unix sockets
//! are each other's ends.

use std::io::{self, Read, Write};
use std::iter;

use crate::hash::HashMap;

/// What is asked, and how an answer of many parts ends and fails.
const BY_FAMILY: u16 = 20;
const DONE: u16 = 3;
const ERROR: u16 = 2;
/// It is a request, for all that there are.
const REQUEST: u16 = 0x301;
/// The other end is wanted, and the attribute that says it.
const SHOW_PEER: u32 = 4;
const PEER: u16 = 2;

/// The head of each message: its length, its kind, flags, and two numbers of no interest.
const HEAD: usize = 16;
/// What is said of each socket before its attributes.
const SOCKET: usize = 16;
const ALIGN: usize = 4;
/// As much as the kernel says at a time, at most.
const LEN: usize = 1 << 16;

/// Asks by a socket of the kernel's family for this: the other end of each Unix socket, by the numbers of both.
///
/// # Errors
///
/// If the kernel does not answer. What it has said before that is there.
pub fn ask(mut socket: impl Read + Write, peers: &mut HashMap<u64, u64>) -> io::Result<()> {
    socket.write_all(&request())?;
    let mut answer = vec![0; LEN];
    loop {
        let n = socket.read(&mut answer)?;
        if n == 0 || !take(answer.get(..n).unwrap_or_default(), peers) {
            return Ok(());
        }
    }
}

/// What is asked: the other end of each Unix socket.
fn request() -> Vec<u8> {
    let family = libc::AF_UNIX.to_ne_bytes();
    // In each state, of any number, with no cookie.
    let asks = [u32::MAX, 0, SHOW_PEER, u32::MAX, u32::MAX].map(u32::to_ne_bytes);
    let asks = [&family, asks.as_flattened()].concat();
    let len = (HEAD + asks.len()) as u32;
    let kind = [BY_FAMILY, REQUEST].map(u16::to_ne_bytes);
    [&len.to_ne_bytes(), kind.as_flattened(), &[0; 8], &asks].concat()
}

/// Takes what an answer says: the other end of each socket, by the numbers of both. Whether there is more to come.
fn take(answer: &[u8], peers: &mut HashMap<u64, u64>) -> bool {
    for (head, body) in pieces(answer, HEAD, |head| u32_at(head, 0).map(|len| len as usize)) {
        if u16_at(head, 4).is_none_or(|kind| [DONE, ERROR].contains(&kind)) {
            return false;
        }
        let (Some(inode), Some(attributes)) = (u32_at(body, 4), body.get(SOCKET..)) else {
            continue;
        };
        let mut its = pieces(attributes, ALIGN, |head| u16_at(head, 0).map(usize::from));
        let peer = its.find(|(head, _)| u16_at(head, 2) == Some(PEER));
        let peer = peer.and_then(|(_, value)| u32_at(value, 0));
        peers.extend(peer.map(|peer| (u64::from(inode), u64::from(peer))));
    }
    true
}

/// Pieces that follow each other, each with a head of so many bytes, which says how long it is with that, and the rest.
fn pieces(
    bytes: &[u8],
    head: usize,
    len: impl Fn(&[u8]) -> Option<usize>,
) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = bytes;
    iter::from_fn(move || {
        let len = len(rest).filter(|len| *len >= head)?;
        let piece = rest.get(..len)?.split_at(head);
        rest = rest.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
        Some(piece)
    })
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

//! What a descriptor of a process is, in words: by `/proc`, in the network that the process is in.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::hash::{HashMap, HashSet};
use crate::procfs::Procfs;
use crate::reason::Reason;

/// Some descriptors of a process.
pub(crate) struct Files<'a, P: Procfs + ?Sized> {
    process: &'a P,
    /// What each is, as the kernel calls it.
    links: HashMap<u32, String>,
    sockets: HashMap<u64, Socket>,
}

enum Socket {
    Listener(&'static str, SocketAddr),
    Open(&'static str, SocketAddr, Option<SocketAddr>),
    Unix(String),
}

impl<'a, P: Procfs + ?Sized> Files<'a, P> {
    /// These descriptors of a process.
    pub(crate) fn of(process: &'a P, descriptors: impl Iterator<Item = u32>) -> Self {
        let link = |descriptor| Some((descriptor, process.link(&format!("fd/{descriptor}"))?));
        let links: HashMap<_, _> = descriptors.filter_map(link).collect();
        let sockets = sockets(process, links.values().filter_map(|link| inode(link)).collect());
        Self { process, links, sockets }
    }

    /// What somebody waits for at this descriptor.
    pub(crate) fn words(&self, descriptor: u32, reason: Option<Reason>) -> String {
        let reads = reason != Some(Reason::Write);
        let verb = if reads { "read" } else { "write" };
        let link = self.links.get(&descriptor).map_or("", |link| link);
        if link.contains("pidfd") {
            let info = self.process.text(&format!("fdinfo/{descriptor}")).unwrap_or_default();
            let pid = info.lines().find_map(|line| line.strip_prefix("Pid:"));
            return format!("child {}", pid.map_or("", str::trim));
        }
        if let Some(inode) = inode(link) {
            return match self.sockets.get(&inode) {
                Some(Socket::Listener(kind, local)) => format!("{kind} {local}, accept"),
                Some(Socket::Open(kind, local, Some(peer))) => {
                    let arrow = if reads { "<-" } else { "->" };
                    format!("{kind} {local} {arrow} {peer}, {verb}")
                }
                Some(Socket::Open(kind, local, None)) => format!("{kind} {local}, {verb}"),
                Some(Socket::Unix(path)) if !path.is_empty() => format!("unix {path}, {verb}"),
                Some(Socket::Unix(_)) => format!("unix socket {descriptor}, {verb}"),
                None => format!("socket {descriptor}, {verb}"),
            };
        }
        match link.split_once(':') {
            Some(("pipe", _)) => format!("pipe {descriptor}, {verb}"),
            Some(("anon_inode", what)) => format!("{what} {descriptor}, {verb}"),
            _ if link.is_empty() => format!("descriptor {descriptor}, {verb}"),
            _ => format!("{link}, {verb}"),
        }
    }
}

/// The number of a socket.
fn inode(link: &str) -> Option<u64> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The sockets of these numbers, in the network that a process is in.
///
/// The kernel looks through all that there are for a table, so each is read no further than it takes; the largest
/// come last.
fn sockets<P: Procfs + ?Sized>(process: &P, mut wanted: HashSet<u64>) -> HashMap<u64, Socket> {
    type Parse = fn(&str) -> Option<(u64, Socket)>;
    let tables: [(&str, Parse); 5] = [
        ("unix", local),
        ("udp", |line| internet(line, "UDP")),
        ("udp6", |line| internet(line, "UDP")),
        ("tcp", |line| internet(line, "TCP")),
        ("tcp6", |line| internet(line, "TCP")),
    ];
    let mut found = HashMap::default();
    for (name, parse) in tables {
        if wanted.is_empty() {
            break;
        }
        let Some(table) = process.open(&format!("net/{name}")) else { continue };
        let lines = BufReader::with_capacity(1 << 16, table).lines().map_while(Result::ok);
        for (inode, socket) in lines.filter_map(|line| parse(&line)) {
            if wanted.remove(&inode) {
                found.insert(inode, socket);
            }
            if wanted.is_empty() {
                break;
            }
        }
    }
    found
}

/// A line of the table of sockets that have paths, or none.
fn local(line: &str) -> Option<(u64, Socket)> {
    let mut fields = line.split_whitespace();
    let inode = fields.nth(6)?.parse().ok()?;
    Some((inode, Socket::Unix(fields.next().unwrap_or_default().to_owned())))
}

/// A line of a table of internet sockets.
fn internet(line: &str, kind: &'static str) -> Option<(u64, Socket)> {
    /// The state of a listener.
    const LISTEN: &str = "0A";
    let mut fields = line.split_whitespace();
    let local = address(fields.nth(1)?)?;
    let peer = address(fields.next()?)?;
    let state = fields.next()?;
    let inode = fields.nth(5)?.parse().ok()?;
    let socket = if kind == "TCP" && state == LISTEN {
        Socket::Listener(kind, local)
    } else {
        Socket::Open(kind, local, (peer.port() != 0).then_some(peer))
    };
    Some((inode, socket))
}

/// An address as the kernel writes it there: words of four bytes in the machine's order, and a port.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |at| u32::from_str_radix(ip.get(at..at + 8)?, 16).ok();
    let ip = if ip.len() == 8 {
        IpAddr::from(Ipv4Addr::from(word(0)?.to_ne_bytes()))
    } else {
        let words = [word(0)?, word(8)?, word(16)?, word(24)?].map(u32::to_ne_bytes);
        let bytes: [u8; 16] = words.concat().try_into().ok()?;
        IpAddr::from(Ipv6Addr::from(bytes)).to_canonical()
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_the_kernel_writes_them() {
        let of = |ip: &str, port| Some(SocketAddr::new(ip.parse().unwrap(), port));
        assert_eq!(address("0100007F:92BC"), of("127.0.0.1", 0x92bc));
        assert_eq!(address("00000000000000000000000001000000:0050"), of("::1", 80));
        assert_eq!(address("0000000000000000FFFF00000100007F:0050"), of("127.0.0.1", 80));
        assert_eq!(address("0100007F"), None);
    }
}

//! What a descriptor of a process is, in words: by `/proc`, in the network that the process is in.

use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::hash::{HashMap, HashSet};
use crate::procfs::Procfs;
use crate::waits::Wanted;

/// Of several descriptors so many are told in words.
const FEW: usize = 3;

/// Some descriptors of a process.
pub(crate) struct Files<'a, P: Procfs + ?Sized> {
    process: &'a P,
    /// What each is, as the kernel calls it.
    links: HashMap<u32, String>,
    /// What event loops watch: a few of it, and how many there are.
    watched: HashMap<u32, (Vec<Wanted>, usize)>,
    sockets: HashMap<u64, Socket>,
    /// Of Unix sockets and pipes: whose other end is which, and what the process has open of them.
    peers: HashMap<u64, u64>,
    open: HashMap<String, Vec<u32>>,
}

enum Socket {
    Listener(&'static str, SocketAddr),
    Open { kind: &'static str, local: SocketAddr, peer: Option<SocketAddr>, is_connecting: bool },
    Unix { path: String, is_listener: bool },
}

impl<'a, P: Procfs + ?Sized> Files<'a, P> {
    /// These descriptors of a process.
    pub(crate) fn of<'b>(process: &'a P, wanted: impl Iterator<Item = &'b Wanted>) -> Self {
        let mut links = HashMap::default();
        let mut look_up = |descriptor: u32| {
            if let Some(link) = process.link(&format!("fd/{descriptor}")) {
                links.insert(descriptor, link);
            }
        };
        wanted.for_each(|it| look_up(it.descriptor));
        let loops: Vec<_> =
            links.iter().filter(|(_, link)| *link == EVENT_LOOP).map(|(it, _)| *it).collect();
        let watched: HashMap<_, _> =
            loops.into_iter().map(|it| (it, watched(process, it))).collect();
        for (few, _) in watched.values() {
            for it in few {
                if let Some(link) = process.link(&format!("fd/{}", it.descriptor)) {
                    links.insert(it.descriptor, link);
                }
            }
        }
        let mut sockets = sockets(process, links.values().filter_map(|link| inode(link)).collect());
        let is_unix = |socket: &Socket| matches!(socket, Socket::Unix { is_listener: false, .. });
        let mut peers = HashMap::default();
        if sockets.values().any(is_unix) {
            peers = process.unix_peers();
            peers.retain(|inode, _| sockets.contains_key(inode));
            let theirs: HashSet<_> =
                peers.values().copied().filter(|peer| !sockets.contains_key(peer)).collect();
            sockets.extend(self::sockets(process, theirs));
        }
        let has_ends = !peers.is_empty() || links.values().any(|link| link.starts_with(PIPE));
        let open = if has_ends { open(process) } else { HashMap::default() };
        Self { process, links, watched, sockets, peers, open }
    }

    /// What somebody waits for at these descriptors.
    pub(crate) fn words(&self, wanted: &[Wanted]) -> String {
        match wanted {
            [one] => self.of_one(*one),
            several => self.of_several(several, several.len()),
        }
    }

    fn of_several(&self, few: &[Wanted], n: usize) -> String {
        let few: Vec<_> = few.iter().take(FEW).map(|it| self.of_one(*it)).collect();
        let rest = match n - few.len() {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let s = if n == 1 { "" } else { "s" };
        format!("{n} descriptor{s}: {}{rest}", few.join("; "))
    }

    fn of_one(&self, wanted: Wanted) -> String {
        let Wanted { descriptor, reads, writes } = wanted;
        let verb = match (reads, writes) {
            (true, true) => "read or write",
            (_, false) => "read",
            (false, true) => "write",
        };
        let arrow = if reads { "<-" } else { "->" };
        let link = self.links.get(&descriptor).map_or("", |link| link);
        if link.contains("pidfd") {
            let info = self.process.text(&format!("fdinfo/{descriptor}")).unwrap_or_default();
            let pid = info.lines().find_map(|line| line.strip_prefix("Pid:"));
            return format!("child {}", pid.map_or("", str::trim));
        }
        if let Some(inode) = inode(link) {
            return match self.sockets.get(&inode) {
                Some(Socket::Listener(kind, local)) => format!("{kind} {local}, accept"),
                Some(Socket::Open { kind, local, peer: Some(peer), is_connecting }) => {
                    let verb = if *is_connecting { "connect" } else { verb };
                    format!("{kind} {local} {arrow} {peer}, {verb}")
                }
                Some(Socket::Open { kind, local, peer: None, .. }) => {
                    format!("{kind} {local}, {verb}")
                }
                Some(Socket::Unix { path, is_listener }) => {
                    let verb = if *is_listener { "accept" } else { verb };
                    let local = match &**path {
                        "" => format!("socket {descriptor} [{inode}]"),
                        path => path.to_owned(),
                    };
                    let peer = self.unix_peer(inode).map(|peer| format!(" {arrow} {peer}"));
                    format!("unix {local}{}, {verb}", peer.unwrap_or_default())
                }
                None => format!("socket {descriptor} [{inode}], {verb}"),
            };
        }
        if let Some((few, n)) = self.watched.get(&descriptor) {
            return format!("epoll {descriptor}, {}", self.of_several(few, *n));
        }
        match link.split_once(':') {
            Some(("pipe", inode)) => {
                let ends = self.open.get(link).into_iter().flatten().copied();
                // The end is another one if it is open for the other direction.
                let other = ends.filter(|end| {
                    *end != descriptor && self.writes_to(*end) != self.writes_to(descriptor)
                });
                let other = called(other).map(|other| format!(" {arrow} {other}"));
                format!("pipe {descriptor} {inode}{}, {verb}", other.unwrap_or_default())
            }
            Some(("anon_inode", what)) => {
                format!("{} {descriptor}, {verb}", what.trim_matches(['[', ']']))
            }
            _ if link.is_empty() => format!("descriptor {descriptor}, {verb}"),
            _ => format!("{link}, {verb}"),
        }
    }

    /// Who has the other end of a Unix socket: a descriptor of the process, a path, or else its number.
    fn unix_peer(&self, inode: u64) -> Option<String> {
        let peer = self.peers.get(&inode)?;
        let here = self.open.get(&format!("{SOCKET}[{peer}]")).into_iter().flatten();
        if let Some(here) = called(here.copied()) {
            return Some(here);
        }
        match self.sockets.get(peer) {
            Some(Socket::Unix { path, .. }) if !path.is_empty() => Some(path.clone()),
            _ => Some(format!("[{peer}]")),
        }
    }

    /// Whether a descriptor is open for writing alone.
    fn writes_to(&self, descriptor: u32) -> bool {
        let info = self.process.text(&format!("fdinfo/{descriptor}")).unwrap_or_default();
        let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
        flags.is_some_and(|flags| flags.trim().ends_with('1'))
    }
}

const EVENT_LOOP: &str = "anon_inode:[eventpoll]";
const PIPE: &str = "pipe:";
const SOCKET: &str = "socket:";

/// Descriptors of the process that have an end, in words.
fn called(descriptors: impl Iterator<Item = u32>) -> Option<String> {
    let mut all: Vec<_> = descriptors.collect();
    all.sort_unstable();
    match all.len() {
        0 => None,
        1 => Some(format!("descriptor {}", all[0])),
        n => Some(format!("descriptor {} and {} more", all[0], n - 1)),
    }
}

/// All sockets and pipes that a process has open, by what the kernel calls them.
fn open<P: Procfs + ?Sized>(process: &P) -> HashMap<String, Vec<u32>> {
    let mut open: HashMap<_, Vec<_>> = HashMap::default();
    for descriptor in process.numbers("fd") {
        let link = process.link(&format!("fd/{descriptor}"));
        if let Some(link) = link.filter(|it| it.starts_with(PIPE) || it.starts_with(SOCKET)) {
            open.entry(link).or_default().push(descriptor);
        }
    }
    open
}

/// What an event loop watches: a few of it, and how many there are.
fn watched<P: Procfs + ?Sized>(process: &P, descriptor: u32) -> (Vec<Wanted>, usize) {
    let info = process.text(&format!("fdinfo/{descriptor}")).unwrap_or_default();
    let lines = info.lines().filter_map(|line| line.strip_prefix("tfd:"));
    let of = |line: &str| {
        let mut words = line.split_whitespace();
        let descriptor = words.next()?.parse().ok()?;
        let events = u32::from_str_radix(words.nth(1)?, 16).ok()?;
        // As `poll` has them.
        let (reads, writes) = (events & 1 != 0, events & 4 != 0);
        Some(Wanted { descriptor, reads, writes })
    };
    (lines.clone().take(FEW).filter_map(of).collect(), lines.count())
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
    /// Of a listener.
    const ACCEPTS: u32 = 1 << 16;
    // An address, how often it is referred to, its protocol, what it is, its type, its state, its number; and a path,
    // in which there may be blanks.
    let mut rest = line;
    let mut next = || {
        let (field, behind) = rest.trim_start().split_once(' ').unwrap_or((rest.trim_start(), ""));
        rest = behind;
        field
    };
    let [_, _, _, flags, _, _, inode] = [(); 7].map(|()| next());
    let is_listener = u32::from_str_radix(flags, 16).ok()? & ACCEPTS != 0;
    Some((inode.parse().ok()?, Socket::Unix { path: rest.to_owned(), is_listener }))
}

/// A line of a table of internet sockets.
fn internet(line: &str, kind: &'static str) -> Option<(u64, Socket)> {
    /// The state of a listener, and of one that has asked for a connection.
    const LISTEN: &str = "0A";
    const CONNECTING: &str = "02";
    let mut fields = line.split_whitespace();
    let local = address(fields.nth(1)?)?;
    let peer = address(fields.next()?)?;
    let state = fields.next()?;
    let inode = fields.nth(5)?.parse().ok()?;
    let socket = if kind == "TCP" && state == LISTEN {
        Socket::Listener(kind, local)
    } else {
        let peer = (peer.port() != 0).then_some(peer);
        Socket::Open { kind, local, peer, is_connecting: kind == "TCP" && state == CONNECTING }
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
    fn a_unix_listener_is_told_from_other_sockets() {
        let listens = |line: &str| match local(line) {
            Some((inode, Socket::Unix { path, is_listener })) => Some((inode, path, is_listener)),
            _ => None,
        };
        let line = "0000000000000000: 00000002 00000000 00010000 0001 01 4711 /run/a b";
        assert_eq!(listens(line), Some((4711, "/run/a b".to_owned(), true)));
        let line = "0000000000000000: 00000003 00000000 00000000 0001 03    12";
        assert_eq!(listens(line), Some((12, String::new(), false)));
    }

    #[test]
    fn addresses_are_read_as_the_kernel_writes_them() {
        let of = |ip: &str, port| Some(SocketAddr::new(ip.parse().unwrap(), port));
        assert_eq!(address("0100007F:92BC"), of("127.0.0.1", 0x92bc));
        assert_eq!(address("00000000000000000000000001000000:0050"), of("::1", 80));
        assert_eq!(address("0000000000000000FFFF00000100007F:0050"), of("127.0.0.1", 80));
        assert_eq!(address("0100007F"), None);
    }
}

//! What a descriptor of a process is, in words: by `/proc`, in the network that the process is in.

use std::collections::HashMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use sylvan_sight::Reason;

/// The descriptors of a process, as far as somebody has asked.
#[derive(Debug)]
pub(crate) struct Files {
    pid: u32,
    sockets: Option<HashMap<u64, Socket>>,
}

#[derive(Debug)]
enum Socket {
    Listener(&'static str, SocketAddr),
    Open(&'static str, SocketAddr, Option<SocketAddr>),
    Unix(String),
}

impl Files {
    pub(crate) fn of(pid: u32) -> Self {
        Self { pid, sockets: None }
    }

    /// What somebody waits for at this descriptor.
    pub(crate) fn words(&mut self, descriptor: u32, reason: Option<Reason>) -> String {
        let reads = reason != Some(Reason::Write);
        let verb = if reads { "read" } else { "write" };
        let link = fs::read_link(format!("/proc/{}/fd/{descriptor}", self.pid));
        let link = link.map(|link| link.to_string_lossy().into_owned()).unwrap_or_default();
        if link.contains("pidfd") {
            let info = fs::read_to_string(format!("/proc/{}/fdinfo/{descriptor}", self.pid));
            let info = info.unwrap_or_default();
            let pid = info.lines().find_map(|line| line.strip_prefix("Pid:"));
            return format!("child {}", pid.map_or("", str::trim));
        }
        let inode = link.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
        if let Some(inode) = inode.and_then(|inode| inode.parse().ok()) {
            let pid = self.pid;
            let sockets = self.sockets.get_or_insert_with(|| sockets(pid));
            return match sockets.get(&inode) {
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

/// The sockets of the network that a process is in, by their inodes.
fn sockets(pid: u32) -> HashMap<u64, Socket> {
    let table = |name: &str| fs::read_to_string(format!("/proc/{pid}/net/{name}"));
    let mut found = HashMap::new();
    for (name, kind) in [("tcp", "TCP"), ("tcp6", "TCP"), ("udp", "UDP"), ("udp6", "UDP")] {
        let lines = table(name).unwrap_or_default();
        found.extend(lines.lines().skip(1).filter_map(|line| internet(line, kind)));
    }
    let lines = table("unix").unwrap_or_default();
    found.extend(lines.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_whitespace();
        let inode = fields.nth(6)?.parse().ok()?;
        Some((inode, Socket::Unix(fields.next().unwrap_or_default().to_owned())))
    }));
    found
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

//! Which Unix sockets are each other's ends (`sylvan_sight::sock_diag`).

use std::fs::{self, File};

use rustix::net::netlink::SOCK_DIAG;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use sylvan_sight::hash::HashMap;
use sylvan_sight::sock_diag;

/// The other end of each, by the numbers of both, in the network that a process is in; `None` where that is not ours.
pub(super) fn of(pid: u32) -> Option<HashMap<u64, u64>> {
    let network = |of: &str| fs::read_link(format!("/proc/{of}/ns/net")).ok();
    if network(&pid.to_string())? != network("self")? {
        return None;
    }
    let (family, kind) = (AddressFamily::NETLINK, SocketType::RAW);
    let socket = socket_with(family, kind, SocketFlags::CLOEXEC, Some(SOCK_DIAG)).ok()?;
    let mut peers = HashMap::default();
    sock_diag::ask(File::from(socket), &mut peers).ok()?;
    Some(peers)
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn the_ends_of_a_pair_are_each_others() {
        let (one, other) = UnixStream::pair().unwrap();
        let inode = |socket: &UnixStream| {
            let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap();
            let link = link.to_str().unwrap().to_owned();
            link.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().unwrap()
        };
        let peers = of(std::process::id()).expect("this network");
        let (one, other) = (inode(&one), inode(&other));
        assert_eq!((peers.get(&one), peers.get(&other)), (Some(&other), Some(&one)));
    }
}

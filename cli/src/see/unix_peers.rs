//! Which Unix sockets are each other's ends (`sylvan_sight::sock_diag`).

use std::fs;

use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with,
};
use sylvan_sight::hash::HashMap;
use sylvan_sight::sock_diag::{LEN, request, take};

/// The other end of each, by the numbers of both, in the network that a process is in; `None` where that is not ours.
pub(super) fn of(pid: u32) -> Option<HashMap<u64, u64>> {
    let network = |of: &str| fs::read_link(format!("/proc/{of}/ns/net")).ok();
    if network(&pid.to_string())? != network("self")? {
        return None;
    }
    let flags = SocketFlags::CLOEXEC;
    let socket =
        socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(SOCK_DIAG)).ok()?;
    let to_kernel = SocketAddrNetlink::new(0, 0);
    sendto(&socket, &request(), SendFlags::empty(), &to_kernel).ok()?;
    let mut peers = HashMap::default();
    let mut answer = vec![0; LEN];
    loop {
        let (n, _) = recv(&socket, &mut answer[..], RecvFlags::empty()).ok()?;
        if n == 0 || !take(answer.get(..n)?, &mut peers) {
            return Some(peers);
        }
    }
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

//! What the mirror of `std::net` has beyond std, from ordinary threads and from green ones.

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use std_shim::net::{TcpListener, TcpStream, UdpSocket};
use std_shim::os::unix::net::{UnixDatagram, UnixListener, UnixStream};

macro_rules! on_both_kinds_of_thread {
    ($(fn $name:ident() $body:block)*) => {
        mod on_os_threads {
            use super::*;
            $(#[test] fn $name() { tests::within_bounds(stringify!($name), || $body) })*
        }
        mod on_green_threads {
            use super::*;
            $(#[test] fn $name() { tests::green(stringify!($name), || $body) })*
        }
    };
}

on_both_kinds_of_thread! {
    fn a_stream_of_std_comes_in_and_goes_out() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let near = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut far = listener.accept().unwrap().0;
        let fd = near.as_raw_fd();
        let mut near = TcpStream::from(near);
        far.write_all(b"ab").unwrap();
        let mut byte = [0; 1];
        near.read_exact(&mut byte).unwrap();
        let mut near = std::net::TcpStream::from(near);
        assert_eq!(near.as_raw_fd(), fd);
        near.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"b");
    }

    fn a_listener_of_std_comes_in_and_goes_out() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let clients = [(); 2].map(|()| TcpStream::connect(addr).unwrap().local_addr().unwrap());
        let listener = TcpListener::from(listener);
        assert_eq!(listener.accept().unwrap().1, clients[0]);
        let listener = std::net::TcpListener::from(listener);
        assert_eq!(listener.accept().unwrap().1, clients[1]);
    }

    fn sockets_of_std_come_in_and_go_out() {
        let socket = UdpSocket::from(std::net::UdpSocket::bind("127.0.0.1:0").unwrap());
        let addr = socket.local_addr().unwrap();
        socket.send_to(b"x", addr).unwrap();
        assert_eq!(socket.recv_from(&mut [0; 8]).unwrap(), (1, addr));
        let socket = std::net::UdpSocket::from(socket);
        assert_eq!(socket.local_addr().unwrap(), addr);

        let (near, far) = std::os::unix::net::UnixStream::pair().unwrap();
        UnixStream::from(near).write_all(b"x").unwrap();
        let mut far = std::os::unix::net::UnixStream::from(UnixStream::from(far));
        assert_eq!(far.read(&mut [0; 8]).unwrap(), 1);

        let (near, far) = std::os::unix::net::UnixDatagram::pair().unwrap();
        UnixDatagram::from(near).send(b"x").unwrap();
        let far = std::os::unix::net::UnixDatagram::from(UnixDatagram::from(far));
        assert_eq!(far.recv(&mut [0; 8]).unwrap(), 1);

        let path = std::env::temp_dir().join(format!("test-{:?}.sock", Instant::now()));
        let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let listener = UnixListener::from(listener);
        let _client = UnixStream::connect(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        listener.accept().unwrap();
        let listener = std::os::unix::net::UnixListener::from(listener);
        assert_eq!(listener.local_addr().unwrap().as_pathname(), Some(&*path));
    }

    // std's queue of 128 loses the handshakes of the rest, each of which tries again after 1 s.
    fn hundreds_of_clients_connect_though_nobody_accepts() {
        let limit = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap_or_default();
        if limit.trim().parse::<u32>().is_ok_and(|limit| limit < 400) {
            return println!("skipped: net.core.somaxconn is {limit}");
        }
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let connect = |_| {
            let start = Instant::now();
            let client = TcpStream::connect(addr).unwrap();
            assert!(start.elapsed() < Duration::from_millis(900));
            client
        };
        let clients: Vec<_> = (0..400).map(connect).collect();
        for client in clients {
            assert_eq!(listener.accept().unwrap().1, client.local_addr().unwrap());
        }
    }
}

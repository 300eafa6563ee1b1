//! stunnel, a thread for each connection, before an echo server of the test's own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Command, Stdio};
use std::thread;

use programs::{client, on_each, servers};
use rustix::process::Signal;

/// An echo server, for as long as the test lasts.
fn echo_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || {
                let (mut from, mut to) = (&stream, &stream);
                let mut buffer = [0; 4096];
                while let Ok(n @ 1..) = from.read(&mut buffer) {
                    if to.write_all(&buffer[..n]).is_err() {
                        break;
                    }
                }
            });
        }
    });
    address
}

#[test]
fn clients_speak_tls_to_an_echo_server() {
    let behind = echo_server();
    on_each(&["stunnel4", "openssl"], |threads| {
        let program = servers::stunnel(threads, behind);
        client::crowd(20, |i| {
            let mut tls = Command::new("openssl")
                .args(["s_client", "-quiet", "-connect", &program.address.to_string()])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()?;
            let mut to = tls.stdin.take().expect("it is piped");
            let mut from = BufReader::new(tls.stdout.take().expect("it is piped"));
            for round in 0..10 {
                let message = format!("{round} of {i}\n");
                to.write_all(message.as_bytes())?;
                let mut answer = String::new();
                from.read_line(&mut answer)?;
                assert_eq!(answer, message);
            }
            tls.kill()?;
            tls.wait().map(drop)
        });
        let status = program.stopped_by(Signal::TERM);
        assert!(status.success(), "{threads:?}: {status}");
    });
}

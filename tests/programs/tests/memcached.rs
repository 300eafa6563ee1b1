//! memcached: few threads, an event loop each, which are green threads that wait in `epoll_wait`.

use std::io::Write;

use programs::{client, on_each, servers};
use rustix::process::Signal;

#[test]
fn a_hundred_clients_store_and_fetch() {
    on_each(&["memcached"], |threads| {
        let program = servers::memcached(threads);
        client::crowd(100, |i| {
            let mut stream = client::connect(program.address)?;
            for n in 0..20 {
                let value = format!("value {n} of {i}");
                write!(stream, "set k{i} 0 0 {}\r\n{value}\r\n", value.len())?;
                client::expect(&mut stream, b"STORED\r\n")?;
                write!(stream, "get k{i}\r\n")?;
                let answer = format!("VALUE k{i} 0 {}\r\n{value}\r\nEND\r\n", value.len());
                client::expect(&mut stream, answer.as_bytes())?;
            }
            Ok(())
        });
        let status = program.stopped_by(Signal::TERM);
        assert!(status.success(), "{threads:?}: {status}");
    });
}

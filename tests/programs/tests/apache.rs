//! Apache's worker: threads in processes. Start, load, a graceful stop.

use std::process::Command;

use programs::{client, on_each, servers};
use rustix::process::Signal;

#[test]
fn it_serves_a_load_and_stops_gracefully() {
    on_each(&["ab"], |threads| {
        let mut program = servers::apache(threads, 100);
        let url = format!("http://{}/hello", program.address);
        let ab = Command::new("ab").args(["-q", "-k", "-n", "20000", "-c", "50", &url]).output();
        let ab = ab.expect("ab runs");
        let said = String::from_utf8_lossy(&ab.stdout);
        assert!(ab.status.success(), "{said}{}", String::from_utf8_lossy(&ab.stderr));
        for line in ["Complete requests:      20000", "Failed requests:        0"] {
            assert!(said.contains(line), "{said}");
        }
        client::crowd(50, |_| {
            let answer = client::get(program.address, "/hello")?;
            assert!(answer.ends_with("Hello, World!"), "{answer}");
            Ok(())
        });
        // What `apachectl graceful-stop` sends.
        program.signal(Signal::WINCH);
        let status = program.ended();
        assert!(status.success(), "{threads:?}: {status}");
    });
}

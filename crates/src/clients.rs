//! Scenes of clients that are alike, whichever crate it is that asks.

use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::server::{Server, is_missing, page};
use crate::{Watch, crowd};

const CLIENTS: usize = 100;
/// How many pages each of them gets.
const PAGES: usize = 5;

/// A hundred threads at once each get pages from Apache, by `get`, which is given an address and
/// returns the body.
///
/// # Panics
///
/// If one of them gets another page, or there are too many OS threads meanwhile.
pub fn a_hundred_get_their_pages(what: &str, get: impl Fn(&str) -> String + Send + Sync + 'static) {
    let Some(server) = Server::apache(CLIENTS + PAGES) else { return };
    let address = server.address;
    let watch = Watch::begin();
    crowd(CLIENTS, move |i| {
        for number in i..i + PAGES {
            assert_eq!(get(&format!("http://{address}/{number}")), page(number));
        }
    });
    watch.at_most(CLIENTS / 2, what);
}

/// A server that never answers: `get`, which is given its address and has a hundred milliseconds, says
/// whether it came to a timeout.
///
/// # Panics
///
/// If it did not, or not in time.
pub fn silence_is_a_timeout(get: impl FnOnce(&str, Duration) -> bool) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("an address");
    let timeout = Duration::from_millis(100);
    let begin = Instant::now();
    assert!(get(&format!("http://{address}/"), timeout), "another end than a timeout");
    assert!(begin.elapsed() >= timeout, "{:?}", begin.elapsed());
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

/// `ab` asks a server 2000 times, 200 at a time.
///
/// # Panics
///
/// If not all requests are answered well, or there are too many OS threads meanwhile.
pub fn ab_is_answered(address: SocketAddr, what: &str) {
    const AT_A_TIME: usize = 200;
    if is_missing("ab") {
        return;
    }
    let watch = Watch::begin();
    let ab = Command::new("ab")
        .args(["-q", "-r", "-s", "60", "-n", "2000", "-c", &AT_A_TIME.to_string()])
        .arg(format!("http://{address}/"))
        .output()
        .expect("ab runs");
    watch.at_most(AT_A_TIME / 2, what);
    let said = String::from_utf8(ab.stdout).expect("it is plain");
    let count = |what: &str| {
        let (_, rest) = said.split_once(what).unwrap_or_else(|| panic!("no {what} in\n{said}"));
        rest.split_whitespace().next().and_then(|n| n.parse::<u32>().ok()).expect("a number")
    };
    assert_eq!((count("Complete requests:"), count("Failed requests:")), (2000, 0), "{said}");
    assert!(!said.contains("Non-2xx responses"), "{said}");
}

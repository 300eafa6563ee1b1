//! `minreq`, a client, with Apache.

use crates::clients::{a_hundred_get_their_pages, silence_is_a_timeout};
use crates::green;

#[test]
fn a_hundred_clients_at_once_each_get_their_pages() {
    green(|| {
        a_hundred_get_their_pages("a hundred clients of minreq's", |address| {
            minreq::get(address).send().unwrap().as_str().unwrap().to_owned()
        });
    });
}

#[test]
fn a_server_that_says_nothing_is_a_timeout() {
    green(|| {
        silence_is_a_timeout(|address, timeout| {
            // It knows whole seconds.
            let seconds = timeout.as_secs() + 1;
            let error = minreq::get(address).with_timeout(seconds).send().unwrap_err();
            matches!(error, minreq::Error::IoError(error)
                if error.kind() == std::io::ErrorKind::TimedOut)
        });
    });
}

//! `attohttpc`, a client, with Apache.

use crates::clients::{a_hundred_get_their_pages, silence_is_a_timeout};
use crates::green;

#[test]
fn a_hundred_clients_at_once_each_get_their_pages() {
    green(|| {
        a_hundred_get_their_pages("a hundred clients of attohttpc's", |address| {
            attohttpc::get(address).send().unwrap().text().unwrap()
        });
    });
}

#[test]
fn a_server_that_says_nothing_is_a_timeout() {
    green(|| {
        silence_is_a_timeout(|address, timeout| {
            let error = attohttpc::get(address).read_timeout(timeout).send().unwrap_err();
            // What std says of a read that takes too long.
            matches!(error.kind(), attohttpc::ErrorKind::Io(error)
                if error.kind() == std::io::ErrorKind::WouldBlock)
        });
    });
}

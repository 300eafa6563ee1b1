//! `reqwest::blocking`, a client, which runs tokio on a thread of its own, with Apache.

use crates::clients::{a_hundred_get_their_pages, silence_is_a_timeout};
use crates::{are_thread_locals_shared, green};
use reqwest::blocking::Client;

const WHY: &str = "tokio keeps in a thread-local which runtime it is in";

#[test]
fn a_hundred_threads_at_once_each_get_their_pages_by_one_client() {
    green(|| {
        if are_thread_locals_shared(WHY) {
            return;
        }
        let client = Client::new();
        a_hundred_get_their_pages(
            "a hundred threads with one client of reqwest's",
            move |address| client.get(address).send().unwrap().text().unwrap(),
        );
    });
}

#[test]
fn a_server_that_says_nothing_is_a_timeout() {
    green(|| {
        if are_thread_locals_shared(WHY) {
            return;
        }
        silence_is_a_timeout(|address, timeout| {
            let client = Client::builder().timeout(timeout).build().unwrap();
            client.get(address).send().unwrap_err().is_timeout()
        });
    });
}

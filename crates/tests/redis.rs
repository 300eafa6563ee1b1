//! `redis`, with a `redis-server`: over TCP and over a Unix socket.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crates::server::Server;
use crates::{Watch, crowd, green};
use redis::{Client, Commands};

const CLIENTS: usize = 100;

/// A hundred connections, each counting up one number and keeping one of its own.
fn count_up(client: Client, how: &str) {
    let client = Arc::new(client);
    let watch = Watch::begin();
    let counting = Arc::clone(&client);
    crowd(CLIENTS, move |i| {
        let mut connection = counting.get_connection().unwrap();
        let key = format!("of client {i}");
        for n in 1..=10 {
            let _: i64 = connection.incr("count", 1).unwrap();
            let own: i64 = connection.incr(&key, i).unwrap();
            assert_eq!(own, n * i as i64);
        }
    });
    watch.at_most(CLIENTS / 2, how);
    let count: i64 = client.get_connection().unwrap().get("count").unwrap();
    assert_eq!(count, 10 * CLIENTS as i64);
}

#[test]
fn a_hundred_connections_count_over_tcp() {
    green(|| {
        let Some(server) = Server::redis() else { return };
        let client = Client::open(format!("redis://{}/", server.address)).unwrap();
        count_up(client, "a hundred of redis's connections, TCP");
    });
}

#[test]
fn a_hundred_connections_count_over_a_unix_socket() {
    green(|| {
        let Some(server) = Server::redis() else { return };
        let client = Client::open(format!("unix://{}", server.socket().display())).unwrap();
        count_up(client, "a hundred of redis's connections, Unix socket");
    });
}

#[test]
fn those_who_wait_for_a_list_get_what_is_pushed() {
    green(|| {
        let Some(server) = Server::redis() else { return };
        let client = Client::open(format!("redis://{}/", server.address)).unwrap();
        let waiting = client.clone();
        let waiters = thread::spawn(move || {
            crowd(CLIENTS, move |_| {
                let mut connection = waiting.get_connection().unwrap();
                let (_, n): (String, usize) = connection.blpop("list", 30.0).unwrap();
                n
            })
        });
        let mut connection = client.get_connection().unwrap();
        for n in 0..CLIENTS {
            let _: usize = connection.rpush("list", n).unwrap();
        }
        let mut got = waiters.join().unwrap();
        got.sort_unstable();
        assert_eq!(got, (0..CLIENTS).collect::<Vec<_>>());
    });
}

#[test]
fn a_subscriber_hears_and_a_read_has_its_timeout() {
    green(|| {
        let Some(server) = Server::redis() else { return };
        let client = Client::open(format!("redis://{}/", server.address)).unwrap();
        let mut connection = client.get_connection().unwrap();
        let mut subscriber = connection.as_pubsub();
        subscriber.subscribe("news").unwrap();
        subscriber.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        assert!(subscriber.get_message().unwrap_err().is_timeout());
        subscriber.set_read_timeout(None).unwrap();

        let publisher = thread::spawn(move || {
            let mut connection = client.get_connection().unwrap();
            connection.publish::<_, _, i64>("news", "today").unwrap()
        });
        assert_eq!(subscriber.get_message().unwrap().get_payload::<String>().unwrap(), "today");
        assert_eq!(publisher.join().unwrap(), 1);
    });
}

//! `postgres`, which has a tokio in each connection, with a PostgreSQL server.

use std::thread;
use std::time::Duration;

use crates::server::Server;
use crates::{Watch, are_thread_locals_shared, crowd, green};
use postgres::error::SqlState;
use postgres::fallible_iterator::FallibleIterator;
use postgres::{Client, NoTls};

const WHY: &str = "tokio keeps in a thread-local which runtime it is in";

const CLIENTS: usize = 50;

/// A connection a thread; each adds rows in transactions, and all see the sum.
fn fill_a_table(parameters: String, how: &str) {
    let mut client = Client::connect(&parameters, NoTls).unwrap();
    client.batch_execute("CREATE TABLE numbers (client INT, n INT)").unwrap();
    let watch = Watch::begin();
    crowd(CLIENTS, move |i| {
        let i = i as i32;
        let mut client = Client::connect(&parameters, NoTls).unwrap();
        for n in 0..5_i32 {
            let mut transaction = client.transaction().unwrap();
            transaction.execute("INSERT INTO numbers VALUES ($1, $2)", &[&i, &n]).unwrap();
            transaction.commit().unwrap();
        }
        // What is not committed is not there.
        let mut transaction = client.transaction().unwrap();
        transaction.execute("INSERT INTO numbers VALUES ($1, 5)", &[&i]).unwrap();
        drop(transaction);
        let rows =
            client.query("SELECT n FROM numbers WHERE client = $1 ORDER BY n", &[&i]).unwrap();
        let own: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(own, [0, 1, 2, 3, 4]);
    });
    watch.at_most(2 * CLIENTS, how);
    let count: i64 = client.query_one("SELECT COUNT(*) FROM numbers", &[]).unwrap().get(0);
    assert_eq!(count, 5 * CLIENTS as i64);
}

fn over_tcp(server: &Server) -> String {
    format!("host=127.0.0.1 port={} user=postgres", server.address.port())
}

#[test]
fn fifty_connections_fill_a_table_over_tcp() {
    green(|| {
        if are_thread_locals_shared(WHY) {
            return;
        }
        let Some(server) = Server::postgresql() else { return };
        fill_a_table(over_tcp(&server), "fifty of postgres's connections, TCP");
    });
}

#[test]
fn fifty_connections_fill_a_table_over_a_unix_socket() {
    green(|| {
        if are_thread_locals_shared(WHY) {
            return;
        }
        let Some(server) = Server::postgresql() else { return };
        let (folder, port) = (server.folder().display(), server.address.port());
        let parameters = format!("host={folder} port={port} user=postgres");
        fill_a_table(parameters, "fifty of postgres's connections, Unix socket");
    });
}

#[test]
fn who_listens_is_notified_and_an_error_is_the_servers() {
    green(|| {
        if are_thread_locals_shared(WHY) {
            return;
        }
        let Some(server) = Server::postgresql() else { return };
        let parameters = over_tcp(&server);
        let mut listener = Client::connect(&parameters, NoTls).unwrap();
        listener.batch_execute("LISTEN news").unwrap();
        let notifier = thread::spawn(move || {
            let mut client = Client::connect(&parameters, NoTls).unwrap();
            client.batch_execute("NOTIFY news, 'today'").unwrap();
            let error = client.query("SELECT 1 / 0", &[]).unwrap_err();
            assert_eq!(error.code(), Some(&SqlState::DIVISION_BY_ZERO));
        });
        let mut notifications = listener.notifications();
        let heard = notifications.timeout_iter(Duration::from_secs(20)).next().unwrap().unwrap();
        assert_eq!((heard.channel(), heard.payload()), ("news", "today"));
        notifier.join().unwrap();
    });
}

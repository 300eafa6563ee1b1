//! `mysql`, with a MariaDB server: over TCP and over a Unix socket.

use crates::server::Server;
use crates::{Watch, crowd, green};
use mysql::prelude::Queryable;
use mysql::{Conn, OptsBuilder, TxOpts};

const CLIENTS: usize = 50;

/// A connection a thread; each adds rows in transactions, and all see the sum.
fn fill_a_table(options: OptsBuilder, how: &str) {
    let mut connection = Conn::new(options.clone()).unwrap();
    connection.query_drop("CREATE DATABASE test").unwrap();
    connection.query_drop("CREATE TABLE test.numbers (client INT, n INT) ENGINE=InnoDB").unwrap();
    let watch = Watch::begin();
    crowd(CLIENTS, move |i| {
        let mut connection = Conn::new(options.clone()).unwrap();
        for n in 0..5 {
            let mut transaction = connection.start_transaction(TxOpts::default()).unwrap();
            transaction.exec_drop("INSERT INTO test.numbers VALUES (?, ?)", (i, n)).unwrap();
            transaction.commit().unwrap();
        }
        let own: Vec<i32> = connection
            .exec("SELECT n FROM test.numbers WHERE client = ? ORDER BY n", (i,))
            .unwrap();
        assert_eq!(own, [0, 1, 2, 3, 4]);
    });
    watch.at_most(CLIENTS, how);
    let sum: Option<usize> = connection.query_first("SELECT COUNT(*) FROM test.numbers").unwrap();
    assert_eq!(sum, Some(5 * CLIENTS));
}

#[test]
fn fifty_connections_fill_a_table_over_tcp() {
    green(|| {
        let Some(server) = Server::mariadb() else { return };
        let options = OptsBuilder::new()
            .user(Some("root"))
            .ip_or_hostname(Some("127.0.0.1"))
            .tcp_port(server.address.port())
            .prefer_socket(false);
        fill_a_table(options, "fifty of mysql's connections, TCP");
    });
}

#[test]
fn fifty_connections_fill_a_table_over_a_unix_socket() {
    green(|| {
        let Some(server) = Server::mariadb() else { return };
        let socket = server.socket().into_os_string().into_string().unwrap();
        let options = OptsBuilder::new().user(Some("root")).socket(Some(socket));
        fill_a_table(options, "fifty of mysql's connections, Unix socket");
    });
}

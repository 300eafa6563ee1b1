//! MariaDB, a thread for each connection: queries, lock waits, `KILL`, shutdown.

use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use programs::servers::{self, sql};
use programs::{Program, Threads, client, on_each};
use rustix::process::Signal;

/// Starts a server with a table that has a row.
fn server(threads: Threads) -> Program {
    let program = servers::mariadb(threads);
    answer(
        &program,
        "CREATE TABLE d.t (id INT PRIMARY KEY, n INT) ENGINE=InnoDB; INSERT INTO d.t VALUES (1, 0)",
    );
    program
}

fn answer(program: &Program, statement: &str) -> String {
    let Output { status, stdout, stderr } = sql(program, statement);
    assert!(status.success(), "{statement}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("plain text")
}

/// What the client says of an error.
fn error(output: Output) -> String {
    assert!(!output.status.success(), "{output:?}");
    String::from_utf8(output.stderr).expect("plain text")
}

#[test]
fn queries_locks_kills_and_a_shutdown() {
    on_each(&["mariadb", "mariadb-install-db"], |threads| {
        let program = server(threads);

        // Many at once, on one row.
        client::crowd(20, |_| {
            for _ in 0..3 {
                answer(&program, "UPDATE d.t SET n = n + 1 WHERE id = 1");
            }
            Ok(())
        });
        assert_eq!(answer(&program, "SELECT n FROM d.t"), "60\n");

        thread::scope(|scope| {
            // One has the row for two seconds; another waits for it, and gives up after one.
            let owner = scope.spawn(|| {
                answer(&program, "BEGIN; UPDATE d.t SET n = 0 WHERE id = 1; DO SLEEP(2.5); COMMIT")
            });
            until_listed(&program, "SLEEP(2.5)");
            let begin = Instant::now();
            let gave_up = error(sql(&program, "UPDATE d.t SET n = 5 WHERE id = 1"));
            assert!(gave_up.contains("ERROR 1205"), "{gave_up}");
            assert!(begin.elapsed() > Duration::from_millis(900), "{:?}", begin.elapsed());
            // Another has the patience that it takes.
            answer(
                &program,
                "SET innodb_lock_wait_timeout = 20; UPDATE d.t SET n = n + 7 WHERE id = 1",
            );
            owner.join().expect("the owner");
            assert_eq!(answer(&program, "SELECT n FROM d.t"), "7\n");

            // A query that sleeps is killed, then a whole connection.
            for kill in ["KILL QUERY", "KILL"] {
                let begin = Instant::now();
                let sleeper = scope.spawn(|| sql(&program, "SELECT SLEEP(50)"));
                let id = until_listed(&program, "SLEEP(50)");
                answer(&program, &format!("{kill} {id}"));
                let said = error(sleeper.join().expect("the client"));
                assert!(begin.elapsed() < Duration::from_secs(30), "{kill}: {:?}", begin.elapsed());
                assert_eq!(said.contains("ERROR 1317"), kill == "KILL QUERY", "{said}");
            }
            // A connection that waits for a lock is killed.
            let owner = scope.spawn(|| sql(&program, "BEGIN; UPDATE d.t SET n = 0; DO SLEEP(51)"));
            let owners = until_listed(&program, "SLEEP(51)");
            let waiter = scope.spawn(|| {
                sql(&program, "SET innodb_lock_wait_timeout = 50; DELETE FROM d.t WHERE id = 1")
            });
            let waiters = until_listed(&program, "DELETE FROM d.t WHERE id");
            let begin = Instant::now();
            answer(&program, &format!("KILL {waiters}"));
            error(waiter.join().expect("the client"));
            assert!(begin.elapsed() < Duration::from_secs(30), "{:?}", begin.elapsed());
            answer(&program, &format!("KILL {owners}"));
            error(owner.join().expect("the client"));
            assert_eq!(answer(&program, "SELECT n FROM d.t"), "7\n");
        });

        // A shutdown beside connections that do nothing.
        let idle: Vec<_> =
            (0..50).map(|_| client::connect(program.address).expect("it connects")).collect();
        let status = program.stopped_by(Signal::TERM);
        assert!(status.success(), "{threads:?}: {status}");
        drop(idle);
    });
}

/// Waits until a query runs; returns its connection's number.
fn until_listed(program: &Program, text: &str) -> String {
    let statement = format!(
        "SELECT id FROM information_schema.processlist \
         WHERE info LIKE '%{text}%' AND id <> connection_id()"
    );
    for _ in 0..500 {
        let ids = answer(program, &statement);
        if let Some(id) = ids.lines().next() {
            return id.to_owned();
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("no query has `{text}`\n{}", answer(program, "SHOW FULL PROCESSLIST"));
}

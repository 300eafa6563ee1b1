//! SQLite, which is C and compiled into the program.

use std::thread;
use std::time::Duration;

use rusqlite::Connection;

use crate::say_os_threads;

/// Fewer than elsewhere: who finds the database busy sleeps, and for longer each time.
const THREADS: usize = 30;

pub(crate) fn run() {
    let folder = std::env::temp_dir().join(format!("linked-program.{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = folder.join("database");
    let open = |file: &std::path::Path| {
        let database = Connection::open(file).expect("a database");
        database.busy_timeout(Duration::from_secs(60)).expect("a timeout");
        database
    };
    let first = open(&file);
    first.execute_batch("CREATE TABLE t (n INTEGER); BEGIN IMMEDIATE").expect("a table");
    // All of them wait for the lock that the transaction has.
    let threads: Vec<_> = (0..THREADS)
        .map(|number| {
            let file = file.clone();
            thread::spawn(move || {
                open(&file).execute("INSERT INTO t VALUES (?1)", [number as i64]).expect("a row")
            })
        })
        .collect();
    thread::sleep(Duration::from_millis(200));
    say_os_threads();
    first.execute_batch("COMMIT").expect("the end of the transaction");
    let rows: usize = threads.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    let sum: i64 = first.query_row("SELECT sum(n) FROM t", [], |row| row.get(0)).expect("a sum");
    std::fs::remove_dir_all(&folder).expect("the folder goes");
    println!("{rows} {sum}");
}

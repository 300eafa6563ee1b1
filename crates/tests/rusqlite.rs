//! `rusqlite`, with the system's SQLite, which is C: what waits there waits in its OS thread, unless
//! it is told to wait by a function of the program's.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crates::server::Folder;
use crates::{Watch, crowd, green};
use rusqlite::Connection;

const CLIENTS: usize = 30;

/// Waits for a database that is busy, as a green thread; for half a minute at most.
fn wait(times: i32) -> bool {
    thread::sleep(Duration::from_millis(5));
    times < 6000
}

/// A database with a table of numbers.
fn new_database(folder: &Folder) -> PathBuf {
    let file = folder.path().join("database");
    open(&file).execute_batch("CREATE TABLE numbers (n INTEGER)").unwrap();
    file
}

fn open(file: &Path) -> Connection {
    let database = Connection::open(file).unwrap();
    database.busy_handler(Some(wait)).unwrap();
    database
}

#[test]
fn who_finds_the_database_busy_waits_as_a_green_thread_below_the_frames_of_c() {
    green(|| {
        let folder = Folder::new("sqlite");
        let file = new_database(&folder);
        let first = open(&file);
        first.execute_batch("BEGIN IMMEDIATE").unwrap();
        let watch = Watch::begin();
        let waiters = thread::spawn({
            let file = file.clone();
            move || {
                crowd(CLIENTS, move |i| {
                    open(&file).execute("INSERT INTO numbers VALUES (?1)", [i as i64]).unwrap()
                })
            }
        });
        thread::sleep(Duration::from_millis(200));
        first.execute_batch("COMMIT").unwrap();
        assert_eq!(waiters.join().unwrap(), [1; CLIENTS]);
        watch.at_most(CLIENTS, "thirty who wait for SQLite by a function of their own");
        let (count, sum): (i64, i64) = first
            .query_row("SELECT count(*), sum(n) FROM numbers", [], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })
            .unwrap();
        assert_eq!((count, sum), (CLIENTS as i64, 435));
    });
}

#[test]
fn what_c_sleeps_for_comes_to_an_end() {
    green(|| {
        let folder = Folder::new("sqlite");
        let file = new_database(&folder);
        let sums = crowd(10, move |i| {
            let mut database = Connection::open(&file).unwrap();
            database.busy_timeout(Duration::from_secs(60)).unwrap();
            let transaction =
                database.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate);
            let transaction = transaction.unwrap();
            transaction.execute("INSERT INTO numbers VALUES (?1)", [i as i64]).unwrap();
            transaction.commit().unwrap();
            database
                .query_row("SELECT sum(n) FROM numbers", [], |row| row.get::<_, i64>(0))
                .unwrap()
        });
        assert_eq!(sums.into_iter().max(), Some(45));
    });
}

//! What `sylvan ps` tells, of this process.

use std::io;
use std::path::PathBuf;

use sylvan_sight::account::Row;
use sylvan_sight::memory::{Batched, Piece};
use sylvan_sight::procfs::{Mapping, Procfs};
use sylvan_sight::table::{self, Table};
use sylvan_sight::threads::State;
use sylvan_sight::{Account, Unreadable};

use super::own::Own;
use crate::sight;
use crate::sys::thread;

/// The text of a look. One of the threads has perhaps asked for it.
pub(super) fn list(asker: Option<u64>) -> io::Result<String> {
    let table = table()?;
    let error = |error: Unreadable| io::Error::other(error.to_string());
    let mut account = Account::of(&Own, &table).map_err(error)?;
    let asks = |row: &&mut Row| Some(row.thread.id) == asker && row.thread.state == State::Blocking;
    if let Some(row) = account.rows.iter_mut().find(asks) {
        row.call = Some("this look".to_owned());
    }
    Ok(account.list(&format!("process {}", thread::process()), &object()))
}

/// The runtime's table, read as somebody else would.
pub(super) fn table() -> io::Result<Table> {
    let mut bytes = vec![0; table::LEN];
    let n = Own.read_batch(&mut [Piece { at: sight::table_at(), into: &mut bytes }])?;
    let table = Table::parse(&bytes[..n]);
    Ok(table.expect("the table is of the version that it was built with"))
}

/// The file that the runtime is in.
fn object() -> PathBuf {
    let maps = Own.text("maps").unwrap_or_default();
    let at = sight::table_at();
    let mut mappings = maps.lines().filter_map(Mapping::parse);
    mappings.find(|it| (it.start..it.end).contains(&at)).map(|it| it.file).unwrap_or_default()
}

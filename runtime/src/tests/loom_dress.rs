//! `task::dress`: the table of masks.
//!
//! Fails if an entry is written without an exchange, or if the search does not go on where another mask
//! has come first.

use std::sync::Arc;

use super::explore;
use crate::task::dress::Table;

#[test]
fn masks_have_one_number_each() {
    explore(5, || {
        let table = Arc::new(Table::new());
        let threads = [[1, 2], [2, 1], [2, 3]].map(|masks| {
            let table = Arc::clone(&table);
            loom::thread::spawn(move || {
                masks.map(|mask| {
                    let number = table.number(mask);
                    if let Some(number) = number {
                        assert_eq!(table.get(number), Some(mask));
                    }
                    (mask, number)
                })
            })
        });
        let found: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        // Two have a place, and three are asked for.
        for (mask, number) in &found {
            assert_eq!(table.number(*mask), *number);
        }
        let with_number = |mask| found.iter().any(|(of, n)| *of == mask && n.is_some());
        assert_eq!((1..=3).filter(|mask| with_number(*mask)).count(), 2);
    });
}

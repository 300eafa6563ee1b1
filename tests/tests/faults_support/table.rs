//! The document: what is in it, and whether that is what has come out.
//!
//! What a scene does depends on who is faster, so that not each run meets the same faults. So the document
//! has what was ever met, and writing it adds to it; a run compares what must not change: that
//! whatever a scene was told of is there as such, and that it names the scenes, the calls and their faults.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use super::scenes::SCENES;
use super::trial::{Outcome, Trial};
use super::{Fault, calls};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/faults.md");

/// Between these lines stands what is written here.
const BEGIN: &str = "<!-- written by `SYLVAN_FAULTS=write` -->";
const END: &str = "<!-- the end of what is written -->";

/// What came of the faults of a scene, by its name and that of the fault: the calls that were failed, and of
/// these the ones whose failure it was told of.
type Cells = BTreeMap<(String, String), Cell>;

#[derive(Default)]
struct Cell {
    met: BTreeSet<String>,
    told: BTreeSet<String>,
}

pub(crate) fn compare(all: &BTreeMap<&'static str, Vec<Trial>>, writes: bool) {
    let document = fs::read_to_string(PATH).expect("the document");
    let (before, rest) = document.split_once(BEGIN).expect("where it begins");
    let (written, after) = rest.split_once(END).expect("where it ends");
    let mut cells = read(written);
    let mut news = Vec::new();
    for trial in all.values().flatten() {
        let Some(order) = &trial.order else { continue };
        if trial.outcome == Outcome::NotMet {
            continue;
        }
        let place = (trial.scene.to_owned(), order.fault.name().to_owned());
        let cell = cells.entry(place).or_default();
        let call = order.call.name.to_owned();
        if trial.outcome == Outcome::Told && cell.told.insert(call.clone()) {
            news.push(format!("{}: {}: {}", trial.scene, order.to_text(), trial.details));
        }
        cell.met.insert(call);
    }
    let text = if writes { format!("\n{}", write(&cells)) } else { written.to_owned() };
    if writes {
        let new = format!("{before}{BEGIN}{text}{END}{after}");
        fs::write(PATH, new).expect("a document that can be written");
        return;
    }
    let again = "write it anew: SYLVAN_FAULTS=write cargo test -p tests --test faults own";
    assert!(news.is_empty(), "told, and not in the document ({again}):\n{}", news.join("\n"));
    assert!(
        written.trim() == write(&read(written)).trim(),
        "the scenes, the calls or their faults are others than those of the document; {again}"
    );
}

fn write(cells: &Cells) -> String {
    let mut text = String::from("| scene |");
    Fault::ALL.iter().for_each(|fault| _ = write!(text, " {} |", fault.name()));
    text += "\n|---|";
    Fault::ALL.iter().for_each(|_| text += "---|");
    text.push('\n');
    for scene in SCENES {
        let _ = write!(text, "| {} |", scene.name);
        for fault in Fault::ALL {
            let cell = cells.get(&(scene.name.to_owned(), fault.name().to_owned()));
            let names = cell.into_iter().flat_map(|cell| {
                cell.met.iter().map(|call| {
                    if cell.told.contains(call) { format!("**{call}**") } else { call.clone() }
                })
            });
            let names: Vec<_> = names.collect();
            let _ = write!(text, " {} |", names.join(" "));
        }
        text.push('\n');
    }
    text += "\n| scene | what it does |\n|---|---|\n";
    for scene in SCENES {
        let _ = writeln!(text, "| {} | {} |", scene.name, scene.what);
    }
    text += "\n| call | fails with |\n|---|---|\n";
    for call in calls().iter().filter(|call| !call.faults.is_empty()) {
        let faults: Vec<_> = call.faults.iter().map(|fault| fault.name()).collect();
        let _ = writeln!(text, "| {} | {} |", call.name, faults.join(", "));
    }
    text
}

/// The cells of the first table.
fn read(text: &str) -> Cells {
    let mut cells = Cells::new();
    let rows = text.trim().lines().take_while(|line| line.starts_with('|')).skip(2);
    for row in rows {
        let columns: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        for (fault, names) in Fault::ALL.iter().zip(&columns[1..]) {
            let mut cell = Cell::default();
            for name in names.split_whitespace() {
                let call = name.trim_matches('*');
                cell.met.insert(call.to_owned());
                if call != name {
                    cell.told.insert(call.to_owned());
                }
            }
            cells.insert((columns[0].to_owned(), fault.name().to_owned()), cell);
        }
    }
    cells
}

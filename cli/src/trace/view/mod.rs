//! `sylvan trace view FILE -o PAGE`: the picture of a run, as one page that needs nothing else.
//!
//! The page is `page/page.html` with its style, its scripts and the run put in (`page`). The run goes into
//! it as bytes in base64 (`picture`), for a million events make a page of some 10 MB. Its scripts make of
//! these what they show, so that all is there however far a reader zooms in.

mod picture;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sylvan_sight::file::Run;

use super::{Refusal, load, parse};

const PAGE: &str = include_str!("../page/page.html");
const STYLE: &str = include_str!("../page/style.css");

/// In the order in which they need each other.
const SCRIPTS: [&str; 7] = [
    include_str!("../page/data.js"),
    include_str!("../page/model.js"),
    include_str!("../page/rows.js"),
    include_str!("../page/paint.js"),
    include_str!("../page/chart.js"),
    include_str!("../page/panel.js"),
    include_str!("../page/main.js"),
];

/// What this way does, given the arguments behind its name.
pub(super) fn main(args: Vec<OsString>) -> Result<(), Refusal> {
    let (trace, [out]) = parse(args, ["-o"])?;
    let out = out.ok_or_else(|| Refusal::Usage("expected -o and a file".to_owned()))?;
    let out = PathBuf::from(out);
    let page = page(&load(&trace)?);
    fs::write(&out, page).map_err(|error| Refusal::Output(out, error))
}

/// The page of a run.
fn page(run: &Run) -> String {
    let bytes = STANDARD.encode(picture::bytes(run));
    // Base64 has no letter that means something in HTML, so that no name in the run can get out of it.
    let parts = [("/*STYLE*/", STYLE), ("/*RUN*/", &bytes), ("/*SCRIPT*/", &SCRIPTS.concat())];
    let mut page = String::with_capacity(PAGE.len() + bytes.len() + 100_000);
    let mut rest = PAGE;
    for (mark, part) in parts {
        let (before, after) = rest.split_once(mark).expect("the page has the mark");
        page.push_str(before);
        page.push_str(part);
        rest = after;
    }
    page.push_str(rest);
    page
}

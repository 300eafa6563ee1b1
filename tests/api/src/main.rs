//! `api FILE`: prints the public API of a crate, an item a line, from rustdoc's JSON of it.
//!
//! What is hidden from the documentation is no part of it, nor are the implementations that the compiler
//! derives, or that all types have.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args_os().nth(1).ok_or("expected a file of rustdoc's JSON")?;
    let api = public_api::Builder::from_rustdoc_json(file)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()?;
    for item in api.items() {
        println!("{item}");
    }
    Ok(())
}

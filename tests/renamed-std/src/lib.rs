//! A plain std program, none of whose lines knows of the mirror: `Cargo.toml` renames the
//! dependency, and `std` means another crate.
//!
//! The modules use std's paths in the ways programs do; the tests in them see to it that the
//! mirror's items and std's own fit together.

pub mod futures;
pub mod macros;
pub mod server;
pub mod types;
pub mod words;

//! A mirror of `std`, name for name, in which everything that blocks is green.
pub use ::std::*;

mod bridge;
pub mod net;
pub mod sync;
pub mod thread;

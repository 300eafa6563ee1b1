//! Green `std::sync`.
pub use ::std::sync::*;

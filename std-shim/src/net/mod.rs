//! Green `std::net`.
pub use ::std::net::*;

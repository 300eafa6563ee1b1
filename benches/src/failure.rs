//! What stands in the place of a number that could not be had.

use std::io;

/// Why there is no number.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// The peer has no such scene.
    Unsupported,
    /// It has, and this went wrong.
    Failed(String),
}

pub(crate) fn failed(why: impl Into<String>) -> Failure {
    Failure::Failed(why.into())
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        failed(error.to_string())
    }
}

//! Support for the comparison of the mirror with std: the list, what is asked of the compiler for
//! each of its lines, the compiler, the pages of the mirror's documentation, and the document.

pub(crate) mod comparison;
pub(crate) mod compiler;
pub(crate) mod document;
pub(crate) mod list;
pub(crate) mod pages;
pub(crate) mod questions;
pub(crate) mod toolchain;
mod words;

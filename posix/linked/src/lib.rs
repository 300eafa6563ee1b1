//! Linked into a program, this crate makes everything there green that reaches libc: real std,
//! dependencies, C code, shared libraries.
//!
//! One line in the program's `Cargo.toml` will do, since this crate is all of std, too, under whose name
//! the program then finds it:
//!
//! ```toml
//! std = { package = "sylvan-libc", version = "0.1" }
//! ```
//!
//! Or under its own name, with a line in the program itself:
//!
//! ```
//! use sylvan_libc as _;
//! ```
//!
//! # Shared libraries
//!
//! The program has functions of libc's under their own names. The linker exports those symbols of a program
//! that a library it links has or wants, and libc has all of these. So whatever is loaded, now or later,
//! finds them first. What libc calls of its own does not come by.
//!
//! # Where not
//!
//! In a shared library: the functions are its own alone, and nothing says before the program begins that its
//! threads are to be green (`.preinit_array` is a program's). So threads stay OS threads.

#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    not(target_feature = "crt-static"),
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod whole;

pub use ::std::*;

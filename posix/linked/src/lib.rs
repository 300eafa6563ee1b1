//! Linked into a program, this crate makes everything there green that reaches libc: real std,
//! dependencies, C code.
//!
//! ```
//! extern crate sylvan_libc as _;
//! ```

#![cfg(all(
    target_os = "linux",
    target_env = "gnu",
    not(target_feature = "crt-static"),
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

use std::ffi::{c_char, c_int};

macro_rules! name {
    ($($module:ident: $($name:ident),+;)+) => {$(
        sylvan_posix::in_place_of_libc! { $($name = sylvan_posix::$module::$name),+ }
    )+};
}

sylvan_posix::green!(name);

type Beginning = unsafe extern "C" fn(c_int, *const *const c_char, *const *const c_char);

/// Before the program begins, and before what its libraries do at their beginning.
#[used]
// SAFETY: a function as the entries of the section are.
#[unsafe(link_section = ".preinit_array")]
static AT_START: Beginning = {
    unsafe extern "C" fn begin(
        _: c_int,
        _: *const *const c_char,
        environment: *const *const c_char,
    ) {
        // SAFETY: called with what the program is started with, before it begins.
        unsafe { sylvan_posix::make_whole(environment) };
    }
    begin
};

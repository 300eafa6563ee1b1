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

macro_rules! name {
    ($($module:ident: $($name:ident),+;)+) => {$(
        sylvan_posix::in_place_of_libc! { $($name = sylvan_posix::$module::$name),+ }
    )+};
}

sylvan_posix::green!(name);

/// Before the program begins.
#[used]
// SAFETY: a function without arguments, as the entries of the section are.
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = {
    extern "C" fn begin() {
        sylvan_posix::make_whole();
    }
    begin
};

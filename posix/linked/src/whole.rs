//! The names, and what is said before the program begins.

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

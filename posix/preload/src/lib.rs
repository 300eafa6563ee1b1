//! `libsylvan_preload.so`: the functions of `sylvan-posix` under the names of libc's, for a program that is
//! started with it (`LD_PRELOAD`, as `sylvan run` does). It comes before libc in the order in which
//! names are looked up, so all that the program and its libraries call is found here.
//!
//! Each name is a jump to the function, so that what unwinds finds no frame of this library's.

#![cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

mod heap;

use std::arch::naked_asm;
use std::ffi::{c_char, c_int};

macro_rules! export {
    ($($module:ident: $($name:ident),+;)+) => {$($(
        /// As that of libc.
        ///
        /// # Safety
        ///
        /// As that of libc.
        #[unsafe(no_mangle)]
        #[unsafe(naked)]
        pub unsafe extern "C" fn $name() {
            naked_asm!(sylvan_posix::jump!(), sym sylvan_posix::$module::$name)
        }
    )+)+};
}

sylvan_posix::heard_of!(export);
sylvan_posix::green!(export);

type Beginning = unsafe extern "C" fn(c_int, *const *const c_char, *const *const c_char);

/// Before the program begins, and before what its libraries do at their beginning.
#[used]
// SAFETY: a function as the entries of the section are.
#[unsafe(link_section = ".init_array")]
static AT_START: Beginning = {
    unsafe extern "C" fn begin(
        _: c_int,
        _: *const *const c_char,
        environment: *const *const c_char,
    ) {
        heap::begin();
        // SAFETY: called with what the program is started with, before it begins.
        unsafe { sylvan_posix::make_whole_from_outside(environment) };
    }
    begin
};

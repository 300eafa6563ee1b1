//! How a thread computes with floating point: functions of the mathematical library, which change words of the
//! processor's or ask for them.
//!
//! They go with a green thread from the first call on (`sylvan::contract::keep_floating`). A program that writes the words
//! itself (`_mm_setcsr`, `-ffast-math`) is not seen: beside these functions its words go with a thread, too, and alone they
//! stay with the OS thread.

use std::ffi::{c_int, c_void};
use std::mem;

use crate::in_place_of_libc;
use crate::next::{Next, next_of};

/// The mathematical library's function of that name. Who calls it has that loaded, though maybe not for all to see.
fn of_library(next: &Next) -> *mut c_void {
    let found = next.get();
    if !found.is_null() {
        return found;
    }
    // SAFETY: asks for a library that is there, and for a name in it.
    unsafe {
        let library = libc::dlopen(c"libm.so.6".as_ptr(), libc::RTLD_LAZY | libc::RTLD_NOLOAD);
        if library.is_null() { library } else { libc::dlsym(library, next.name().as_ptr()) }
    }
}

macro_rules! functions {
    ($($name:ident($($argument:ident: $type:ty),*);)+) => {
        in_place_of_libc! { $($name),+ }

        $(
            /// As that of the mathematical library.
            ///
            /// # Safety
            ///
            /// As that of the library.
            pub unsafe extern "C" fn $name($($argument: $type),*) -> c_int {
                static NEXT: Next = next_of!($name);
                type Function = unsafe extern "C" fn($($type),*) -> c_int;
                let next = of_library(&NEXT);
                if next.is_null() {
                    // It has found the name without the library.
                    return -1;
                }
                sylvan::contract::keep_floating();
                // SAFETY: the library's function of that name, which has this type.
                let next = unsafe { mem::transmute::<*mut c_void, Function>(next) };
                // SAFETY: as the caller promises.
                unsafe { next($($argument),*) }
            }
        )+
    };
}

functions! {
    feclearexcept(exceptions: c_int);
    fedisableexcept(exceptions: c_int);
    feenableexcept(exceptions: c_int);
    fegetenv(environment: *mut c_void);
    fegetexcept();
    fegetexceptflag(flags: *mut c_void, exceptions: c_int);
    fegetmode(modes: *mut c_void);
    fegetround();
    feholdexcept(environment: *mut c_void);
    feraiseexcept(exceptions: c_int);
    fesetenv(environment: *const c_void);
    fesetexcept(exceptions: c_int);
    fesetexceptflag(flags: *const c_void, exceptions: c_int);
    fesetmode(modes: *const c_void);
    fesetround(direction: c_int);
    fetestexcept(exceptions: c_int);
    fetestexceptflag(flags: *const c_void, exceptions: c_int);
    feupdateenv(environment: *const c_void);
}

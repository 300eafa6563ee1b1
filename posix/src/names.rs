//! The names of libc's functions, given to functions of this crate.
//!
//! They are *weak*: a program may have a function of such a name itself, as a test that stops the clock
//! has its `clock_gettime`. Then its own is in force everywhere, as it would be without this crate; two
//! that are not weak would not link. The language has no stable word for that, so the name is a label, at
//! a jump to the function. (An alias would need both in one object.)
//!
//! A library's object is linked if a name is missing that it has. So that these are, whatever else the
//! program calls, there is a pointer to each, which is always linked (`#[used]`). And as libc has the
//! names, too, the linker shows them to it and to all other shared libraries.

/// A pointer to a function, which nobody follows.
pub(crate) struct Anchor(
    #[expect(dead_code, reason = "it is there")] pub(crate) unsafe extern "C" fn(),
);

/// Gives functions, which are here under the names of libc's, these names for the whole program.
macro_rules! in_place_of_libc {
    ($($name:ident),+ $(,)?) => {$(
        std::arch::global_asm!(
            concat!(".weak ", stringify!($name)),
            concat!(".type ", stringify!($name), ", @function"),
            concat!(stringify!($name), ":"),
            ".cfi_startproc",
            $crate::names::jump!(),
            ".cfi_endproc",
            concat!(".size ", stringify!($name), ", . - ", stringify!($name)),
            sym $name,
        );

        const _: () = {
            unsafe extern "C" {
                #[link_name = stringify!($name)]
                fn named();
            }
            #[used]
            static ANCHOR: $crate::names::Anchor = $crate::names::Anchor(named);
        };
    )+};
}

#[cfg(target_arch = "x86_64")]
macro_rules! jump {
    () => {
        "jmp {}"
    };
}

#[cfg(target_arch = "aarch64")]
macro_rules! jump {
    () => {
        "b {}"
    };
}

pub(crate) use {in_place_of_libc, jump};

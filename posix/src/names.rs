//! The names of libc's functions, given to functions of this crate.
//!
//! They are *weak*: a program may have a function of such a name itself, as a test that stops the clock
//! has its `clock_gettime`. Then its own is in force everywhere, as it would be without this crate; two
//! that are not weak would not link. The language has no stable word for that, so the name is a label, at
//! a jump to the function. (An alias would need both in one object.) What is at module level has no local symbol, such as
//! `.` is: no function with assembly in it, as a switch of stacks has, would be inlined across units any more.
//!
//! A library's object is linked if a name is missing that it has. So that these are, whatever else the
//! program calls, there is a pointer to each, which is always linked (`#[used]`). And as libc has the
//! names, too, the linker shows them to it and to all other shared libraries.

/// A pointer to a function, which nobody follows.
#[derive(Debug)]
#[doc(hidden)]
pub struct Anchor(pub unsafe extern "C" fn());

/// How long a jump is to a function of another section: the linker fills in the distance.
#[doc(hidden)]
pub const JUMP_SIZE: usize = if cfg!(target_arch = "x86_64") { 5 } else { 4 };

/// Gives functions the names of libc's for the whole program: `name = path` or, where a function of that
/// name is in scope, `name`.
#[doc(hidden)]
#[macro_export]
macro_rules! in_place_of_libc {
    ($($name:ident = $function:path),+ $(,)?) => {$(
        std::arch::global_asm!(
            concat!(".weak ", stringify!($name)),
            concat!(".type ", stringify!($name), ", @function"),
            concat!(stringify!($name), ":"),
            ".cfi_startproc",
            $crate::jump!(),
            ".cfi_endproc",
            concat!(".size ", stringify!($name), ", {size}"),
            sym $function,
            size = const $crate::names::JUMP_SIZE,
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
    ($($name:ident),+ $(,)?) => {
        $crate::in_place_of_libc! { $($name = $name),+ }
    };
}

/// A jump to the function that is the operand.
#[cfg(target_arch = "x86_64")]
#[doc(hidden)]
#[macro_export]
macro_rules! jump {
    () => {
        "jmp {}"
    };
}

/// A jump to the function that is the operand.
#[cfg(target_arch = "aarch64")]
#[doc(hidden)]
#[macro_export]
macro_rules! jump {
    () => {
        "b {}"
    };
}

//! A pointer in each thread's own memory, read by two instructions wherever it is linked to.
//!
//! `thread_local!` asks the loader for the place when it is compiled into a shared library: a call for each
//! access, a tenth of a short wait. What a program is started with has its place among those that are known
//! from the start, an offset from the thread pointer that the loader writes down once (the *initial-exec*
//! model). The language has no word for that, so the place is a label, and the access is by hand.
//!
//! Each access is one of its own: the compiler keeps no address, so that nothing is taken for another thread's
//! after a switch.

/// Defines `$name`, with `get` and `set`: a pointer to a `$type`, null at first. `$label` is its name for the
/// linker.
#[doc(hidden)]
#[macro_export]
macro_rules! local_pointer {
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $type:ty as $label:literal;) => {
        $(#[$attribute])*
        #[derive(Debug)]
        #[allow(clippy::upper_case_acronyms, reason = "it is used as a static is")]
        $visibility struct $name;

        $crate::local_pointer_at!($name, $type, $label);
    };
}

/// The place and the access of [`local_pointer!`].
#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#[doc(hidden)]
#[macro_export]
macro_rules! local_pointer_at {
    ($name:ident, $type:ty, $label:literal) => {
        std::arch::global_asm!(
            concat!(".pushsection .tbss.", $label, ", \"awT\", @nobits"),
            ".p2align 3",
            concat!(".globl ", $label),
            concat!(".hidden ", $label),
            concat!(".type ", $label, ", @object"),
            concat!(".size ", $label, ", 8"),
            concat!($label, ":"),
            ".zero 8",
            ".popsection",
        );

        impl $name {
            #[inline(always)]
            pub(crate) fn get(&self) -> *const $type {
                let value: *const $type;
                // SAFETY: reads the thread's own pointer, which is there as long as the thread.
                unsafe {
                    #[cfg(target_arch = "x86_64")]
                    std::arch::asm!(
                        concat!("mov {value}, qword ptr [rip + ", $label, "@GOTTPOFF]"),
                        "mov {value}, qword ptr fs:[{value}]",
                        value = out(reg) value,
                        options(nostack, readonly, preserves_flags),
                    );
                    #[cfg(target_arch = "aarch64")]
                    std::arch::asm!(
                        concat!("adrp {value}, :gottprel:", $label),
                        concat!("ldr {value}, [{value}, :gottprel_lo12:", $label, "]"),
                        "mrs {here}, tpidr_el0",
                        "ldr {value}, [{here}, {value}]",
                        value = out(reg) value,
                        here = out(reg) _,
                        options(nostack, readonly, preserves_flags),
                    );
                }
                value
            }

            /// Where it is, for the calling thread.
            #[inline(always)]
            pub(crate) fn place(&self) -> *mut *const $type {
                let place: *mut *const $type;
                // SAFETY: computes an address.
                unsafe {
                    #[cfg(target_arch = "x86_64")]
                    std::arch::asm!(
                        concat!("mov {place}, qword ptr [rip + ", $label, "@GOTTPOFF]"),
                        "add {place}, qword ptr fs:[0]",
                        place = out(reg) place,
                        options(nostack, readonly),
                    );
                    #[cfg(target_arch = "aarch64")]
                    std::arch::asm!(
                        concat!("adrp {place}, :gottprel:", $label),
                        concat!("ldr {place}, [{place}, :gottprel_lo12:", $label, "]"),
                        "mrs {here}, tpidr_el0",
                        "add {place}, {here}, {place}",
                        place = out(reg) place,
                        here = out(reg) _,
                        options(nostack, readonly, preserves_flags),
                    );
                }
                place
            }

            #[inline]
            pub(crate) fn set(&self, value: *const $type) {
                // SAFETY: the thread's own.
                unsafe { self.place().write(value) };
            }
        }
    };
}

/// The place and the access of [`local_pointer!`].
#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
#[doc(hidden)]
#[macro_export]
macro_rules! local_pointer_at {
    ($name:ident, $type:ty, $label:literal) => {
        impl $name {
            /// Where it is, for the calling thread.
            #[inline]
            pub(crate) fn place(&self) -> *mut *const $type {
                std::thread_local! {
                    static HERE: std::cell::Cell<*const $type> =
                        const { std::cell::Cell::new(std::ptr::null()) };
                }
                HERE.with(std::cell::Cell::as_ptr)
            }

            #[inline]
            pub(crate) fn get(&self) -> *const $type {
                // SAFETY: the thread's own.
                unsafe { self.place().read() }
            }

            #[inline]
            pub(crate) fn set(&self, value: *const $type) {
                // SAFETY: as above.
                unsafe { self.place().write(value) };
            }
        }
    };
}

#[cfg(test)]
mod tests {
    local_pointer! {
        static HERE: u8 as "sylvan_test_of_local_pointer";
    }

    #[test]
    fn it_is_null_at_first_and_each_threads_own() {
        let mine = &raw const *Box::leak(Box::new(1_u8));
        assert!(HERE.get().is_null());
        HERE.set(mine);
        assert_eq!(HERE.get(), mine);
        std::thread::spawn(|| assert!(HERE.get().is_null())).join().unwrap();
        crate::spawn(|| assert!(HERE.get().is_null())).join().unwrap();
        assert_eq!(HERE.get(), mine);
    }
}

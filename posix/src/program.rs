//! Where the program is called: by assembly, so that it is known to which address it returns.
//!
//! A frame of this library's that stands at such an address has called the program; any other one is in the midst
//! of something (`signal::attendant`).

/// Defines a function in assembly that calls the program, which returns to `$returned`: a label that is among
/// `$line`.
macro_rules! calls_program {
    ($name:literal, $returned:literal, [$($line:expr),+ $(,)?] $($operands:tt)*) => {
        std::arch::global_asm!(
            concat!(".pushsection .text.", $name, ",\"ax\",@progbits"),
            concat!(".globl ", $name, ", ", $returned),
            concat!(".hidden ", $name, ", ", $returned),
            concat!(".type ", $name, ",@function"),
            concat!($name, ":"),
            ".cfi_startproc",
            $($line,)+
            ".cfi_endproc",
            concat!(".size ", $name, ", . - ", $name),
            ".popsection"
            $($operands)*
        );
    };
}
pub(crate) use calls_program;

unsafe extern "C" {
    /// Of a thread's function: `thread::exit`.
    #[link_name = "__sylvan_posix_called"]
    static CALLED: u8;
    /// Of an initializer: `once`.
    #[link_name = "__sylvan_posix_once_called"]
    static ONCE_CALLED: u8;
    /// Of a handler of a signal, which the kernel has called: `signal::delivery`.
    #[link_name = "__sylvan_posix_delivered"]
    static DELIVERED: u8;
    /// The same, which this crate has called.
    #[link_name = "__sylvan_posix_handled"]
    static HANDLED: u8;
}

/// Whether the program returns to this address.
pub(crate) fn returns_to(address: usize) -> bool {
    let places =
        [&raw const CALLED, &raw const ONCE_CALLED, &raw const DELIVERED, &raw const HANDLED];
    places.iter().any(|place| place.addr() == address)
}

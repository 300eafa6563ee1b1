//! What std is in a package that does without, and then asks for it.
#![no_std]

extern crate std;

/// Returns the name of the streams here.
pub fn streams() -> &'static str {
    core::any::type_name::<std::net::TcpStream>()
}

/// Returns the name of the streams where it is used.
#[macro_export]
macro_rules! streams {
    () => {
        ::std::any::type_name::<::std::net::TcpStream>()
    };
}

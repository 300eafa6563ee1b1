//! What std is in a package of the first edition, where each path begins at the crate's root.

extern crate no_std;

use std::net::TcpStream;

/// The name of the streams of the build script.
pub const BUILD_SCRIPT: &str = include_str!(concat!(env!("OUT_DIR"), "/build_script.txt"));

/// The name of the streams of a package that the build script uses.
pub const BUILD_SCRIPTS_DEPENDENCY: &str =
    include_str!(concat!(env!("OUT_DIR"), "/its_dependency.txt"));

/// Returns the name of the streams here.
pub fn streams() -> &'static str {
    ::std::any::type_name::<TcpStream>()
}

//! Writes down what its own std is, and that of a package that it shares with the program.

extern crate no_std;

use std::env;
use std::fs;
use std::path::Path;

fn main() {
    let here = std::any::type_name::<std::net::TcpStream>();
    let folder = env::var_os("OUT_DIR").expect("a folder to write to");
    fs::write(Path::new(&folder).join("build_script.txt"), here).expect("a file");
    fs::write(Path::new(&folder).join("its_dependency.txt"), no_std::streams()).expect("a file");
    println!("cargo:rerun-if-changed=build.rs");
}

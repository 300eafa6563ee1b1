//! `extern crate std` names the mirror as well, and brings its macros in.

#[macro_use]
extern crate std;

use std::any::type_name;

#[test]
fn paths_and_macros_are_the_mirrors() {
    thread_local!(static KEY: String = format!("{:?}", vec![1]));
    assert_eq!(KEY.with(String::clone), "[1]");
    assert!(type_name::<::std::thread::Thread>().starts_with("std_shim::"));
    assert!(type_name::<self::std::thread::Thread>().starts_with("std_shim::"));
}

//! What each kind of package means by `std`.

use edition_2015::{BUILD_SCRIPT, BUILD_SCRIPTS_DEPENDENCY};

const MIRROR: &str = "std_shim::net::tcp::stream::TcpStream";
const STD: &str = "std::net::tcp::TcpStream";

#[test]
fn a_package_means_the_mirror() {
    assert_eq!(std::any::type_name::<std::net::TcpStream>(), MIRROR);
}

#[test]
fn a_package_of_the_first_edition_means_the_mirror() {
    assert_eq!(edition_2015::streams(), MIRROR);
}

#[test]
fn a_package_without_std_that_asks_for_it_means_the_mirror() {
    assert_eq!(no_std::streams(), MIRROR);
}

#[test]
fn a_path_in_a_macro_means_the_mirror() {
    assert_eq!(no_std::streams!(), MIRROR);
}

#[test]
fn a_program_knows_by_a_cfg() {
    let is_on_the_mirror = cfg!(sylvan);
    assert!(is_on_the_mirror);
}

#[test]
fn a_procedural_macro_keeps_std() {
    assert_eq!(procedural::streams!(), STD);
}

#[test]
fn a_build_script_and_its_dependencies_keep_std() {
    assert_eq!(BUILD_SCRIPT, STD);
    assert_eq!(BUILD_SCRIPTS_DEPENDENCY, STD);
}

//! What C++ has of threads, on green ones.

#![cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]

use std::path::Path;
use std::process::Command;

use tests::whole;

#[test]
fn what_cpp_has_of_threads_is_green() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("whole/cpp.cpp");
    let program = whole::compile(&source, "c++", &["-std=c++20"]);
    let seen = whole::same_command("cpp", || Command::new(&program));
    assert_eq!(
        seen,
        "caught: 1000, destroyed: 50\n\
         sum: 1218, thrown: 1, said: at the end\n\
         timeout: 1\n\
         turns: 800, once: 1, written: 200\n\
         no place: 1\n\
         stopped: 20\n\
         in time: 0\n"
    );
}

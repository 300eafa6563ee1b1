//! What of libc's the runtime calls by name: nothing that a whole program has otherwise.

#![cfg(all(target_os = "linux", target_env = "gnu", target_pointer_width = "64"))]

use std::collections::BTreeSet;
use std::env;
use std::process::Command;

/// What it may: functions that neither block nor wait, and that no program has otherwise.
const ALLOWED: [&str; 25] = [
    // The compiler's own.
    "_Unwind_Resume",
    "memcmp",
    "memcpy",
    "memmove",
    "memset",
    "rust_eh_personality",
    "strlen",
    // What a green thread's block of thread-locals is made of and by.
    "__errno_location",
    "__tls_get_addr",
    "calloc",
    "dl_iterate_phdr",
    "dlerror",
    "dlopen",
    "dlsym",
    "free",
    "getauxval",
    "malloc",
    "pthread_key_create",
    "pthread_key_delete",
    "pthread_setspecific",
    "sysconf",
    "uselocale",
    // Once in a process: for its forks, and at its end.
    "atexit",
    "exit",
    "pthread_atfork",
];

/// The layer passes these on: by most the runtime's own OS threads are started (`os_thread`), and by the last it is
/// asked for and said once, when the runtime starts, who gets a fault.
const PASSED_ON: [&str; 7] = [
    "pthread_attr_destroy",
    "pthread_attr_init",
    "pthread_attr_setstacksize",
    "pthread_create",
    "pthread_detach",
    "pthread_join",
    "sigaction",
];

macro_rules! names {
    ($($module:ident: $($name:ident),+;)+) => {
        [$($(stringify!($name)),+),+]
    };
}

/// What the runtime's own object refers to, but for Rust's functions and those of the compiler.
fn wanted() -> BTreeSet<String> {
    let built = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "sylvan"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()
        .expect("cargo runs");
    assert!(built.success());
    let this = env::current_exe().expect("a test knows where it is");
    let library = this.ancestors().nth(2).expect("target/debug/deps/test").join("libsylvan.rlib");
    let listed = Command::new("nm").arg("--undefined-only").arg(library).output().expect("nm runs");
    let listed = String::from_utf8(listed.stdout).expect("names are plain");
    let names = listed.lines().filter_map(|line| line.trim_start().strip_prefix("U "));
    // Ours, Rust's, and arithmetic on 128 bits.
    let is_rusts = |name: &&str| {
        ["_ZN", "_R", "__rust", "__u", "__float", "__sylvan"]
            .iter()
            .any(|prefix| name.starts_with(prefix))
    };
    let names: BTreeSet<String> = names.filter(|name| !is_rusts(name)).map(Into::into).collect();
    assert!(names.contains("dlsym"), "{names:?}");
    names
}

#[test]
fn the_runtime_calls_nothing_that_a_whole_program_has_otherwise() {
    let interposed: BTreeSet<&str> =
        sylvan_posix::heard_of!(names).into_iter().chain(sylvan_posix::green!(names)).collect();
    for name in wanted() {
        if PASSED_ON.contains(&name.as_str()) {
            continue;
        }
        assert!(ALLOWED.contains(&name.as_str()), "the runtime calls `{name}`: say why it may");
        assert!(
            !interposed.contains(name.as_str()),
            "the runtime calls `{name}`, which is interposed"
        );
    }
}

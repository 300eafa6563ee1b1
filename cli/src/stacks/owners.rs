//! Whose a function is: by the path in its name, and where there is none, by the folder of its file.
//!
//! With line tables alone an inlined function is `take` or `{closure#7}`, and says its path nowhere. Those that are
//! not inlined have theirs in the symbol table: so an object says itself where the runtime is written.

use std::collections::HashSet;
use std::path::Path;

/// Whose a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Owner {
    /// The runtime's, and what is in the place of one of std's or libc's.
    Runtime,
    /// As its caller: of std, the real one, of libc, or of a package that the runtime uses as a program may.
    Callers,
    Program,
}

/// In which object a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a library of the runtime's own.
    Runtime,
    /// In libc, or what the kernel brings of it.
    Libc,
    Elsewhere,
}

impl Place {
    /// That of an object with this file, which may be one of the runtime's.
    pub(super) fn of(file: &Path, is_runtime: bool) -> Self {
        const LIBC: [&str; 7] =
            ["libc.so", "libc-2.", "libpthread", "ld-linux", "ld-musl", "libc.musl", "[vdso]"];
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        match LIBC.iter().any(|it| name.starts_with(it)) {
            _ if is_runtime => Self::Runtime,
            true => Self::Libc,
            false => Self::Elsewhere,
        }
    }
}

/// Whose a function of this name is, which was written in this file and is in such a place.
pub(super) fn owner<'a>(
    function: &str,
    file: Option<&str>,
    place: Place,
    folders: impl FnOnce() -> &'a Folders,
) -> Owner {
    let is_library = place == Place::Runtime;
    match package(function) {
        Some("std" | "core" | "alloc") => Owner::Callers,
        Some(_) if is_library || is_of_runtime(function) => Owner::Runtime,
        Some(package) if is_used(package) => Owner::Callers,
        Some(_) => Owner::Program,
        None if file.is_some_and(is_of_std) => Owner::Callers,
        None if file.is_some_and(|it| is_library || folders().contain(it)) => Owner::Runtime,
        None if file.is_some_and(|it| is_from_registry(it, is_used)) => Owner::Callers,
        None if function.starts_with("__rust_") => Owner::Callers,
        None if is_library => Owner::Runtime,
        None if place == Place::Libc => Owner::Callers,
        None => Owner::Program,
    }
}

/// Whether the path in a function's name begins with a package of the runtime's.
pub(super) fn is_of_runtime(function: &str) -> bool {
    package(function).is_some_and(is_runtime)
}

fn is_runtime(package: &str) -> bool {
    matches!(package, "sylvan" | "sylvan_posix" | "sylvan_preload" | "sylvan_libc" | "std_shim")
}

/// Whether it is a package that the runtime is built on, and a program may be.
fn is_used(package: &str) -> bool {
    matches!(package, "rustix" | "linux_raw_sys" | "sylvan_sight")
}

/// The package that the path in a function's name begins with; in that of an implementation of a trait, the one of
/// the type.
fn package(function: &str) -> Option<&str> {
    let (package, _) = trimmed(function).split_once("::")?;
    // Else it is of a parameter, as in `call<fn(), std::io::Error>`, or of a trait, as in `<T as std::any::Any>`.
    package.chars().all(is_of_word).then_some(package)
}

/// Whether a function whose name has no path may have this one: its symbol may be that of another which is the same.
pub(super) fn is_path_of(path: &str, function: &str) -> bool {
    let word = trimmed(function).split(|c| !is_of_word(c)).next().unwrap_or_default();
    package(function).is_none() && package(path).is_some() && path.contains(word)
}

fn trimmed(function: &str) -> &str {
    let name = function.trim_start_matches(|c| !is_of_word(c));
    name.strip_prefix("dyn ").unwrap_or(name)
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// As compilers have it in what they come with, and as distributions have it.
fn is_of_std(file: &str) -> bool {
    file.rsplit_once("/library/").is_some_and(|(folder, _)| {
        let name = folder.rsplit('/').next().unwrap_or(folder);
        folder.starts_with("/rustc/")
            || folder.ends_with("/rustlib/src/rust")
            || name.starts_with("rustc-")
    })
}

/// Folders in which packages of the runtime's are written.
#[derive(Debug, Default)]
pub(super) struct Folders(HashSet<String>);

impl Folders {
    /// Those of these files, in which functions are whose names have paths that begin with such packages.
    pub(super) fn of(files: impl Iterator<Item = String>) -> Self {
        // Where a macro of std's has written a function, it may be of the file of this.
        let files = files.filter(|file| !is_of_std(file));
        Self(files.filter_map(|file| folder(&file).map(str::to_owned)).collect())
    }

    fn contain(&self, file: &str) -> bool {
        folder(file).is_some_and(|it| self.0.contains(it)) || is_from_registry(file, is_runtime)
    }
}

/// The one that the package is in which a file is.
fn folder(file: &str) -> Option<&str> {
    file.rsplit_once("/src/").map(|(folder, _)| folder)
}

/// Whether a file is of such a package as a registry has it, `std-shim-0.1.0`: all of its functions may be inlined.
fn is_from_registry(file: &str, is_such: impl Fn(&str) -> bool) -> bool {
    let folder = folder(file).unwrap_or_default();
    let name = folder.rsplit('/').next().unwrap_or(folder);
    let is_version = |at: usize| name[at + 1..].starts_with(|c: char| c.is_ascii_digit());
    let version = name.match_indices('-').map(|(at, _)| at).find(|at| is_version(*at));
    version.is_some_and(|at| is_such(&name[..at].replace('-', "_")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(function: &str, file: Option<&str>, is_library: bool) -> Owner {
        let place = if is_library { Place::Runtime } else { Place::Elsewhere };
        let files = [
            "/home/me/src/sylvan/runtime/src/park/mod.rs",
            "/rustc/5980/library/std/src/thread/local.rs",
        ];
        let folders = Folders::of(files.iter().map(|&file| file.to_owned()));
        owner(function, file, place, || &folders)
    }

    #[test]
    fn a_function_is_whose_its_path_begins_with() {
        let by_name = |name| of(name, None, false);
        assert_eq!(by_name("sylvan::park::park"), Owner::Runtime);
        assert_eq!(
            by_name("<sylvan::io::Attempt as core::ops::FnOnce<()>>::call_once"),
            Owner::Runtime
        );
        assert_eq!(by_name("<&std_shim::net::TcpStream as std::io::Read>::read"), Owner::Runtime);
        assert_eq!(by_name("<std::io::Stdin as std::io::Read>::read"), Owner::Callers);
        assert_eq!(
            (by_name("__rust_try"), of("__rust_try", None, true)),
            (Owner::Callers, Owner::Callers)
        );
        assert_eq!(by_name("<alloc::boxed::Box<sylvan::Task>>::drop"), Owner::Callers);
        assert_eq!(by_name("<server::Handler as sylvan::Runs>::run"), Owner::Program);
        assert_eq!(by_name("sylvans_friend::main"), Owner::Program);
        assert_eq!((by_name("read"), of("read", None, true)), (Owner::Program, Owner::Runtime));
        assert_eq!(of("rustix::event::poll", None, true), Owner::Runtime);
        assert_eq!(by_name("rustix::event::poll"), Owner::Callers);
        assert_eq!(by_name("<sylvan_sight::account::Account>::of"), Owner::Callers);
    }

    #[test]
    fn a_function_of_libcs_is_its_callers() {
        let in_file = |file: &str, is_runtime| Place::of(Path::new(file), is_runtime);
        let of = |place| owner("read", None, place, || unreachable!());
        for libc in ["libc.so.6", "libc-2.31.so", "ld-linux-x86-64.so.2", "ld-musl-x86_64.so.1"] {
            let place = in_file(&format!("/lib/x86_64-linux-gnu/{libc}"), false);
            assert_eq!(of(place), Owner::Callers, "{libc}");
        }
        assert_eq!(of(in_file("/usr/lib/libcrypto.so.3", false)), Owner::Program);
        assert_eq!(of(in_file("/usr/lib/libsylvan_preload.so", true)), Owner::Runtime);
    }

    #[test]
    fn a_path_counts_more_than_a_folder() {
        let file = Some("/home/me/src/sylvan/runtime/src/thread.rs");
        assert_eq!(of("server::main", file, false), Owner::Program);
        assert_eq!(of("core::hint::black_box", file, false), Owner::Callers);
    }

    #[test]
    fn a_name_without_a_path_is_whose_the_folder_of_its_file_is() {
        let by_file = |file: &str| of("{closure#7}<fn(), std::io::Error>", Some(file), false);
        // Where functions are that have paths.
        assert_eq!(by_file("/home/me/src/sylvan/runtime/src/scheduler/worker.rs"), Owner::Runtime);
        assert_eq!(by_file("/home/me/src/sylvan/examples/src/bin/server.rs"), Owner::Program);
        assert_eq!(by_file("/home/me/src/server.rs"), Owner::Program);
        assert_eq!(by_file("/home/me/server.c"), Owner::Program);
        assert_eq!(of("{closure#7}", Some("/home/me/src/server.rs"), true), Owner::Runtime);
        let thread = Some("/home/me/src/sylvan/runtime/src/thread.rs");
        assert_eq!(of("__rust_begin_short_backtrace<fn(), ()>", thread, false), Owner::Runtime);
        // A registry's.
        let registry = "/root/.cargo/registry/src/index.crates.io-1949cf8c6b5b557f";
        let unpacked = |name| by_file(&format!("{registry}/{name}/src/lib.rs"));
        assert_eq!(unpacked("std-shim-0.1.0-beta.2"), Owner::Runtime);
        assert_eq!(unpacked("sylvan-posix-0.1.0"), Owner::Runtime);
        assert_eq!(unpacked("sylvan-friend-0.1.0"), Owner::Program);
        assert_eq!(unpacked("parking_lot-0.12.5"), Owner::Program);
        assert_eq!(unpacked("rustix-1.1.2"), Owner::Callers);
    }

    #[test]
    fn a_symbol_with_a_path_names_a_function_that_has_none() {
        let path = "sylvan::thread::Task<F,T>::finish";
        assert!(is_path_of(path, "finish<fn(), ()>"));
        assert!(is_path_of("server::main::{{closure}}", "{closure#7}"));
        assert!(!is_path_of("server::stay", "wait<fn()>"), "it is of another");
        assert!(!is_path_of("server::other::stay", "server::stay"));
        assert!(!is_path_of("reads.constprop.0", "reads"));
    }

    #[test]
    fn std_is_where_compilers_have_it() {
        let rustup = "/root/.rustup/toolchains/stable/lib/rustlib/src/rust/library/core/src/ops.rs";
        for file in [
            "/rustc/59807616/library/std/src/thread/local.rs",
            "/usr/src/rustc-1.96.0/library/alloc/src/boxed.rs",
            rustup,
        ] {
            for is_library in [false, true] {
                assert_eq!(
                    of("call_once<fn(), ()>", Some(file), is_library),
                    Owner::Callers,
                    "{file}"
                );
            }
            // Of a type that is a parameter, or behind a pointer.
            assert_eq!(of("<T as core::any::Any>::type_id", Some(file), false), Owner::Callers);
        }
        let own = Some("/home/me/library/core/src/ops.rs");
        assert_eq!(of("call_once<fn(), ()>", own, false), Owner::Program);
    }
}

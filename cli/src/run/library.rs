//! `libsylvan_preload.so`: beside this program, or where programs have their libraries, or built from its
//! package (`sources`).

use std::env;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, symlink};
use std::path::{Path, PathBuf};

use super::refuse::{Reason, Refusal};
use crate::sources::{Compiler, Library, Workshop};

const NAME: &str = "libsylvan_preload.so";

/// Returns a path to the library that can stand in `LD_PRELOAD`.
///
/// # Errors
///
/// It is not there and cannot be built, in words.
pub(crate) fn find() -> Result<PathBuf, Refusal> {
    let library = match beside_this_program() {
        Some(library) => library,
        None => build().map_err(missing)?,
    };
    if can_stand(&library) {
        return Ok(library);
    }
    by_another_name(&library)
        .map_err(|error| Reason::NoLibrary.of(&library, &format!("no plain name for it: {error}")))
}

fn missing(error: String) -> Refusal {
    Refusal { reason: Reason::NoLibrary, detail: error }
}

fn beside_this_program() -> Option<PathBuf> {
    let program = env::current_exe().ok()?;
    let folder = program.parent()?;
    [folder.join(NAME), folder.join("../lib").join(NAME)].into_iter().find(|path| path.is_file())
}

/// Builds it, if that has not been done.
fn build() -> Result<PathBuf, String> {
    let workshop = Workshop::open()?;
    if let Some(library) = workshop.built(NAME) {
        return Ok(library);
    }
    let compiler = Compiler::ask()?;
    let library =
        Library { file: NAME, packages: &["sylvan-preload"], target: &compiler.host, flags: &[] };
    Ok(workshop.build(library, &compiler)?.join(NAME))
}

/// Whether the loader takes it as it is: names in `LD_PRELOAD` end at blanks and colons, and `$` is a
/// variable.
fn can_stand(library: &Path) -> bool {
    !library.as_os_str().as_bytes().iter().any(|byte| b" \t\n:$".contains(byte))
}

/// A link to it under a name that the loader takes, in a folder of this user's.
fn by_another_name(library: &Path) -> io::Result<PathBuf> {
    let user = rustix::process::geteuid().as_raw();
    let folder = env::temp_dir().join(format!("sylvan-{user}"));
    match fs::DirBuilder::new().mode(0o700).create(&folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let found = fs::symlink_metadata(&folder)?;
    if !found.is_dir() || found.uid() != user || found.mode() & 0o022 != 0 {
        return Err(io::Error::other(format!("{} is somebody else's", folder.display())));
    }
    let library = fs::canonicalize(library)?;
    let link = folder.join(format!("{}-{NAME}", fs::metadata(&library)?.ino()));
    if !can_stand(&link) {
        return Err(io::Error::other(format!("{} has a blank or a colon in it", folder.display())));
    }
    if fs::read_link(&link).is_ok_and(|to| to == library) {
        return Ok(link);
    }
    // Others may do the same at this moment: the name appears at once, with a whole link.
    let new = folder.join(format!("{}.new", std::process::id()));
    symlink(&library, &new)?;
    fs::rename(&new, &link)?;
    Ok(link)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_the_loader_would_split_are_known() {
        assert!(can_stand(Path::new("/a-b_c.d/lib.so")));
        for name in ["/a b/lib.so", "/a:b/lib.so", "/$ORIGIN/lib.so"] {
            assert!(!can_stand(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn there_is_another_name_for_each() {
        let link = by_another_name(Path::new("/bin/sh")).unwrap();
        assert!(can_stand(&link));
        assert_eq!(fs::canonicalize(&link).unwrap(), fs::canonicalize("/bin/sh").unwrap());
        assert_eq!(by_another_name(Path::new("/bin/sh")).unwrap(), link);
        fs::remove_file(link).unwrap();
    }
}

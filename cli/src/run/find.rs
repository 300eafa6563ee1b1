//! From a name to the files that will run.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::refuse::{Reason, Refusal};

/// How many scripts may run each other, and how much of one the kernel looks at.
const DEPTH_MAX: usize = 5;
const LINE_MAX: u64 = 256;

/// Finds a program as a shell does: by `PATH`, unless its name is a path.
///
/// # Errors
///
/// There is none, or it may not be executed.
pub(crate) fn program(name: &OsStr) -> Result<PathBuf, Refusal> {
    let name = Path::new(name);
    if name.as_os_str().as_bytes().contains(&b'/') {
        return match fs::metadata(name) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Err(Reason::NotFound.of(name, &error.to_string()))
            }
            Err(error) => Err(Reason::NotExecutable.of(name, &error.to_string())),
            Ok(_) if is_executable(name) => Ok(name.to_owned()),
            Ok(_) => Err(Reason::NotExecutable.of(name, "it may not be executed")),
        };
    }
    let paths = env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/usr/bin:/bin".into());
    let mut not_executable = None;
    for folder in env::split_paths(&paths) {
        let path = folder.join(name);
        if is_executable(&path) {
            return Ok(path);
        }
        if not_executable.is_none() && path.is_file() {
            not_executable = Some(path);
        }
    }
    Err(match not_executable {
        Some(path) => Reason::NotExecutable.of(&path, "it may not be executed"),
        None => Reason::NotFound.of(name, "there is no such program in PATH"),
    })
}

fn is_executable(path: &Path) -> bool {
    path.is_file() && access(path, Access::EXEC_OK).is_ok()
}

/// The programs that run if `path` is executed: itself, or what its `#!` line names; and what `env` finds
/// for such a line.
///
/// # Errors
///
/// A program of a line is not there, or may not be executed.
pub(crate) fn what_runs(path: &Path) -> Result<Vec<PathBuf>, Refusal> {
    let mut path = path.to_owned();
    let mut programs = Vec::new();
    for _ in 0..DEPTH_MAX {
        let line = first_line(&path)
            .map_err(|error| Reason::NotExecutable.of(&path, &error.to_string()))?;
        let Some(line) = line.as_deref().and_then(|line| line.strip_prefix(b"#!")) else {
            programs.push(path);
            return Ok(programs);
        };
        let (interpreter, rest) = interpreter(line);
        let next = program(&interpreter)?;
        if next.file_name() == Some(OsStr::new("env"))
            && let Some(name) = behind_env(&rest)
        {
            programs.push(next);
            path = program(&name)?;
        } else {
            path = next;
        }
    }
    Err(Reason::NotExecutable.of(&path, "too many scripts run each other"))
}

fn first_line(path: &Path) -> io::Result<Option<Vec<u8>>> {
    let mut start = Vec::new();
    File::open(path)?.take(LINE_MAX).read_to_end(&mut start)?;
    Ok(start.split(|&byte| byte == b'\n').next().map(<[u8]>::to_owned))
}

fn is_blank(byte: &u8) -> bool {
    [b' ', b'\t'].contains(byte)
}

/// The program that a line names, and the one argument that the kernel makes of the rest.
fn interpreter(line: &[u8]) -> (OsString, Vec<u8>) {
    let line = line.trim_ascii();
    let end = line.iter().position(is_blank).unwrap_or(line.len());
    (OsStr::from_bytes(&line[..end]).to_owned(), line[end..].trim_ascii().to_owned())
}

/// The program that `env` is told to run: behind its options and the variables that it sets.
fn behind_env(arg: &[u8]) -> Option<OsString> {
    let arg = arg.strip_prefix(b"-S").unwrap_or(arg);
    arg.split(is_blank)
        .find(|word| !word.is_empty() && !word.starts_with(b"-") && !word.contains(&b'='))
        .map(|word| OsStr::from_bytes(word).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_a_program_and_one_argument() {
        let of = |line: &str| {
            let (program, rest) = interpreter(line.as_bytes());
            (program.into_string().unwrap(), String::from_utf8(rest).unwrap())
        };
        assert_eq!(of("/bin/sh"), ("/bin/sh".into(), String::new()));
        assert_eq!(of(" /usr/bin/env\tpython3 -u "), ("/usr/bin/env".into(), "python3 -u".into()));
    }

    #[test]
    fn env_runs_what_follows_its_options() {
        for arg in ["python3", "-S python3 -u", "-i A=b python3", "-Spython3"] {
            assert_eq!(behind_env(arg.as_bytes()).unwrap(), "python3");
        }
        assert_eq!(behind_env(b""), None);
    }

    #[test]
    fn a_name_that_is_a_path_is_not_looked_for() {
        assert_eq!(program("/bin/sh".as_ref()).unwrap(), Path::new("/bin/sh"));
        assert_eq!(program("./none".as_ref()).unwrap_err().reason, Reason::NotFound);
        assert_eq!(program("/etc/passwd".as_ref()).unwrap_err().reason, Reason::NotExecutable);
        assert_eq!(program("no-such-program".as_ref()).unwrap_err().reason, Reason::NotFound);
    }
}

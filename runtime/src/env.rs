//! What the environment says: variables that are not there, or are empty, mean nothing, and what one says that is of
//! no use is an error that names both.

use std::env;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::life;
use crate::sys::thread;

/// An error of that kind.
pub(crate) fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, text)
}

/// `NAME= program` is how a shell takes a variable away for once.
fn value(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// What `name` says, as `parse` has it.
///
/// # Errors
///
/// Where it says anything else than what was `expected`.
pub(crate) fn parsed<T>(
    name: &str,
    expected: &str,
    parse: impl FnOnce(&str) -> Option<T>,
) -> io::Result<Option<T>> {
    let Some(value) = value(name) else { return Ok(None) };
    value.to_str().and_then(parse).map(Some).ok_or_else(|| {
        invalid(format!("`{name}` expected {expected}, got `{}`", value.to_string_lossy()))
    })
}

/// A value that means something on Linux alone.
///
/// # Errors
///
/// Where there is one elsewhere.
pub(crate) fn on_linux_alone<T>(name: &str, value: Option<T>) -> io::Result<Option<T>> {
    if value.is_some() && cfg!(not(any(target_os = "linux", target_os = "android"))) {
        return Err(io::Error::new(io::ErrorKind::Unsupported, format!("`{name}` takes Linux")));
    }
    Ok(value)
}

/// A number above zero.
pub(crate) fn positive(name: &str) -> io::Result<Option<usize>> {
    parsed(name, "a positive integer", |value| value.parse().ok().filter(|n| *n > 0))
}

/// A time as `100ms` or `2s`.
pub(crate) fn duration(name: &str) -> io::Result<Option<Duration>> {
    let parse = |value: &str| match value.strip_suffix("ms") {
        Some(n) => n.parse().ok().map(Duration::from_millis),
        None => value.strip_suffix('s')?.parse().ok().map(Duration::from_secs),
    };
    parsed(name, "a time such as `100ms` or `2s`", |value| {
        parse(value).filter(|time| !time.is_zero())
    })
}

/// A file, wherever the process goes. `%p` in its name stands for the number of the process; where that is not in
/// the name, a child of a fork appends its own.
pub(crate) fn file(name: &str) -> io::Result<Option<PathBuf>> {
    let Some(value) = value(name) else { return Ok(None) };
    let pid = thread::process().to_string();
    let mut bytes = Vec::new();
    let mut rest = value.as_bytes();
    let mut has_number = false;
    while let Some(at) = rest.windows(2).position(|pair| pair == b"%p") {
        bytes.extend_from_slice(&rest[..at]);
        bytes.extend_from_slice(pid.as_bytes());
        rest = &rest[at + 2..];
        has_number = true;
    }
    bytes.extend_from_slice(rest);
    if !has_number && life::number() != life::FIRST {
        bytes.push(b'.');
        bytes.extend_from_slice(pid.as_bytes());
    }
    let path = PathBuf::from(OsString::from_vec(bytes));
    let cannot = |error| cannot_write(name, &path, error);
    Ok(Some(std::path::absolute(&path).map_err(cannot)?))
}

/// The file that `name` names cannot be written to.
pub(crate) fn cannot_write(name: &str, path: &Path, error: io::Error) -> io::Error {
    let why = format!("`{name}`: {} cannot be written: {error}", path.display());
    io::Error::new(error.kind(), why)
}

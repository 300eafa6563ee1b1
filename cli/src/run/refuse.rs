//! What cannot be made green, and how it is said: each reason has an exit status of its own.

use std::fmt;
use std::path::Path;

use super::elf::Object;

/// Why a program is not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Static,
    Privileged,
    OtherLibc,
    Go,
    OtherMachine,
    NoProgram,
    NoFsgsbase,
    NoStart,
    NoLibrary,
    NotExecutable,
    NotFound,
}

/// Each with its status, and what it means.
const REASONS: [(Reason, u8, &str); 11] = [
    (Reason::Static, 110, "the program is linked statically: no library can come before its own"),
    (
        Reason::Privileged,
        111,
        "it has rights of its own (set-user-id, capabilities): libraries are ignored",
    ),
    (Reason::OtherLibc, 112, "its C library is another one than glibc, such as musl"),
    (Reason::Go, 113, "it is a Go program, which starts its threads without a library"),
    (Reason::OtherMachine, 114, "it is for another architecture, or for 32 bits"),
    (Reason::NoProgram, 115, "the file is neither an ELF program nor a script with a `#!` line"),
    (Reason::NoFsgsbase, 116, "this processor or kernel has no FSGSBASE"),
    (Reason::NoStart, 117, "the runtime does not start here; a seccomp filter may forbid it"),
    (Reason::NoLibrary, 118, "libsylvan_preload.so is not there, and cannot be built"),
    (Reason::NotExecutable, 126, "the program cannot be executed"),
    (Reason::NotFound, 127, "there is no such program"),
];

impl Reason {
    fn row(self) -> (u8, &'static str) {
        let (_, status, text) =
            REASONS.into_iter().find(|(reason, ..)| *reason == self).expect("all are listed");
        (status, text)
    }

    /// The exit status that says it.
    pub(crate) fn status(self) -> u8 {
        self.row().0
    }

    /// The reason, as far as it concerns a file.
    pub(crate) fn of(self, file: &Path, detail: &str) -> Refusal {
        let detail = format!("{}: {detail}", file.display());
        Refusal { reason: self, detail }
    }
}

/// A reason, with what there is to say of this program.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) reason: Reason,
    pub(crate) detail: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

/// All statuses, a line each.
pub(crate) fn table() -> String {
    REASONS.map(|(_, status, text)| format!("  {status}  {text}\n")).concat()
}

/// Refuses what the file says cannot be made green.
///
/// # Errors
///
/// The reason.
pub(crate) fn check(file: &Path, object: &Object) -> Result<(), Refusal> {
    let refuse = |reason: Reason| Err(reason.of(file, reason.row().1));
    if !object.is_of_this_machine {
        return refuse(Reason::OtherMachine);
    }
    if object.is_go {
        return refuse(Reason::Go);
    }
    let Some(loader) = &object.loader else { return refuse(Reason::Static) };
    if !loader.rsplit('/').next().is_some_and(|name| name.starts_with("ld-linux")) {
        return refuse(Reason::OtherLibc);
    }
    if gains_rights(file) {
        return refuse(Reason::Privileged);
    }
    Ok(())
}

/// Refuses where the machine cannot do it.
///
/// # Errors
///
/// The reason.
pub(crate) fn check_machine() -> Result<(), Refusal> {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let (_, hwcap2) = rustix::param::linux_hwcap();
        if has_thread_pointer(hwcap2) {
            return Ok(());
        }
        let reason = Reason::NoFsgsbase;
        Err(Refusal { reason, detail: reason.row().1.to_owned() })
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    {
        let detail = "programs can be made green on Linux with glibc only".to_owned();
        Err(Refusal { reason: Reason::NoStart, detail })
    }
}

/// Whether a program may move its thread pointer, given the second word of what the kernel says of the processor.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn has_thread_pointer(hwcap2: usize) -> bool {
    const FSGSBASE: usize = 1 << 1;
    !cfg!(target_arch = "x86_64") || hwcap2 & FSGSBASE != 0
}

/// Whether the program has rights that whoever starts it has not: the loader ignores the environment then
/// (`AT_SECURE`). Asks as the kernel does: marks of the file count unless the file system or the process
/// says that they do not.
#[cfg(target_os = "linux")]
fn gains_rights(file: &Path) -> bool {
    use rustix::fs::{Mode, StatVfsMountFlags, getxattr, stat, statvfs};
    use rustix::process::{getegid, geteuid, getgid, getuid};
    use rustix::thread::no_new_privs;

    if geteuid() != getuid() || getegid() != getgid() {
        return true;
    }
    if statvfs(file).is_ok_and(|it| it.f_flag.contains(StatVfsMountFlags::NOSUID)) {
        return false;
    }
    // Whoever is root in truth has them all.
    if !getuid().is_root() && getxattr(file, "security.capability", &mut [0_u8; 64][..]).is_ok() {
        return true;
    }
    let Ok(found) = stat(file) else { return false };
    let mode = Mode::from_raw_mode(found.st_mode);
    let sets_user = mode.contains(Mode::SUID) && found.st_uid != getuid().as_raw();
    let sets_group = mode.contains(Mode::SGID | Mode::XGRP) && found.st_gid != getgid().as_raw();
    (sets_user || sets_group) && !no_new_privs().unwrap_or(false)
}

#[cfg(not(target_os = "linux"))]
fn gains_rights(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_status_of_its_own() {
        for (i, (reason, status, _)) in REASONS.into_iter().enumerate() {
            assert_eq!(reason.status(), status);
            assert!(REASONS[..i].iter().all(|(_, other, _)| *other < status), "{status}");
        }
    }

    #[cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]
    #[test]
    fn the_kernel_says_whether_the_thread_pointer_may_be_moved() {
        assert!(has_thread_pointer(0b10) && has_thread_pointer(0b11));
        assert!(!has_thread_pointer(0) && !has_thread_pointer(0b01));
    }
}

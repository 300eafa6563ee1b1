//! Files, and what else a disk, a server or another process may keep waiting, in blocking sections.
//!
//! The rule is that of the mirror's `fs`: a call that takes a path, or waits until something is on the disk,
//! may take long. It is made so that no other green thread waits for it. A section costs little where it does
//! not. What works on an open file in memory (`lseek`, `fstat`, `mmap`) is libc's alone. So is what a child
//! does between `vfork` and `exec` (`chdir`), and what calls the program back (`scandir`, `glob`, `ftw`).
//! Their own calls hold a worker, whose core goes to another one if they last.
//!
//! Locks of files, and the queues and semaphores of System V, are the kernel's to wait for.

use std::ffi::{c_char, c_int, c_long, c_uint, c_void};

use libc::{
    DIR, aiocb, dev_t, dirent, dirent64, gid_t, mode_t, off_t, off64_t, sembuf, size_t, ssize_t,
    timespec, timeval, uid_t, utimbuf,
};

use crate::wait::sections;

// Until something is on the disk, or another process lets go or sends: cancellation points.
sections! { cancellation points:
    fsync(fd: c_int) -> c_int;
    fdatasync(fd: c_int) -> c_int;
    msync(at: *mut c_void, len: size_t, flags: c_int) -> c_int;
    sync_file_range(fd: c_int, from: off64_t, len: off64_t, flags: c_uint) -> c_int;
    fallocate(fd: c_int, mode: c_int, from: off_t, len: off_t) -> c_int;
    fallocate64(fd: c_int, mode: c_int, from: off64_t, len: off64_t) -> c_int;
    tcdrain(fd: c_int) -> c_int;
    lockf(fd: c_int, command: c_int, len: off_t) -> c_int;
    lockf64(fd: c_int, command: c_int, len: off64_t) -> c_int;
    msgsnd(queue: c_int, message: *const c_void, len: size_t, flags: c_int) -> c_int;
    msgrcv(queue: c_int, message: *mut c_void, len: size_t, kind: c_long, flags: c_int) -> c_long;
    aio_suspend(list: *const *const aiocb, n: c_int, time: *const timespec) -> c_int;
    aio_suspend64(list: *const *const aiocb, n: c_int, time: *const timespec) -> c_int;
}

// The same.
sections! {
    syncfs(fd: c_int) -> c_int;
    sync() -> ();
    ftruncate(fd: c_int, len: off_t) -> c_int;
    ftruncate64(fd: c_int, len: off64_t) -> c_int;
    truncate(path: *const c_char, len: off_t) -> c_int;
    truncate64(path: *const c_char, len: off64_t) -> c_int;
    posix_fallocate(fd: c_int, from: off_t, len: off_t) -> c_int;
    posix_fallocate64(fd: c_int, from: off64_t, len: off64_t) -> c_int;
    flock(fd: c_int, operation: c_int) -> c_int;
    semop(set: c_int, operations: *mut sembuf, n: size_t) -> c_int;
    semtimedop(set: c_int, operations: *mut sembuf, n: size_t, time: *const timespec) -> c_int;
}

// What a path means, and what is there.
sections! {
    stat(path: *const c_char, to: *mut libc::stat) -> c_int;
    stat64(path: *const c_char, to: *mut libc::stat64) -> c_int;
    lstat(path: *const c_char, to: *mut libc::stat) -> c_int;
    lstat64(path: *const c_char, to: *mut libc::stat64) -> c_int;
    fstatat(at: c_int, path: *const c_char, to: *mut libc::stat, flags: c_int) -> c_int;
    fstatat64(at: c_int, path: *const c_char, to: *mut libc::stat64, flags: c_int) -> c_int;
    statx(at: c_int, path: *const c_char, flags: c_int, mask: c_uint, to: *mut libc::statx) -> c_int;
    statfs(path: *const c_char, to: *mut libc::statfs) -> c_int;
    statfs64(path: *const c_char, to: *mut libc::statfs64) -> c_int;
    statvfs(path: *const c_char, to: *mut libc::statvfs) -> c_int;
    statvfs64(path: *const c_char, to: *mut libc::statvfs64) -> c_int;
    access(path: *const c_char, mode: c_int) -> c_int;
    faccessat(at: c_int, path: *const c_char, mode: c_int, flags: c_int) -> c_int;
    readlink(path: *const c_char, to: *mut c_char, len: size_t) -> ssize_t;
    readlinkat(at: c_int, path: *const c_char, to: *mut c_char, len: size_t) -> ssize_t;
    realpath(path: *const c_char, to: *mut c_char) -> *mut c_char;
    opendir(path: *const c_char) -> *mut DIR;
    readdir(folder: *mut DIR) -> *mut dirent;
    readdir64(folder: *mut DIR) -> *mut dirent64;
}

// What changes that.
sections! {
    rename(from: *const c_char, to: *const c_char) -> c_int;
    renameat(from_at: c_int, from: *const c_char, to_at: c_int, to: *const c_char) -> c_int;
    renameat2(
        from_at: c_int,
        from: *const c_char,
        to_at: c_int,
        to: *const c_char,
        flags: c_uint,
    ) -> c_int;
    link(from: *const c_char, to: *const c_char) -> c_int;
    linkat(
        from_at: c_int,
        from: *const c_char,
        to_at: c_int,
        to: *const c_char,
        flags: c_int,
    ) -> c_int;
    symlink(text: *const c_char, to: *const c_char) -> c_int;
    symlinkat(text: *const c_char, at: c_int, to: *const c_char) -> c_int;
    unlink(path: *const c_char) -> c_int;
    unlinkat(at: c_int, path: *const c_char, flags: c_int) -> c_int;
    remove(path: *const c_char) -> c_int;
    mkdir(path: *const c_char, mode: mode_t) -> c_int;
    mkdirat(at: c_int, path: *const c_char, mode: mode_t) -> c_int;
    rmdir(path: *const c_char) -> c_int;
    mknod(path: *const c_char, mode: mode_t, device: dev_t) -> c_int;
    mkfifo(path: *const c_char, mode: mode_t) -> c_int;
    chmod(path: *const c_char, mode: mode_t) -> c_int;
    fchmod(fd: c_int, mode: mode_t) -> c_int;
    fchmodat(at: c_int, path: *const c_char, mode: mode_t, flags: c_int) -> c_int;
    chown(path: *const c_char, user: uid_t, group: gid_t) -> c_int;
    lchown(path: *const c_char, user: uid_t, group: gid_t) -> c_int;
    fchown(fd: c_int, user: uid_t, group: gid_t) -> c_int;
    fchownat(at: c_int, path: *const c_char, user: uid_t, group: gid_t, flags: c_int) -> c_int;
    utime(path: *const c_char, times: *const utimbuf) -> c_int;
    utimes(path: *const c_char, times: *const timeval) -> c_int;
    utimensat(at: c_int, path: *const c_char, times: *const timespec, flags: c_int) -> c_int;
    futimens(fd: c_int, times: *const timespec) -> c_int;
}

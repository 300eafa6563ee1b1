//! Functions of libc's that the mirror stands in for: they are in force in every program that links it,
//! for shared libraries, too.

#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![allow(unsafe_code, reason = "looks symbols up")]

use std::ffi::{CStr, c_void};

use std_shim as _;

/// The object that has what is at this address.
fn object_of(address: *const c_void) -> *mut c_void {
    // SAFETY: asks about an address.
    unsafe {
        let mut info = std::mem::zeroed::<libc::Dl_info>();
        assert_ne!(libc::dladdr(address, &mut info), 0);
        info.dli_fbase
    }
}

/// What a shared library would call by that name.
fn found_by_libraries(name: &CStr) -> *const c_void {
    // SAFETY: looks a name up.
    unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) }
}

#[test]
fn a_shared_librarys_calls_come_by_the_program_that_calls_none_of_them() {
    let program = object_of(object_of as *const c_void);
    let names = [
        c"capset",
        c"clock_gettime",
        c"close",
        c"close_range",
        c"closefrom",
        c"dup2",
        c"dup3",
        c"fclose",
        c"fcntl",
        c"fcntl64",
        c"getrusage",
        c"ioctl",
        c"nice",
        c"personality",
        c"prctl",
        c"pthread_create",
        c"pthread_detach",
        c"pthread_getaffinity_np",
        c"pthread_getattr_np",
        c"pthread_getcpuclockid",
        c"pthread_getschedparam",
        c"pthread_setaffinity_np",
        c"pthread_setname_np",
        c"pthread_setschedparam",
        c"pthread_setschedprio",
        c"pthread_sigmask",
        c"ptrace",
        c"sched_setaffinity",
        c"sched_setparam",
        c"sched_setscheduler",
        c"setfsgid",
        c"setfsuid",
        c"setns",
        c"setpriority",
        c"setsockopt",
        c"sigprocmask",
        c"syscall",
        c"unshare",
    ];
    for name in names {
        assert_eq!(object_of(found_by_libraries(name)), program, "{name:?}");
    }
    assert_ne!(object_of(found_by_libraries(c"getpid")), program);
}

#[test]
fn what_succeeds_leaves_errno_alone() {
    let calls = || {
        // SAFETY: a stream in memory, a descriptor of this test's own, and a place for a time.
        unsafe {
            let stream = libc::fmemopen(std::ptr::null_mut(), 16, c"w".as_ptr());
            let (socket, _peer) = std_shim::os::unix::net::UnixStream::pair().expect("a pair");
            let fd = std_shim::os::fd::IntoRawFd::into_raw_fd(socket);
            let mut time = std::mem::zeroed();
            *libc::__errno_location() = libc::ENOTNAM;
            let results = [
                libc::fclose(stream),
                libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK),
                libc::close(fd),
                libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time),
                libc::prctl(libc::PR_SET_TIMERSLACK, 50_000),
            ];
            assert_eq!(results, [0; 5]);
            assert_eq!(*libc::__errno_location(), libc::ENOTNAM);
        }
    };
    calls();
    std_shim::thread::spawn(calls).join().expect("no panic");
}

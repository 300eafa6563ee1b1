//! Children: waiting for them, and starting them.
//!
//! # Waiting
//!
//! That for one child stands in [`calls::child`](crate::calls::child). For any child, or one that was stopped,
//! the kernel waits itself, in a blocking section.
//!
//! # Starting
//!
//! `system`, `popen`, `pclose` and `posix_spawn` are libc's, in a blocking section. What waits in `fork` is the
//! runtime's to see to (`sylvan`), by libc's own hooks, and so these are not taken: `fork`, `_Fork`, `clone`,
//! `daemon`. Nor is `vfork`, which no function can stand in for that returns: its child runs in the frame
//! of the caller. What mask its program begins with `exec` sees to.

use std::ffi::{c_char, c_int, c_long};
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};

use libc::{
    FILE, P_PID, P_PIDFD, WCONTINUED, WEXITED, WNOHANG, WSTOPPED, WUNTRACED, id_t, idtype_t, pid_t,
    posix_spawn_file_actions_t, posix_spawnattr_t, rusage, siginfo_t,
};
use sylvan::contract::io::Origin;
use sylvan::contract::numbers;

use crate::calls::child::{self, STARTS};
use crate::cancel;
use crate::errno::{errno, fails, number_of, set_errno};
use crate::kernel;
use crate::next::call_next;
use crate::signal::delivery::wearing_own_mask;
use crate::transfer::there;
use crate::wait::{self, Restart, sections};

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn wait4(
    pid: pid_t,
    status: *mut c_int,
    options: c_int,
    usage: *mut rusage,
) -> pid_t {
    let next = || {
        // SAFETY: as the caller promises.
        unsafe {
            call_next!(
                wait4(pid_t, *mut c_int, c_int, *mut rusage) -> pid_t,
                pid,
                status,
                options,
                usage,
            )
        }
    };
    if !sylvan::is_green() {
        return next();
    }
    let [status, usage] = [status.expose_provenance(), usage.expose_provenance()];
    let ask = |options: c_int| {
        let arguments = [pid.into(), status as c_long, options.into(), usage as c_long, 0, 0];
        // SAFETY: as the caller promises.
        result(unsafe { kernel::enter(libc::SYS_wait4, arguments) })
    };
    let tells_end_alone = options & (WUNTRACED | WCONTINUED) == 0;
    let one = Some(pid).filter(|pid| *pid > 0 && tells_end_alone);
    cancel::around(|| {
        let end = until_end(options, one.map(One::Pid), |options| {
            ask(options).map(|pid| Some(pid).filter(|pid| *pid != 0))
        });
        to_result(end.map(Option::unwrap_or_default))
    })
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn wait3(
    status: *mut c_int,
    options: c_int,
    usage: *mut rusage,
) -> pid_t {
    // SAFETY: as the caller promises.
    unsafe { wait4(-1, status, options, usage) }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn waitpid(pid: pid_t, status: *mut c_int, options: c_int) -> pid_t {
    // SAFETY: as the caller promises.
    unsafe { wait4(pid, status, options, std::ptr::null_mut()) }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn wait(status: *mut c_int) -> pid_t {
    // SAFETY: as the caller promises.
    unsafe { wait4(-1, status, 0, std::ptr::null_mut()) }
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn waitid(
    kind: idtype_t,
    id: id_t,
    info: *mut siginfo_t,
    options: c_int,
) -> c_int {
    if !sylvan::is_green() {
        // SAFETY: as the caller promises.
        return unsafe {
            call_next!(
                waitid(idtype_t, id_t, *mut siginfo_t, c_int) -> c_int,
                kind,
                id,
                info,
                options,
            )
        };
    }
    // SAFETY: numbers and pointers.
    let mut found: siginfo_t = unsafe { std::mem::zeroed() };
    let to = (&raw mut found).expose_provenance() as c_long;
    let ask = |options: c_int| {
        let arguments = [kind.into(), id.into(), to, options.into(), 0, 0];
        // SAFETY: `found` has room for what is found.
        result(unsafe { kernel::enter(libc::SYS_waitid, arguments) })?;
        // SAFETY: 0 unless a child was found.
        let pid =
            unsafe { (&*std::ptr::with_exposed_provenance::<siginfo_t>(to as usize)).si_pid() };
        Ok((pid != 0).then_some(pid))
    };
    let tells_end_alone = options & (WEXITED | WSTOPPED | WCONTINUED) == WEXITED;
    let one = match kind {
        _ if !tells_end_alone => None,
        P_PID => pid_t::try_from(id).ok().map(One::Pid),
        P_PIDFD => c_int::try_from(id).ok().filter(|fd| blocks(*fd)).map(One::Pidfd),
        _ => None,
    };
    cancel::around(|| match until_end(options, one, ask) {
        Err(error) => fails(number_of(&error)),
        Ok(_) => {
            if !info.is_null() {
                // SAFETY: as the caller promises.
                unsafe { info.write(found) };
            }
            0
        }
    })
}

/// A child that can be waited for by a descriptor.
enum One {
    Pid(pid_t),
    Pidfd(c_int),
}

/// Whether waiting by a pidfd blocks.
fn blocks(pidfd: c_int) -> bool {
    let arguments = [pidfd.into(), libc::F_GETFL.into(), 0, 0, 0, 0];
    // SAFETY: asks about a number.
    let flags = unsafe { kernel::enter(libc::SYS_fcntl, arguments) };
    flags & c_long::from(libc::O_NONBLOCK) == 0
}

/// Has a green thread wait for a child: for `one`, or for whatever `ask` asks for with the options.
fn until_end(
    options: c_int,
    one: Option<One>,
    ask: impl Fn(c_int) -> io::Result<Option<pid_t>> + Sync,
) -> io::Result<Option<pid_t>> {
    if options & WNOHANG != 0 {
        return ask(options);
    }
    child::wait(
        Restart::AsAsked,
        || one.as_ref().and_then(watch),
        |waits| ask(if waits { options } else { options | WNOHANG }),
    )
    .map(Some)
}

/// A descriptor of the caller's own that tells of the child's end.
fn watch(one: &One) -> Option<OwnedFd> {
    match *one {
        One::Pid(pid) => child::watch(pid.cast_unsigned()),
        One::Pidfd(fd) => there(fd).try_clone_to_owned().ok(),
    }
}

/// What the kernel has said.
#[expect(clippy::cast_possible_truncation, reason = "a process or an error")]
fn result(result: c_long) -> io::Result<pid_t> {
    if result < 0 { Err(io::Error::from_raw_os_error(-result as i32)) } else { Ok(result as pid_t) }
}

fn to_result(result: io::Result<pid_t>) -> pid_t {
    result.unwrap_or_else(|error| fails(number_of(&error)))
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn system(command: *const c_char) -> c_int {
    // SAFETY: as the caller promises.
    wait::section(|| unsafe {
        wearing_own_mask(|| call_next!(system(*const c_char) -> c_int, command))
    })
}

sections! { STARTS, wearing_own_mask:
    posix_spawn(
        pid: *mut pid_t,
        path: *const c_char,
        actions: *const posix_spawn_file_actions_t,
        attributes: *const posix_spawnattr_t,
        arguments: *const *mut c_char,
        environment: *const *mut c_char,
    ) -> c_int;
    posix_spawnp(
        pid: *mut pid_t,
        file: *const c_char,
        actions: *const posix_spawn_file_actions_t,
        attributes: *const posix_spawnattr_t,
        arguments: *const *mut c_char,
        environment: *const *mut c_char,
    ) -> c_int;
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn popen(command: *const c_char, mode: *const c_char) -> *mut FILE {
    // SAFETY: as the caller promises.
    let stream = wait::throttled_section(&STARTS, || unsafe {
        wearing_own_mask(|| {
            call_next!(popen(*const c_char, *const c_char) -> *mut FILE, command, mode)
        })
    });
    if !stream.is_null() && sylvan::has_started() {
        // SAFETY: it has just been opened; so has its descriptor.
        let fd = unsafe { BorrowedFd::borrow_raw(libc::fileno(stream)) };
        sylvan::contract::io::attach(fd, Origin::Adopted);
    }
    stream
}

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn pclose(stream: *mut FILE) -> c_int {
    let before = errno();
    // SAFETY: as the caller promises.
    numbers::closing(unsafe { libc::fileno(stream) });
    set_errno(before);
    // SAFETY: as the caller promises.
    wait::section(|| unsafe { call_next!(pclose(*mut FILE) -> c_int, stream) })
}

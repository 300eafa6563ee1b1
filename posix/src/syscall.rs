//! `syscall`: system calls by their number.
//!
//! libc's own does nothing but make the call, and so does this one, without a look for the next
//! definition: it may be called before there can be one, by an allocator. The calls that the runtime has
//! to see are the cold arms of one `match`.
//!
//! libc's takes as many arguments as the call has; on these architectures any that are not given are
//! whatever is in their registers, which the kernel does not look at.

use std::ffi::{c_int, c_long, c_uint, c_ulong};
use std::time::Instant;

use libc::timespec;

use crate::attributes::{
    About, PERSONALITY_QUERY, PRIO_PROCESS, about_prctl, after_prctl, begins_to_trace, change,
    is_own, own,
};
use crate::descriptors;
use crate::directed;
use crate::epoll;
use crate::errno::{fails, set_errno};
use crate::exec;
use crate::futex;
use crate::in_place_of_libc;
use crate::kernel;
use crate::numbered::{To, kernels};
use crate::owner;
use crate::poll::{self, length, to_timespec};
use crate::process;
use crate::select;
use crate::signal::{is_ours, rt_sigprocmask};
use crate::time;
use crate::timer;
use crate::wait;
use crate::whole::is_whole;

in_place_of_libc! { syscall }

/// As that of libc.
///
/// # Safety
///
/// As that of libc.
pub unsafe extern "C-unwind" fn syscall(
    number: c_long,
    a: c_long,
    b: c_long,
    c: c_long,
    d: c_long,
    e: c_long,
    f: c_long,
) -> c_long {
    // First, and out of registers: what std and others wait and wake by.
    if number == libc::SYS_futex && is_whole() {
        // SAFETY: as the caller promises.
        return unsafe { futex::call([a, b, c, d, e, f]) };
    }
    let call = Call { number, arguments: [a, b, c, d, e, f] };
    match number {
        libc::SYS_prctl
        | libc::SYS_ptrace
        | libc::SYS_perf_event_open
        | libc::SYS_io_uring_setup
        | libc::SYS_io_uring_enter
        | libc::SYS_seccomp
        | libc::SYS_landlock_restrict_self
        | libc::SYS_capset
        | libc::SYS_unshare
        | libc::SYS_setns
        | libc::SYS_personality
        | libc::SYS_keyctl
        | libc::SYS_set_mempolicy
        | libc::SYS_setuid
        | libc::SYS_setgid
        | libc::SYS_setreuid
        | libc::SYS_setregid
        | libc::SYS_setresuid
        | libc::SYS_setresgid
        | libc::SYS_setgroups
        | libc::SYS_setfsuid
        | libc::SYS_setfsgid
        | libc::SYS_sched_setaffinity
        | libc::SYS_sched_setscheduler
        | libc::SYS_sched_setparam
        | libc::SYS_sched_setattr
        | libc::SYS_setpriority
        | libc::SYS_ioprio_set => {
            // SAFETY: as the caller promises.
            unsafe { call.on_own_thread() }
        }
        libc::SYS_rt_sigprocmask if d == size_of::<u64>() as c_long => {
            // SAFETY: as the caller promises.
            unsafe { call.on_mask() }
        }
        libc::SYS_close | libc::SYS_close_range | libc::SYS_dup3 => {
            // SAFETY: as above.
            unsafe { call.on_number() }
        }
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        libc::SYS_dup2 => unsafe { call.on_number() },
        libc::SYS_gettid if is_whole() => owner::me().into(),
        // What it is about is the OS thread's end, and libc's.
        libc::SYS_set_tid_address if is_whole() && sylvan::is_green() => owner::me().into(),
        libc::SYS_epoll_pwait
        | libc::SYS_epoll_pwait2
        | libc::SYS_nanosleep
        | libc::SYS_clock_nanosleep
        | libc::SYS_wait4
        | libc::SYS_ppoll
        | libc::SYS_pselect6
            if is_whole() && sylvan::is_green() =>
        {
            // SAFETY: as above.
            unsafe { call.wait() }
        }
        libc::SYS_waitid if e == 0 && is_whole() && sylvan::is_green() => {
            // SAFETY: as above.
            unsafe { call.wait() }
        }
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll | libc::SYS_select | libc::SYS_epoll_wait
            if is_whole() && sylvan::is_green() =>
        {
            // SAFETY: as above.
            unsafe { call.wait() }
        }
        libc::SYS_tgkill if is_whole() => {
            // SAFETY: as above.
            unsafe { directed::tgkill(a as c_int, b as c_int, c as c_int) }.into()
        }
        libc::SYS_rt_tgsigqueueinfo if is_whole() => {
            // SAFETY: as above.
            unsafe {
                directed::rt_tgsigqueueinfo(a as c_int, b as c_int, c as c_int, d as *const _)
            }
            .into()
        }
        libc::SYS_rt_sigaction if is_ours(a as c_int) && b != 0 && is_whole() => {
            // It has no handler of the program's.
            fails(libc::EINVAL).into()
        }
        libc::SYS_timer_create => {
            // SAFETY: as above.
            unsafe { timer::raw_create(a as c_int, b as *mut _, c as *mut _) }.into()
        }
        libc::SYS_execve | libc::SYS_execveat if is_whole() => {
            // SAFETY: as above.
            exec::begin(|| unsafe { call.make() } as c_int).into()
        }
        libc::SYS_timer_delete if is_whole() => timer::raw_delete(a as c_int).into(),
        // SAFETY: as above.
        libc::SYS_setitimer if is_whole() => unsafe {
            timer::setitimer(a as c_int, b as *const _, c as *mut _).into()
        },
        // SAFETY: as above.
        libc::SYS_getitimer if is_whole() => unsafe {
            timer::getitimer(a as c_int, b as *mut _).into()
        },
        libc::SYS_tkill if is_whole() => directed::tkill(a as c_int, b as c_int).into(),
        libc::SYS_sched_getaffinity
        | libc::SYS_sched_getscheduler
        | libc::SYS_sched_getparam
        | libc::SYS_sched_getattr
        | libc::SYS_getpriority
            if is_whole() =>
        {
            // SAFETY: as above.
            call.naming(To::Ask)
                .map_or_else(|error| fails(error).into(), |call| unsafe { call.make() })
        }
        // SAFETY: as above.
        libc::SYS_futex_waitv if is_whole() => unsafe { call.block() },
        // SAFETY: as above.
        _ => unsafe { call.make() },
    }
}

/// Makes a call that waits for as long as `time` says, if it is there, and leaves there what is left of that.
///
/// # Safety
///
/// It is null, or points to a time.
unsafe fn telling_time_left(time: *mut timespec, call: impl FnOnce() -> c_int) -> c_int {
    let begin = Instant::now();
    // SAFETY: as the caller promises, here and below.
    let asked = unsafe { length(time) };
    let result = call();
    if let Ok(Some(asked)) = asked {
        let left = to_timespec(asked.saturating_sub(begin.elapsed()));
        // SAFETY: as above.
        unsafe { time.write(left) };
    }
    result
}

/// A system call that somebody wants to make.
struct Call {
    number: c_long,
    arguments: [c_long; 6],
}

impl Call {
    /// One that is about the calling OS thread, or may be.
    ///
    /// # Safety
    ///
    /// As for `make`.
    #[cold]
    #[expect(clippy::cast_possible_truncation, reason = "as the kernel takes it")]
    #[expect(clippy::cast_sign_loss, reason = "as the kernel takes it")]
    unsafe fn on_own_thread(self) -> c_long {
        let about = self.about();
        let this = match self.naming(To::Change) {
            Ok(this) => this,
            Err(error) => return fails(error).into(),
        };
        // SAFETY: as the caller promises.
        let make = || unsafe { this.make() };
        match about {
            About::Attributes => change(-1, make),
            About::Own if !own() => -1,
            _ => {
                let result = make();
                if this.number == libc::SYS_prctl {
                    let [option, argument, ..] = this.arguments;
                    // SAFETY: the kernel has read or written there.
                    unsafe { after_prctl(result, option as c_int, argument as c_ulong) };
                }
                result
            }
        }
    }

    /// The same, with the kernel's number of the thread that it names, if it names one.
    #[cold]
    #[expect(clippy::cast_possible_truncation, reason = "as the kernel takes it")]
    fn naming(mut self, to: To) -> Result<Self, c_int> {
        let of_priority = c_long::from(PRIO_PROCESS);
        let at = match self.number {
            libc::SYS_setpriority | libc::SYS_getpriority if self.arguments[0] == of_priority => 1,
            libc::SYS_sched_setaffinity
            | libc::SYS_sched_setscheduler
            | libc::SYS_sched_setparam
            | libc::SYS_sched_setattr
            | libc::SYS_sched_getaffinity
            | libc::SYS_sched_getscheduler
            | libc::SYS_sched_getparam
            | libc::SYS_sched_getattr => 0,
            _ => return Ok(self),
        };
        if is_whole() {
            self.arguments[at] = kernels(self.arguments[at] as c_int, to)?.into();
        }
        Ok(self)
    }

    /// One that a green thread waits in, as libc's function of that name.
    ///
    /// # Safety
    ///
    /// As for `make`.
    #[cold]
    #[expect(clippy::cast_possible_truncation, reason = "as the kernel takes it")]
    #[expect(clippy::cast_sign_loss, reason = "as the kernel takes it")]
    unsafe fn wait(self) -> c_long {
        let [a, b, c, d, e, f] = self.arguments;
        let (first, third, fourth) = (a as c_int, c as c_int, d as c_int);
        // SAFETY: as the caller promises: what the kernel would read and write is at these addresses.
        let result = unsafe {
            match self.number {
                #[cfg(target_arch = "x86_64")]
                libc::SYS_poll => poll::poll(a as _, b as _, third),
                #[cfg(target_arch = "x86_64")]
                libc::SYS_select => select::select(first, b as _, c as _, d as _, e as _),
                #[cfg(target_arch = "x86_64")]
                libc::SYS_epoll_wait => epoll::epoll_wait(first, b as _, third, fourth),
                libc::SYS_epoll_pwait => epoll::epoll_pwait(first, b as _, third, fourth, e as _),
                libc::SYS_epoll_pwait2 => epoll::epoll_pwait2(first, b as _, third, d as _, e as _),
                libc::SYS_ppoll => telling_time_left(c as *mut timespec, || {
                    poll::ppoll(a as _, b as _, c as _, d as _)
                }),
                libc::SYS_pselect6 => telling_time_left(e as *mut timespec, || {
                    // The mask and its size.
                    let mask = (f as *const [usize; 2]).as_ref().map_or(0, |mask| mask[0]);
                    let mask = std::ptr::with_exposed_provenance(mask);
                    select::pselect(first, b as _, c as _, d as _, e as _, mask)
                }),
                libc::SYS_waitid => process::waitid(a as _, b as _, c as _, fourth),
                libc::SYS_wait4 => process::wait4(first, b as _, third, d as _),
                libc::SYS_nanosleep => time::nanosleep(a as _, b as _),
                _ => match time::clock_nanosleep(first, b as c_int, c as _, d as _) {
                    0 => 0,
                    error => fails(error),
                },
            }
        };
        result.into()
    }

    /// One that asks for the signal mask or changes it.
    ///
    /// # Safety
    ///
    /// As for `make`.
    #[cold]
    #[expect(clippy::cast_possible_truncation, reason = "as the kernel takes it")]
    unsafe fn on_mask(self) -> c_long {
        let [how, set, before, ..] = self.arguments;
        // SAFETY: as the caller promises: what the kernel would read and write is at these addresses.
        let done = unsafe { rt_sigprocmask(how as c_int, set as *const u64, before as *mut u64) };
        match done {
            Ok(()) => 0,
            Err(error) => {
                set_errno(error.raw_os_error().unwrap_or(libc::EINVAL));
                -1
            }
        }
    }

    /// One that closes the number of a descriptor, or has it mean another file.
    ///
    /// # Safety
    ///
    /// As for `make`.
    #[cold]
    #[expect(clippy::cast_possible_truncation, reason = "as the kernel takes them")]
    #[expect(clippy::cast_sign_loss, reason = "as the kernel takes them")]
    unsafe fn on_number(self) -> c_long {
        let [a, b, c, ..] = self.arguments;
        // SAFETY: as the caller promises.
        let result = unsafe {
            match self.number {
                libc::SYS_close => descriptors::close(a as c_int),
                libc::SYS_close_range => {
                    descriptors::close_range(a as c_uint, b as c_uint, c as c_int)
                }
                libc::SYS_dup3 => descriptors::dup3(a as c_int, b as c_int, c as c_int),
                _ => descriptors::dup2(a as c_int, b as c_int),
            }
        };
        result.into()
    }

    #[expect(clippy::cast_possible_truncation, reason = "as the kernel takes them")]
    #[expect(clippy::cast_sign_loss, reason = "as the kernel takes them")]
    fn about(&self) -> About {
        const STRICT: c_long = 0;
        const FILTER: c_long = 1;
        const FOR_ALL_THREADS: c_long = 1;
        const JOIN_SESSION_KEYRING: c_long = 1;
        const SET_REQKEY_KEYRING: c_long = 14;
        const IOPRIO_WHO_PROCESS: c_long = 1;
        let [a, b, ..] = self.arguments;
        let of = |attributes| if attributes { About::Attributes } else { About::Other };
        let of_own = |own| if own { About::Own } else { About::Other };
        match self.number {
            libc::SYS_prctl => about_prctl(a as c_int, b as c_ulong),
            libc::SYS_ptrace => of_own(begins_to_trace(a as c_uint)),
            // A ring is its maker's, and what is under way ends with the OS thread that asked for it.
            libc::SYS_io_uring_setup | libc::SYS_io_uring_enter => About::Own,
            libc::SYS_perf_event_open => of_own(is_own(b as c_int)),
            libc::SYS_seccomp => of(a == STRICT || a == FILTER && b & FOR_ALL_THREADS == 0),
            libc::SYS_personality => of(a as c_ulong != PERSONALITY_QUERY),
            libc::SYS_keyctl => of(matches!(a, JOIN_SESSION_KEYRING | SET_REQKEY_KEYRING)),
            libc::SYS_sched_setaffinity
            | libc::SYS_sched_setscheduler
            | libc::SYS_sched_setparam
            | libc::SYS_sched_setattr => of(is_own(a as c_int)),
            libc::SYS_setpriority => of(a as c_uint == PRIO_PROCESS && is_own(b as c_int)),
            libc::SYS_ioprio_set => of(a == IOPRIO_WHO_PROCESS && is_own(b as c_int)),
            _ => About::Attributes,
        }
    }

    /// One that waits in the kernel.
    ///
    /// # Safety
    ///
    /// As for `make`.
    #[cold]
    #[expect(clippy::cast_possible_truncation, reason = "an error is small")]
    unsafe fn block(&self) -> c_long {
        // SAFETY: as the caller promises.
        let result = wait::section(|| unsafe { kernel::enter(self.number, self.arguments) });
        if result < 0 {
            set_errno(-result as c_int);
            return -1;
        }
        result
    }

    /// Makes the call, and leaves its error in `errno`.
    ///
    /// # Safety
    ///
    /// What the call asks for.
    #[inline(always)]
    unsafe fn make(&self) -> c_long {
        // SAFETY: as the caller promises.
        unsafe { kernel::call(self.number, self.arguments) }
    }
}

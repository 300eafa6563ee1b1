//! What the kernel knows of OS threads.

#[cfg(any(target_os = "linux", target_os = "android"))]
use super::kernel;

/// Whether the calling one is the one that the process began with.
pub(crate) fn is_main() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let main = rustix::thread::gettid() == rustix::process::getpid();
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    // SAFETY: asks a question.
    let main = unsafe { libc::pthread_main_np() } != 0;
    main
}

/// The number of the calling OS thread, for what asks about one.
pub(crate) fn id() -> u32 {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let id = rustix::thread::gettid().as_raw_nonzero().get().cast_unsigned();
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let id = 0;
    id
}

/// Whether this process has an OS thread of that number; `false` where nobody can tell.
pub(crate) fn is_there(id: u32) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    // SAFETY: sends nothing.
    let is_there = unsafe {
        kernel::call(libc::SYS_tgkill, [process() as usize, id as usize, 0, 0, 0, 0]).is_ok()
    };
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let is_there = {
        let _ = id;
        false
    };
    is_there
}

/// Names the calling OS thread, for those who look at it from outside: as much of it as the system
/// keeps.
pub(crate) fn set_name(name: &str) {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        const LEN: usize = 15;
        let mut kept = [0; LEN + 1];
        let len = name.len().min(LEN);
        kept[..len].copy_from_slice(&name.as_bytes()[..len]);
        if let Ok(name) = std::ffi::CStr::from_bytes_until_nul(&kept) {
            // Nothing depends on it.
            let _ = rustix::thread::set_name(name);
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = name;
}

/// The number of the calling process.
pub(crate) fn process() -> u32 {
    rustix::process::getpid().as_raw_nonzero().get().cast_unsigned()
}

/// Sends a signal to this process.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn signal_process(signal: i32) {
    // SAFETY: what comes of it is the process's to say.
    let _ =
        unsafe { kernel::call(libc::SYS_kill, [process() as usize, signal as usize, 0, 0, 0, 0]) };
}

/// Ends the system call in which an OS thread of this process waits, for when nothing else can: by the
/// signal that glibc sends to its threads, which nobody can block. Its handler is there since the first
/// thread was made, and goes by nothing but what glibc has sent (`SI_TKILL`).
#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[cold]
pub(crate) fn interrupt(id: u32) {
    const SIGNAL: libc::c_int = 33;
    // SAFETY: zero is a valid `siginfo_t`, and the kernel reads it. The thread may have gone: then there is
    // no such number, or it is another one's.
    unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        info.si_signo = SIGNAL;
        info.si_code = libc::SI_QUEUE;
        let (process, id, info) = (process() as usize, id as usize, &raw const info);
        let what = [process, id, SIGNAL as usize, info.expose_provenance(), 0, 0];
        let _ = kernel::call(libc::SYS_rt_tgsigqueueinfo, what);
    }
}

/// The same, by a signal that means nothing to most programs, and for which they get a handler that does
/// nothing.
#[cfg(any(target_os = "android", all(target_os = "linux", not(target_env = "gnu"))))]
#[cold]
pub(crate) fn interrupt(id: u32) {
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: zero is a valid `sigaction`; a handler that is the program's stays, and this one does
    // nothing. The thread may have gone: then there is no such number, or it is another one's.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGURG, std::ptr::null(), &raw mut action);
        if matches!(action.sa_sigaction, libc::SIG_DFL | libc::SIG_IGN) {
            action.sa_sigaction = nothing as *const () as libc::sighandler_t;
            action.sa_flags = libc::SA_RESTART;
            libc::sigaction(libc::SIGURG, &raw const action, std::ptr::null_mut());
        }
        let whom = [process() as usize, id as usize, libc::SIGURG as usize, 0, 0, 0];
        let _ = kernel::call(libc::SYS_tgkill, whom);
    }
}

/// As above: there is no need to.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn interrupt(_: u32) {}

/// The processor that the calling OS thread is on, or was just now; `None` where nobody can tell.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn processor() -> Option<usize> {
    let mut processor = 0_u32;
    let to = (&raw mut processor).expose_provenance();
    // SAFETY: writes a number; null stands for what is not asked for.
    unsafe { kernel::call(libc::SYS_getcpu, [to, 0, 0, 0, 0, 0]).ok()? };
    Some(processor as usize)
}

/// As above: nobody can.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn processor() -> Option<usize> {
    None
}

/// For how long an OS thread of this process has used a processor; `None` where nobody can tell.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn processor_time_ns(id: u32) -> Option<u64> {
    /// A clock's number is the thread's, inverted, above these: of one thread, as scheduled.
    const OF_THREAD: i32 = 4;
    const AS_SCHEDULED: i32 = 2;
    let clock = !id.cast_signed() << 3 | OF_THREAD | AS_SCHEDULED;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let to = (&raw mut time).expose_provenance();
    // SAFETY: writes a time.
    unsafe { kernel::call(libc::SYS_clock_gettime, [clock as usize, to, 0, 0, 0, 0]).ok()? };
    Some(time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned())
}

/// For how long an OS thread of this process has used a processor; `None` where nobody can tell.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn processor_time_ns(_: u32) -> Option<u64> {
    None
}

/// For how long the calling OS thread has used a processor.
pub(crate) fn own_processor_time_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// Whether the process has no other OS thread, as far as one can tell.
#[cfg(target_os = "linux")]
pub(crate) fn is_only_one() -> bool {
    // A directory in it for each, besides itself and the one that it is in.
    rustix::fs::stat(c"/proc/self/task").is_ok_and(|tasks| tasks.st_nlink == 3)
}

/// Whether the process has no other OS thread: nobody can tell.
#[cfg(not(target_os = "linux"))]
pub(crate) fn is_only_one() -> bool {
    false
}

/// For how long an OS thread of this process has used a processor, and for how long it has waited for
/// one, in ns; `None` where nobody can tell.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn ran_and_waited_ns(id: u32) -> Option<(u64, u64)> {
    let mut stat = [0; 96];
    let stat = std::str::from_utf8(read_about(id, "schedstat", &mut stat)?).ok()?;
    let mut words = stat.split_ascii_whitespace().map(|word| word.parse().ok());
    Some((words.next()??, words.next()??))
}

/// For how long an OS thread of this process has used a processor, and for how long it has waited for
/// one, in ns; `None` where nobody can tell.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn ran_and_waited_ns(_: u32) -> Option<(u64, u64)> {
    None
}

/// Whether an OS thread of this process waits for something other than a processor: for the kernel to
/// answer, for a lock, for a signal; `None` where nobody can tell. One that has merely lost its
/// processor to others does not.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn waits(id: u32) -> Option<bool> {
    let mut stat = [0; 128];
    let stat = read_about(id, "stat", &mut stat)?;
    // The number, the name in parentheses, which may itself contain some, and the state.
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let state = stat.get(name_end + 2)?;
    // Asleep, or asleep and deaf to signals. Others: running or runnable, stopped by a debugger.
    Some(matches!(state, b'S' | b'D'))
}

/// The number of the system call that an OS thread of this process waits in; `None` if it does not,
/// and where nobody can tell.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) fn system_call(id: u32) -> Option<u32> {
    let mut call = [0; 256];
    let call = std::str::from_utf8(read_about(id, "syscall", &mut call)?).ok()?;
    call.split(' ').next()?.parse().ok()
}

/// What the kernel says of an OS thread of this process in one of its files.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn read_about<'a>(id: u32, file: &str, into: &'a mut [u8]) -> Option<&'a [u8]> {
    use std::ffi::CStr;
    use std::io::Write;

    let mut path = [0; 48];
    write!(&mut path[..], "/proc/self/task/{id}/{file}\0").ok()?;
    let path = CStr::from_bytes_until_nul(&path).ok()?;
    let n = read_file(path, into)?;
    Some(&into[..n])
}

/// How much there is at the beginning of a file, as far as there is room.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn read_file(path: &std::ffi::CStr, into: &mut [u8]) -> Option<usize> {
    use std::io::Read;

    super::file::File::open(path).ok()?.read(into).ok()
}

/// Whether the calling OS thread has started a child that lives, or that nobody has waited for; `None`
/// where nobody can tell.
pub(crate) fn has_children() -> Option<bool> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return read_file(c"/proc/thread-self/children", &mut [0; 1]).map(|n| n > 0);
    // No child hears of the end of an OS thread there.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    Some(false)
}

/// Whether an OS thread of this process waits for something other than a processor; `None` where
/// nobody can tell.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn waits(_: u32) -> Option<bool> {
    None
}

/// The number of the system call that an OS thread of this process waits in; `None` if it does not,
/// and where nobody can tell.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) fn system_call(_: u32) -> Option<u32> {
    None
}

/// Lets other OS threads run first.
pub(crate) fn yield_now() {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    rustix::thread::sched_yield();
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    // SAFETY: asks for nothing but the processor's turn.
    unsafe {
        libc::sched_yield();
    }
}

//! What the kernel knows of the calling OS thread.

/// Whether it is the one that the process began with.
pub(crate) fn is_main() -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let main = rustix::thread::gettid() == rustix::process::getpid();
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    // SAFETY: asks a question.
    let main = unsafe { libc::pthread_main_np() } != 0;
    main
}

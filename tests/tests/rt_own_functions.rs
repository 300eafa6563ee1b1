//! A program that has functions of its own under names that libc has and the mirror stands in for, as
//! tests have that stop a clock or count system calls: it links, its own are in force, and threads go on.

#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![allow(unsafe_code, reason = "defines functions of libc's")]

use std::ffi::{CStr, c_int, c_long, c_void};
use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

use std_shim::net::{TcpListener, TcpStream};
use std_shim::thread;

/// How often each was called.
static N_CLOSE: AtomicUsize = AtomicUsize::new(0);
static N_CLOCK: AtomicUsize = AtomicUsize::new(0);
static N_CREATE: AtomicUsize = AtomicUsize::new(0);
static N_FCNTL: AtomicUsize = AtomicUsize::new(0);
static N_MASK: AtomicUsize = AtomicUsize::new(0);
static N_PRCTL: AtomicUsize = AtomicUsize::new(0);
static N_SYSCALL: AtomicUsize = AtomicUsize::new(0);

/// libc's own.
fn next(name: &CStr) -> *mut c_void {
    // SAFETY: looks a name up.
    let found = unsafe { libc::dlsym(libc::RTLD_NEXT, name.as_ptr()) };
    assert!(!found.is_null(), "{name:?}");
    found
}

macro_rules! define {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty, $count:ident;)+) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> $result {
            $count.fetch_add(1, Ordering::Relaxed);
            let name = CStr::from_bytes_with_nul(concat!(stringify!($name), "\0").as_bytes());
            // SAFETY: libc's function of that name.
            let next = unsafe {
                std::mem::transmute::<*mut c_void, unsafe extern "C" fn($($type),*) -> $result>(
                    next(name.expect("a name")),
                )
            };
            // SAFETY: as the caller promises.
            unsafe { next($($argument),*) }
        }
    )+};
}

define! {
    fn close(fd: c_int) -> c_int, N_CLOSE;
    fn clock_gettime(clock: c_int, time: *mut libc::timespec) -> c_int, N_CLOCK;
    fn pthread_create(
        thread: *mut libc::pthread_t,
        attributes: *const libc::pthread_attr_t,
        start: *mut c_void,
        argument: *mut c_void
    ) -> c_int, N_CREATE;
    fn fcntl(fd: c_int, request: c_int, argument: c_long) -> c_int, N_FCNTL;
    fn pthread_sigmask(
        how: c_int,
        set: *const libc::sigset_t,
        before: *mut libc::sigset_t
    ) -> c_int, N_MASK;
    fn prctl(option: c_int, a: c_long, b: c_long, c: c_long, d: c_long) -> c_int, N_PRCTL;
    fn syscall(
        number: c_long,
        a: c_long,
        b: c_long,
        c: c_long,
        d: c_long,
        e: c_long,
        f: c_long
    ) -> c_long, N_SYSCALL;
}

/// Whether `call` is counted by the one that is this program's own.
fn is_counted(count: &AtomicUsize, call: impl FnOnce()) -> bool {
    let before = count.load(Ordering::Relaxed);
    call();
    count.load(Ordering::Relaxed) > before
}

#[test]
fn a_programs_own_functions_are_in_force_and_threads_go_on() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a listener");
    let address = listener.local_addr().expect("its address");
    let server = thread::Builder::new().name("server".to_owned()).spawn(move || {
        let (mut peer, _) = listener.accept().expect("a connection");
        let mut text = [0; 4];
        peer.read_exact(&mut text).expect("a text");
        peer.write_all(&text).expect("an answer");
    });
    let mut client = TcpStream::connect(address).expect("a connection");
    client.write_all(b"text").expect("a text");
    let mut text = [0; 4];
    client.read_exact(&mut text).expect("an answer");
    assert_eq!(&text, b"text");
    server.expect("a thread").join().expect("no panic");

    let counts = thread::spawn(move || {
        // SAFETY: all of them ask for something.
        unsafe {
            let mut time = std::mem::zeroed();
            let mut mask = std::mem::zeroed();
            [
                is_counted(&N_CLOSE, || drop(client)),
                is_counted(&N_CLOCK, || {
                    assert_eq!(libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time), 0);
                }),
                is_counted(&N_CREATE, || std::thread::spawn(|| ()).join().expect("no panic")),
                is_counted(&N_FCNTL, || assert!(libc::fcntl(0, libc::F_GETFD) >= 0)),
                is_counted(&N_MASK, || {
                    let none = std::ptr::null();
                    assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, none, &mut mask), 0);
                }),
                is_counted(&N_PRCTL, || assert_eq!(libc::prctl(libc::PR_GET_DUMPABLE), 1)),
                is_counted(&N_SYSCALL, || assert!(libc::syscall(libc::SYS_gettid) > 0)),
            ]
        }
    });
    assert_eq!(counts.join().expect("no panic"), [true; 7]);
}

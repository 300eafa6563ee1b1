//! What glibc keeps for each thread, a green thread has for itself.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![allow(unsafe_code, reason = "calls libc")]
#![allow(clippy::disallowed_methods, reason = "the tests block OS threads on purpose")]

use std::cell::Cell;
use std::ffi::c_int;
use std::io;
use std::mem;
use std::ptr;

unsafe extern "C" {
    fn __res_state() -> *mut u8;
    fn __res_init() -> c_int;
    fn __h_errno_location() -> *mut c_int;
}

fn own() -> bool {
    sylvan::tls_mode().unwrap() == sylvan::TlsMode::Own
}

fn resolver() -> usize {
    // SAFETY: asks for an address.
    unsafe { __res_state() }.addr()
}

#[test]
fn two_green_threads_have_two_states_of_the_resolver() {
    if !own() {
        return;
    }
    let (first, second) = (sylvan::spawn(resolver), sylvan::spawn(resolver));
    // Alive at the same time as the third, so that no two share a stack in turn.
    let nested = sylvan::spawn(|| (resolver(), sylvan::spawn(resolver).join().unwrap()));
    let (outer, inner) = nested.join().unwrap();
    assert_ne!(outer, inner);
    for state in [first.join().unwrap(), second.join().unwrap(), outer, inner] {
        assert_ne!(state, resolver());
    }
}

#[test]
fn a_robust_mutex_can_be_locked_by_a_green_thread() {
    if !own() {
        return;
    }
    let lock_and_unlock = || {
        // SAFETY: the attributes and the mutex are initialized, used and left in this frame.
        unsafe {
            let mut attributes: libc::pthread_mutexattr_t = mem::zeroed();
            libc::pthread_mutexattr_init(&raw mut attributes);
            libc::pthread_mutexattr_setrobust(&raw mut attributes, libc::PTHREAD_MUTEX_ROBUST);
            let mut mutex: libc::pthread_mutex_t = mem::zeroed();
            libc::pthread_mutex_init(&raw mut mutex, &raw const attributes);
            let locked = libc::pthread_mutex_lock(&raw mut mutex);
            (locked, libc::pthread_mutex_unlock(&raw mut mutex))
        }
    };
    assert_eq!(sylvan::spawn(lock_and_unlock).join().unwrap(), (0, 0));
}

/// Runs both, one after the other and often, so that the second has the block that the first one has left.
fn in_turn(first: fn(), second: fn()) {
    if !own() {
        return;
    }
    for _ in 0..50 {
        sylvan::spawn(first).join().unwrap();
        sylvan::spawn(second).join().unwrap();
    }
}

const GLOBAL_LOCALE: libc::locale_t = ptr::without_provenance_mut(usize::MAX);

#[test]
fn a_thread_begins_with_the_locale_of_the_process() {
    fn choose() {
        // SAFETY: a locale that is there wherever glibc is, used by this thread alone and then freed,
        // as its owner may when nobody uses it any more.
        unsafe {
            let locale = libc::newlocale(libc::LC_ALL_MASK, c"C.UTF-8".as_ptr(), ptr::null_mut());
            assert!(!locale.is_null());
            assert_eq!(libc::uselocale(locale), GLOBAL_LOCALE);
            FREED.with(|freed| freed.0.set(locale));
        }
    }
    fn use_it() {
        // SAFETY: asks for a locale and a character class, and formats a number.
        unsafe {
            assert_eq!(libc::uselocale(ptr::null_mut()), GLOBAL_LOCALE);
            assert_ne!(libc::isalpha(c_int::from(b'a')), 0);
            assert_eq!(libc::toupper(c_int::from(b'a')), c_int::from(b'A'));
            let mut text = [0_u8; 16];
            libc::snprintf(text.as_mut_ptr().cast(), text.len(), c"%.1f".as_ptr(), 1.5);
            assert_eq!(&text[..4], b"1.5\0");
        }
    }
    /// Frees the thread's locale at its end.
    struct Freed(Cell<libc::locale_t>);
    impl Drop for Freed {
        fn drop(&mut self) {
            // SAFETY: nobody uses it but this thread, which ends.
            unsafe { libc::freelocale(self.0.get()) };
        }
    }
    thread_local! {
        static FREED: Freed = const { Freed(Cell::new(ptr::null_mut())) };
    }
    in_turn(choose, use_it);
}

#[test]
fn a_thread_begins_without_an_error() {
    fn fail() {
        // SAFETY: asks for a file and a library that are not there.
        unsafe {
            assert_eq!(libc::close(-1), -1);
            assert!(libc::dlopen(c"/none.so".as_ptr(), libc::RTLD_NOW).is_null());
            __h_errno_location().write(1);
        }
    }
    fn see() {
        assert_eq!(io::Error::last_os_error().raw_os_error(), Some(0));
        // SAFETY: asks for errors.
        unsafe {
            assert!(libc::dlerror().is_null());
            assert_eq!(__h_errno_location().read(), 0);
        }
    }
    in_turn(fail, see);
}

#[test]
fn a_thread_begins_with_the_resolver_as_the_system_sets_it_up() {
    /// Where the state has its options, and how many servers it knows (`resolv.h`).
    const OPTIONS: usize = 8;
    const SERVERS: usize = 16;
    /// `RES_USEVC`: ask by TCP.
    const BY_TCP: u64 = 8;
    fn change() {
        // SAFETY: initializes the thread's state, and sets an option of it.
        unsafe {
            assert_eq!(__res_init(), 0);
            let options = __res_state().add(OPTIONS).cast::<u64>();
            assert_ne!(options.read(), 0);
            options.write(options.read() | BY_TCP);
            assert_ne!(__res_state().add(SERVERS).cast::<u32>().read(), 0);
        }
    }
    fn see() {
        // SAFETY: reads the thread's state.
        assert_eq!(unsafe { __res_state().add(OPTIONS).cast::<u64>().read() }, 0);
        change();
    }
    in_turn(change, see);
}

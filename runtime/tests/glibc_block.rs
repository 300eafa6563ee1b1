//! What glibc keeps for each thread, a green thread has for itself.
#![cfg(all(target_os = "linux", target_env = "gnu"))]
#![allow(unsafe_code, reason = "calls libc")]
#![allow(clippy::disallowed_methods, reason = "the tests block OS threads on purpose")]

use std::mem;

unsafe extern "C" {
    fn __res_state() -> *mut u8;
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

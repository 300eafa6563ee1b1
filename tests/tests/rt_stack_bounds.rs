//! `pthread_getattr_np` tells a thread its own stack.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::mem::MaybeUninit;
use std::ops::Range;

tests::on_std_and_in_each_mode! {
    items {
        use std::thread::{self, Builder};

        use super::own_stack;
    }

    fn a_thread_knows_its_stack(process) {
        process.passes(|| {
            let see = |size: usize| {
                move || {
                    let (stack, guard) = own_stack();
                    let here = ::std::ptr::from_ref(&guard).addr();
                    thread::yield_now();
                    assert!(stack.contains(&here), "{stack:x?} {here:x}");
                    assert!(guard > 0);
                    assert!((size..size + (64 << 10)).contains(&stack.len()), "{size} {}", stack.len());
                    assert_eq!(own_stack(), (stack.clone(), guard));
                    stack.start
                }
            };
            for _ in 0..20 {
                thread::spawn(see(2 << 20)).join().unwrap();
                let small = Builder::new().name("small".to_owned()).stack_size(256 << 10);
                small.spawn(see(256 << 10)).unwrap().join().unwrap();
            }
            let all = [0; 5].map(|_| thread::spawn(see(2 << 20)));
            for one in all {
                one.join().unwrap();
            }
            // That of main, or of the OS thread that stands for it.
            let (stack, _) = own_stack();
            assert!(stack.contains(&::std::ptr::from_ref(&process).addr()));
        });
    }
}

/// The calling thread's stack, and the length of its guard.
fn own_stack() -> (Range<usize>, usize) {
    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    let (mut lowest, mut len, mut guard) = (std::ptr::null_mut(), 0, 0);
    // SAFETY: asks for the attributes, reads them and gives them back.
    unsafe {
        assert_eq!(libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()), 0);
        assert_eq!(
            libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut lowest, &raw mut len),
            0
        );
        assert_eq!(libc::pthread_attr_getguardsize(attributes.as_ptr(), &raw mut guard), 0);
        assert_eq!(libc::pthread_attr_destroy(attributes.as_mut_ptr()), 0);
    }
    (lowest.addr()..lowest.addr() + len, guard)
}

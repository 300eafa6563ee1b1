//! Support for the tests: one body, three ways to run it, and a bound on how long it may take.
//!
//! `on_each!` takes the facts of a file and makes three tests of each: on std, on the mirror from
//! ordinary threads, and on the mirror from green threads. The bodies say `std::…`; what that
//! name means is all that differs.
//!
//! What ends or limits a process, or puts it under stress, happens in a process of its own:
//! see [`process`].

pub mod counts;
pub mod expect;
#[cfg(target_os = "linux")]
pub mod faults;
pub mod forks;
pub mod look;
pub mod process;
pub mod redis;
pub mod rng;
pub mod whole;

use std::sync::mpsc;
use std::time::Duration;

/// How long one test may take before it counts as stuck.
const STUCK_AFTER: Duration = Duration::from_secs(60);

/// States facts that hold on std, and on the mirror from ordinary and from green threads.
///
/// ```
/// tests::on_each! {
///     items {
///         use std::sync::Mutex;
///     }
///
///     fn a_new_mutex_is_not_poisoned() {
///         assert!(!Mutex::new(1).is_poisoned());
///     }
/// }
/// ```
///
/// The `items` part is optional; what stands in it (imports, helper functions) is repeated for
/// each of the three.
#[macro_export]
macro_rules! on_each {
    (items { $($items:item)* } $($(#[$meta:meta])* fn $name:ident() $body:block)*) => {
        mod on_std {
            #[allow(unused_imports, reason = "a body may do without any path of std")]
            use ::std as std;
            $($items)*
            $($(#[$meta])* #[test] fn $name() { $crate::within_bounds(stringify!($name), || $body) })*
        }
        mod shim_on_os_threads {
            #[allow(unused_imports, reason = "a body may do without any path of std")]
            use ::std_shim as std;
            $($items)*
            $($(#[$meta])* #[test] fn $name() { $crate::within_bounds(stringify!($name), || $body) })*
        }
        mod shim_on_green_threads {
            #[allow(unused_imports, reason = "a body may do without any path of std")]
            use ::std_shim as std;
            $($items)*
            $($(#[$meta])* #[test] fn $name() { $crate::green(stringify!($name), || $body) })*
        }
    };
    ($($(#[$meta:meta])* fn $name:ident() $body:block)*) => {
        $crate::on_each! { items {} $($(#[$meta])* fn $name() $body)* }
    };
}

/// Runs `body` on an ordinary thread; a body that takes over a minute is a failure that says so.
///
/// # Panics
///
/// With what `body` panics with; when it takes too long.
pub fn within_bounds(name: &str, body: impl FnOnce() + Send + 'static) {
    let (done, finished) = mpsc::channel::<()>();
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let _done_when_dropped = done;
            body();
        })
        .expect("a thread for the test");
    match finished.recv_timeout(STUCK_AFTER) {
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("`{name}` is stuck"),
        _ => {
            if let Err(panic) = thread.join() {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// Runs `body` on a green thread, within the same bounds.
///
/// # Panics
///
/// With what `body` panics with; when it takes too long.
pub fn green(name: &'static str, body: impl FnOnce() + Send + 'static) {
    within_bounds(name, move || {
        let thread = sylvan::Builder::new()
            .name(name.to_owned())
            .spawn(body)
            .expect("a green thread for the test");
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}

/// For facts about a thread's own thread-locals: `true`, and a word on standard output, where green
/// threads share those of their worker. std itself and ordinary threads always have their own, but
/// the same body runs on all, so the facts are not tried there either.
pub fn are_thread_locals_shared() -> bool {
    let shared = sylvan::tls_mode().is_ok_and(|mode| mode == sylvan::TlsMode::Shared);
    if shared {
        println!("skipped: green threads share their worker's thread-locals in this mode");
    }
    shared
}

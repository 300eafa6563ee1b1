//! What the types of `std::sync` are to the compiler: size, auto traits, variance. Compared with
//! std's, not with numbers.

/// Whether a type implements a trait.
///
/// An associated constant of the type goes before one of a trait, if its bounds hold.
macro_rules! implements {
    ($type:ty: $($bounds:tt)+) => {{
        #[allow(dead_code, reason = "for inference only")]
        struct Probe<T>(::std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "unused where the bounds hold")]
        trait Otherwise {
            const HOLDS: bool = false;
        }
        impl<T> Otherwise for Probe<T> {}
        #[allow(dead_code, reason = "unused where the bounds do not hold")]
        impl<T: $($bounds)+> Probe<T> {
            const HOLDS: bool = true;
        }
        <Probe<$type>>::HOLDS
    }};
}

/// What is compared of a type.
#[derive(Debug, PartialEq)]
struct Shape {
    name: &'static str,
    size: usize,
    align: usize,
    traits: [(&'static str, bool); 8],
}

macro_rules! shape {
    ($type:ty) => {
        $crate::Shape {
            name: stringify!($type),
            size: size_of::<$type>(),
            align: align_of::<$type>(),
            traits: [
                ("Send", implements!($type: Send)),
                ("Sync", implements!($type: Sync)),
                ("Unpin", implements!($type: Unpin)),
                ("UnwindSafe", implements!($type: ::std::panic::UnwindSafe)),
                ("RefUnwindSafe", implements!($type: ::std::panic::RefUnwindSafe)),
                ("Clone", implements!($type: Clone)),
                ("Debug", implements!($type: ::std::fmt::Debug)),
                ("Default", implements!($type: Default)),
            ],
        }
    };
}

macro_rules! shapes {
    ($name:ident, $std:ident) => {
        mod $name {
            use ::std::cell::Cell;
            use ::std::marker::PhantomPinned;
            use ::std::sync::MutexGuard as NotSend;
            use ::$std::sync::mpsc::*;
            use ::$std::sync::*;

            /// Shapes of the types with a parameter.
            macro_rules! with {
                                                ($param:ty) => {
                                                    vec![
                                                        shape!(Mutex<$param>),
                                                        shape!(MutexGuard<'static, $param>),
                                                        shape!(RwLock<$param>),
                                                        shape!(RwLockReadGuard<'static, $param>),
                                                        shape!(RwLockWriteGuard<'static, $param>),
                                                        shape!(OnceLock<$param>),
                                                        shape!(Option<OnceLock<$param>>),
                                                        shape!(LazyLock<$param>),
                                                        shape!(LazyLock<u8, $param>),
                                                        shape!(PoisonError<$param>),
                                                        shape!(TryLockError<$param>),
                                                        shape!(Sender<$param>),
                                                        shape!(SyncSender<$param>),
                                                        shape!(Receiver<$param>),
                                                        shape!(Iter<'static, $param>),
                                                        shape!(TryIter<'static, $param>),
                                                        shape!(IntoIter<$param>),
                                                        shape!(SendError<$param>),
                                                        shape!(TrySendError<$param>),
                                                    ]
                                                };
                                            }

            pub(crate) fn all() -> Vec<$crate::Shape> {
                let plain = vec![
                    shape!(Condvar),
                    shape!(WaitTimeoutResult),
                    shape!(Barrier),
                    shape!(BarrierWaitResult),
                    shape!(Once),
                    shape!(OnceState),
                    shape!(&'static OnceState),
                    shape!(RecvError),
                    shape!(TryRecvError),
                    shape!(RecvTimeoutError),
                ];
                let of_params = [
                    with!(()),
                    with!(u8),
                    with!(u64),
                    with!([u8; 3]),
                    with!(u128),
                    with!(Box<str>),
                    with!(Cell<u8>),
                    with!(&'static Cell<u8>),
                    with!(&'static mut u8),
                    with!(NotSend<'static, u8>),
                    with!(*const u8),
                    with!(PhantomPinned),
                    with!(fn() -> u8),
                ];
                plain.into_iter().chain(of_params.into_iter().flatten()).collect()
            }
        }
    };
}

shapes!(of_std, std);
shapes!(of_shim, std_shim);

#[test]
fn traits_are_those_of_std() {
    for (std, shim) in of_std::all().into_iter().zip(of_shim::all()) {
        assert_eq!(std.name, shim.name);
        assert_eq!(std.traits, shim.traits, "{}", std.name);
    }
}

#[test]
fn the_comparison_can_tell_types_apart() {
    assert!(implements!(std_shim::sync::Mutex<u8>: Sync));
    assert!(!implements!(std_shim::sync::MutexGuard<'static, u8>: Send));
    assert!(!implements!(std_shim::sync::Mutex<*const u8>: Send));
    assert!(!implements!(std_shim::sync::mpsc::Receiver<u8>: Sync));
}

#[test]
fn no_type_is_larger_than_that_of_std() {
    for (std, shim) in of_std::all().into_iter().zip(of_shim::all()) {
        assert!(shim.size <= std.size, "{}: {} and {}", std.name, shim.size, std.size);
        assert!(shim.align <= std.align, "{}", std.name);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn locks_are_as_large_as_those_of_std() {
    let exact = ["Mutex", "RwLock", "OnceLock", "Option", "Condvar", "Once"];
    for (std, shim) in of_std::all().into_iter().zip(of_shim::all()) {
        if exact.iter().any(|name| std.name.split('<').next() == Some(name)) {
            assert_eq!(std.size, shim.size, "{}", std.name);
        }
    }
    assert_eq!(size_of::<std_shim::sync::Mutex<()>>(), 8);
    assert_eq!(size_of::<std_shim::sync::RwLock<()>>(), 12);
}

#[test]
fn debug_output_is_that_of_std() {
    macro_rules! lines {
        ($std:ident) => {{
            use ::$std::sync::{LazyLock, Mutex, OnceLock, RwLock, mpsc};
            let mutex = Mutex::new(vec![1]);
            let locked = Mutex::new(1);
            let _held = locked.lock();
            let lock = RwLock::new("a");
            let written = RwLock::new(1);
            let _written = written.write();
            let (sender, receiver) = mpsc::channel::<u8>();
            let (sync_sender, owned) = mpsc::sync_channel::<u8>(1);
            vec![
                format!("{mutex:?} {mutex:#?} {locked:?} {locked:#?}"),
                format!("{lock:?} {lock:#?} {written:?} {written:#?}"),
                format!("{:?} {:#?}", OnceLock::<u8>::new(), OnceLock::from("b")),
                format!("{:#?}", LazyLock::<u8>::new(|| 1)),
                format!("{sender:?} {sync_sender:?} {receiver:?}"),
                format!("{:?} {:#?}", receiver.iter(), receiver.try_iter()),
                format!("{:?}", owned.into_iter()),
            ]
        }};
    }
    assert_eq!(lines!(std), lines!(std_shim));
}

#[test]
fn what_is_constant_in_std_is_constant() {
    use std_shim::sync::{Barrier, Condvar, LazyLock, Mutex, Once, OnceLock, RwLock};
    const _: Mutex<u8> = Mutex::new(1);
    const _: RwLock<u8> = RwLock::new(1);
    const _: Condvar = Condvar::new();
    const _: Barrier = Barrier::new(1);
    const _: Once = Once::new();
    const _: OnceLock<String> = OnceLock::new();
    const _: LazyLock<u8> = LazyLock::new(|| 1);
}

//! What a program's own types do when they are asked for a path, or for bytes, they do on the thread that
//! calls, as often as with std: whatever OS thread the call itself is made on.
#![forbid(unsafe_code)]
#![cfg(unix)]

tests::on_std_and_in_each_mode! {
    items {
        use std::cell::Cell;
        use std::fs::{self, DirBuilder, File, OpenOptions};
        use std::os::unix::fs as unix;
        use std::path::{Path, PathBuf};
        use std::rc::Rc;
        use std::sync::Arc;
        use std::sync::atomic::{AtomicU64, Ordering::*};
        use std::thread;

        thread_local! {
            static N_ASKED: Cell<u64> = const { Cell::new(0) };
        }

        /// Takes its time between two looks at what belongs to its thread.
        fn count() {
            let n = N_ASKED.get();
            for _ in 0..100 {
                std::hint::black_box(n);
            }
            N_ASKED.set(n + 1);
        }

        /// Not for other threads.
        struct Asked<T>(Rc<T>);

        impl<T: AsRef<Path>> AsRef<Path> for Asked<T> {
            fn as_ref(&self) -> &Path {
                count();
                (*self.0).as_ref()
            }
        }

        impl AsRef<[u8]> for Asked<&str> {
            fn as_ref(&self) -> &[u8] {
                count();
                self.0.as_bytes()
            }
        }

        /// How often `f` asks.
        fn asks<T>(f: impl FnOnce() -> T) -> u64 {
            let before = N_ASKED.get();
            let _ = f();
            N_ASKED.get() - before
        }
    }

    fn each_call_asks_once(process) {
        process.env("SYLVAN_WORKERS", "1").passes(|| thread::spawn(|| {
            let scratch = std::env::temp_dir().join(format!("as-ref-{}", std::process::id()));
            let at = |name: &str| Asked(Rc::new(scratch.join(name)));
            let one = |name: &str, f: fn(Asked<PathBuf>) -> bool| {
                assert_eq!((asks(|| assert!(f(at(name)), "{name}")), name), (1, name));
            };
            let two = |from: &str, to: &str, f: fn(Asked<PathBuf>, Asked<PathBuf>) -> bool| {
                let asked = asks(|| assert!(f(at(from), at(to)), "{from} {to}"));
                assert_eq!((asked, from, to), (2, from, to));
            };
            one("", |path| fs::create_dir(path).is_ok());
            assert_eq!(asks(|| fs::write(at("a"), Asked(Rc::new("text"))).unwrap()), 2);
            one("a", |path| fs::read(path).is_ok());
            one("a", |path| fs::read_to_string(path).is_ok());
            one("a", |path| fs::metadata(path).is_ok());
            one("a", |path| fs::symlink_metadata(path).is_ok());
            one("a", |path| fs::exists(path).is_ok());
            one("a", |path| fs::canonicalize(path).is_ok());
            one("a", |path| File::open(path).is_ok());
            one("b", |path| File::create(path).is_ok());
            one("c", |path| File::create_new(path).is_ok());
            one("c", |path| OpenOptions::new().read(true).open(path).is_ok());
            two("a", "d", |from, to| fs::copy(from, to).is_ok());
            two("d", "e", |from, to| fs::rename(from, to).is_ok());
            two("a", "f", |from, to| fs::hard_link(from, to).is_ok());
            two("a", "g", |from, to| unix::symlink(from, to).is_ok());
            one("g", |path| fs::read_link(path).is_ok());
            one("a", |path| unix::chown(path, None, None).is_ok());
            one("g", |path| unix::lchown(path, None, None).is_ok());
            one("h/i", |path| fs::create_dir_all(path).is_ok());
            one("h/j", |path| DirBuilder::new().create(path).is_ok());
            one("h/j", |path| fs::remove_dir(path).is_ok());
            one("", |path| fs::read_dir(path).is_ok());
            one("a", |path| fs::remove_file(path).is_ok());
            one("nothing", |path| unix::chroot(path).is_err());
            one("nothing", |path| fs::set_permissions(path, fs::metadata("/").unwrap().permissions()).is_err());
            one("", |path| fs::remove_dir_all(path).is_ok());
        }).join().unwrap());
    }

    fn no_count_is_lost_where_many_ask_at_once(process) {
        const THREADS: u64 = 8;
        const CALLS: u64 = 500;
        process.env("SYLVAN_WORKERS", "1").passes(|| {
            let n_asked = Arc::new(AtomicU64::new(0));
            let ask = |_| {
                let n_asked = Arc::clone(&n_asked);
                thread::spawn(move || {
                    for _ in 0..CALLS {
                        assert!(fs::metadata(Asked(Rc::new("/"))).unwrap().is_dir());
                    }
                    // Where thread-locals are shared, those of others, too.
                    n_asked.fetch_add(N_ASKED.take(), SeqCst);
                })
            };
            let threads: Vec<_> = (0..THREADS).map(ask).collect();
            threads.into_iter().for_each(|thread| thread.join().unwrap());
            assert_eq!(n_asked.load(SeqCst), THREADS * CALLS);
        });
    }
}

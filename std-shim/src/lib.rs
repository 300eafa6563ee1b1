//! `std`, name for name, in which everything that blocks is green.
//!
//! A program of threads, locks, channels and sockets, written against this crate as it would be against
//! `std`, runs on an event loop. Each of its threads is a green one, and waiting costs a switch in user
//! space instead of an OS thread. Signatures, error kinds, messages, poisoning, panics and the order of
//! drops are std's, from a green thread and from an ordinary one alike.
//!
//! # Adoption
//!
//! **Rename the dependency**, and change no line of source:
//!
//! ```toml
//! [dependencies]
//! std = { package = "std-shim", path = "…/std-shim" }
//! ```
//!
//! Every `std::…` path of the package now means this crate, which is a complete `std`: what it
//! does not make green it passes on. What is used without a path (`Vec`, `println!`,
//! `thread_local!`) comes from the real std's prelude, is the same thing there as here, and stays
//! usable beside it. Other packages, dependencies of this one included, keep their own `std`.
//!
//! **Or swap the imports**, file by file:
//!
//! ```
//! use std::io::{self, Read, Write};
//! use std_shim::net::{TcpListener, TcpStream};
//! use std_shim::thread;
//!
//! fn main() -> io::Result<()> {
//!     let listener = TcpListener::bind("127.0.0.1:0")?;
//!     let address = listener.local_addr()?;
//!     thread::spawn(move || {
//!         for client in listener.incoming().flatten() {
//!             thread::spawn(move || io::copy(&mut &client, &mut &client));
//!         }
//!     });
//!
//!     let clients = (0..100).map(|n| {
//!         thread::spawn(move || {
//!             let mut stream = TcpStream::connect(address)?;
//!             stream.write_all(&[n])?;
//!             let mut echo = [0];
//!             stream.read_exact(&mut echo)?;
//!             io::Result::Ok(echo[0])
//!         })
//!     });
//!     for (n, client) in (0..).zip(clients.collect::<Vec<_>>()) {
//!         assert_eq!(client.join().unwrap()?, n);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! **Or build with `cargo sylvan`**, which takes all dependencies along and needs neither.
//!
//! All ways give the same types, and `std_shim::net::TcpStream` is another type than the
//! `std::net::TcpStream` of a package that has not been moved over. Traits are shared: the
//! mirror's streams are [`std::io::Read`] for everybody.
//!
//! # What is whose
//!
//! | std path | this crate | |
//! |---|---|---|
//! | `std::thread` | [`thread`] | same: green threads, scopes, sleep and park |
//! | `std::thread::{LocalKey, AccessError}`, `thread_local!` | [`thread`] | re-exported: each green thread has its own |
//! | `std::sync`: locks, `Condvar`, `Barrier`, `Once…`, `LazyLock`, `mpsc` | [`sync`] | same: they park green threads |
//! | `std::sync::{Arc, Weak, atomic}` | [`sync`] | re-exported |
//! | `std::net`: sockets, `ToSocketAddrs` | [`net`] | same: on the event loop |
//! | `std::net`: addresses, `Shutdown` | [`net`] | re-exported |
//! | `std::os::unix::net`: sockets; `std::os::linux::net::TcpStreamExt` | [`os`] | same: on the event loop |
//! | `std::process`: `Command`, `Child`, `Stdio`, pipes; `CommandExt` | [`process`], [`os`] | same: a child's end and its pipes park green threads |
//! | `std::process`: `ExitStatus`, `Output`, `exit`, `abort` … | [`process`] | re-exported |
//! | `std::io`: `pipe`, `Stdin`, `IsTerminal` | [`io`] | same: they park green threads |
//! | `std::io::{Stdout, Stderr}` | [`io`] | different: a lock keeps out the mirror's writers, not a bare `println!` |
//! | `std::io`: traits, adapters, errors, `copy` … | [`io`] | re-exported |
//! | `std::fs`: `File`, `OpenOptions`, directories, functions | [`fs`] | same: blocking sections |
//! | `std::fs`: `Metadata`, `Permissions`, `FileType`, `FileTimes` | [`fs`] | re-exported |
//! | `impl Read for Arc<File>`, and so `Write` and `Seek` | | different: only std can implement them; use `&*file` |
//! | `std::os::unix::thread::JoinHandleExt` | [`os`] | different: panics, for a green thread has no `pthread_t` |
//! | the rest of `std::os` | [`os`] | re-exported |
//! | `std::panic::take_hook` | [`panic`](mod@panic) | same: the default hook names green threads |
//! | `std::time` and all other modules | as in std | re-exported: nothing in them blocks |
//! | all macros, `std::prelude` | at the root, as in std | re-exported |
//!
//! *Same* is a type of this crate with std's name, methods and traits; *re-exported* is std's own
//! item; *different* is what behaves in another way.
//!
//! # Implementation
//!
//! The root is std's, glob for glob, and a module declared here shadows the one of its name. The
//! runtime below is the crate `sylvan`, and what a call is that waits stands in `sylvan-posix`; one private
//! module, `bridge`, names them.

#![deny(unsafe_code)]

pub use ::std::*;

#[macro_use]
mod newtype;

mod bridge;
pub mod fs;
#[allow(unsafe_code, reason = "a lock keeps what its holder alone may use")]
pub mod io;
pub mod net;
#[allow(unsafe_code, reason = "descriptors come in and go out raw")]
pub mod os;
pub mod panic;
pub mod process;
#[allow(unsafe_code, reason = "locks hand out references to what they hold")]
pub mod sync;
pub mod thread;

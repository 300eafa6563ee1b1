//! Look-ups of hosts: what need not be asked, and what is asked once.
//!
//! libc asks files, name servers and other processes, and may take seconds. So a look-up is a blocking
//! section. Most are quick, and many at once would take as many OS threads: so they go through a throttle,
//! [`LOOK_UPS`]. Two kinds of look-ups of green threads need less:
//!
//! - A name that `/etc/hosts` has is found there without libc, where it is certain that libc would find the
//!   same (`hosts`).
//! - Threads that look up the same at a time have one of them ask; the others get a copy of the answer
//!   ([`SingleFlight`]). Nothing is kept once it is there.
//!
//! OS threads ask libc, as they would without the runtime.

use std::io;
use std::net::{IpAddr, SocketAddr};

use sylvan::WaitReason;
use sylvan::contract::{SingleFlight, Throttle};

cfg_if::cfg_if! {
    if #[cfg(all(target_os = "linux", target_env = "gnu", not(target_feature = "crt-static")))] {
        mod hosts;
        #[allow(unsafe_code, reason = "asks libc about itself")]
        mod libcs;

        pub use libcs::{State, state};
    } else {
        /// Elsewhere nothing is certain.
        mod hosts {
            pub(super) fn known<T>(
                _: &[u8],
                _: super::Family,
                _: impl FnOnce(&[std::net::IpAddr]) -> T,
            ) -> Option<T> {
                None
            }

            pub(super) fn heard(_: &[u8], _: super::Family, _: impl Iterator<Item = std::net::IpAddr>) {}
        }

        mod libcs {
            pub(super) fn has(_: *const ()) -> bool {
                false
            }
        }

        /// What a thread has set for its own look-ups.
        pub type State = ();

        /// That of the calling thread.
        pub fn state() -> State {}
    }
}

/// Look-ups of names that are under way.
pub static LOOK_UPS: Throttle = Throttle::new().shown_as(WaitReason::LookUp);

/// Of which family an address is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Of any.
    Any,
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// What `take` makes of the addresses of a host, where it is certain what libc would say: [`heard`] has just
/// been told the same. `asks` is the function that would be called otherwise.
pub fn known<T>(
    host: &[u8],
    family: Family,
    asks: *const (),
    take: impl FnOnce(&[IpAddr]) -> T,
) -> Option<T> {
    if libcs::has(asks) { hosts::known(host, family, take) } else { None }
}

/// What libc has said of a host.
pub fn heard(host: &[u8], family: Family, found: impl Iterator<Item = IpAddr>) {
    hosts::heard(host, family, found);
}

/// What the mirror's green threads look up at this moment.
static UNDER_WAY: SingleFlight<(String, State), Answer> = SingleFlight::new();

/// The addresses of a host with that port, as `ask` finds them by libc's `getaddrinfo`: without one.
///
/// # Errors
///
/// Those of `ask`.
pub fn addresses(
    host: &str,
    port: u16,
    ask: impl FnOnce() -> io::Result<Vec<SocketAddr>> + Send,
) -> io::Result<Vec<SocketAddr>> {
    let with_port = |ip: &IpAddr| SocketAddr::new(*ip, port);
    let take = |ips: &[IpAddr]| ips.iter().map(with_port).collect();
    let is_green = sylvan::thread::is_green();
    if is_green
        && let Some(known) =
            known(host.as_bytes(), Family::Any, libc::getaddrinfo as *const (), take)
    {
        return Ok(known);
    }
    let mut found = if is_green { ask_once(host, ask)? } else { ask()? };
    found.iter_mut().for_each(|addr| addr.set_port(port));
    Ok(found)
}

/// Asks, or waits for another thread that does.
fn ask_once(
    host: &str,
    ask: impl FnOnce() -> io::Result<Vec<SocketAddr>> + Send,
) -> io::Result<Vec<SocketAddr>> {
    let question = (host.to_owned(), state());
    let answer = UNDER_WAY.run(question, || LOOK_UPS.blocking(ask).map_err(Failure::from));
    if let Ok(found) = &answer {
        heard(host.as_bytes(), Family::Any, found.iter().map(SocketAddr::ip));
    }
    answer.map_err(io::Error::from)
}

type Answer = Result<Vec<SocketAddr>, Failure>;

/// An error, for several threads.
#[derive(Clone)]
enum Failure {
    OfSystem(i32),
    Other(io::ErrorKind, String),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.raw_os_error() {
            Some(code) => Self::OfSystem(code),
            None => Self::Other(error.kind(), error.to_string()),
        }
    }
}

impl From<Failure> for io::Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::OfSystem(code) => Self::from_raw_os_error(code),
            Failure::Other(kind, text) => Self::new(kind, text),
        }
    }
}

//! The few things of the kernel that std does not offer: processors, clocks of other processes,
//! sockets that are told where to start from, epoll.

use std::ffi::c_int;
use std::io;
use std::mem::{size_of, zeroed};
use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

fn check(code: c_int) -> io::Result<c_int> {
    if code < 0 { Err(io::Error::last_os_error()) } else { Ok(code) }
}

/// The processors this process may run on.
pub(crate) fn processors() -> io::Result<Vec<usize>> {
    // SAFETY: a `cpu_set_t` is plain bits; zero is the empty set.
    let mut set: libc::cpu_set_t = unsafe { zeroed() };
    // SAFETY: `set` is alive, and its own size is passed.
    check(unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) })?;
    // SAFETY: the index is below the number of bits of the set.
    Ok((0..libc::CPU_SETSIZE as usize).filter(|&i| unsafe { libc::CPU_ISSET(i, &set) }).collect())
}

/// Keeps the calling thread, and what it starts from now on, on `processors`.
pub(crate) fn pin(processors: &[usize]) -> io::Result<()> {
    // SAFETY: a `cpu_set_t` is plain bits; zero is the empty set.
    let mut set: libc::cpu_set_t = unsafe { zeroed() };
    for &processor in processors {
        // SAFETY: `processors` come from the kernel's own set of the same size.
        unsafe { libc::CPU_SET(processor, &mut set) };
    }
    // SAFETY: `set` is alive, and its own size is passed.
    check(unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set) })?;
    Ok(())
}

/// Has the kernel end the calling process when its parent ends. For a child, before its program.
pub(crate) fn end_with_parent() -> io::Result<()> {
    // SAFETY: the call takes no pointer.
    check(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) }).map(drop)
}

/// Raises the limit of open descriptors, which children inherit, as far as it goes; returns it.
pub(crate) fn raise_descriptor_limit() -> io::Result<usize> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is alive.
    check(unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) })?;
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` is alive.
    check(unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) })?;
    Ok(usize::try_from(limit.rlim_cur).unwrap_or(usize::MAX))
}

/// Interrupts the process `pid` as Ctrl-C does.
pub(crate) fn interrupt(pid: u32) -> io::Result<()> {
    // SAFETY: the call takes no pointer.
    check(unsafe { libc::kill(pid as libc::pid_t, libc::SIGINT) }).map(drop)
}

/// The clock that counts the processor time of one process: all its threads, those that have
/// ended too, in user space and in the kernel, to the nanosecond.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CpuClock(libc::clockid_t);

impl CpuClock {
    pub(crate) fn of(pid: u32) -> io::Result<CpuClock> {
        let mut clock = 0;
        // SAFETY: `clock` is alive.
        match unsafe { libc::clock_getcpuclockid(pid as libc::pid_t, &raw mut clock) } {
            0 => Ok(CpuClock(clock)),
            code => Err(io::Error::from_raw_os_error(code)),
        }
    }

    pub(crate) fn now(self) -> io::Result<Duration> {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is alive.
        check(unsafe { libc::clock_gettime(self.0, &raw mut time) })?;
        Ok(Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32))
    }
}

/// The processor time of this process and of those of its children that have ended.
pub(crate) fn own_cpu_time() -> Duration {
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    let used = |who| {
        // SAFETY: a `rusage` is plain numbers; zero is one.
        let mut usage: libc::rusage = unsafe { zeroed() };
        // SAFETY: `usage` is alive.
        let code = unsafe { libc::getrusage(who, &raw mut usage) };
        assert_eq!(code, 0, "the call cannot fail for these");
        time(usage.ru_utime) + time(usage.ru_stime)
    };
    used(libc::RUSAGE_SELF) + used(libc::RUSAGE_CHILDREN)
}

/// The unit of the kernel's own statistics.
pub(crate) fn ticks_per_second() -> u64 {
    // SAFETY: the call takes no pointer.
    unsafe { libc::sysconf(libc::_SC_CLK_TCK) }.unsigned_abs().max(1)
}

/// Waits until `file` has something to read, for so many milliseconds; says whether it has.
pub(crate) fn readable(file: &impl AsRawFd, timeout_ms: c_int) -> io::Result<bool> {
    let mut poll = libc::pollfd { fd: file.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: `poll` is one live entry.
    Ok(check(unsafe { libc::poll(&raw mut poll, 1, timeout_ms) })? > 0)
}

/// A client's socket.
#[derive(Debug)]
pub(crate) struct Socket(OwnedFd);

impl AsRawFd for Socket {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}

impl From<OwnedFd> for Socket {
    fn from(descriptor: OwnedFd) -> Socket {
        Socket(descriptor)
    }
}

impl Socket {
    /// A TCP socket that has begun to connect `from` one address of this host, at any port, and
    /// does not wait for the end of it.
    pub(crate) fn begin_tcp(from: std::net::Ipv4Addr, to: SocketAddrV4) -> io::Result<Socket> {
        let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: the call takes no pointer.
        let number = check(unsafe { libc::socket(libc::AF_INET, kind, 0) })?;
        // SAFETY: the kernel has just made this descriptor.
        let socket = Socket(unsafe { OwnedFd::from_raw_fd(number) });
        socket.set(libc::IPPROTO_TCP, libc::TCP_NODELAY, &1_i32)?;
        // The port is found at `connect`, when the other end is known: ports last longer so.
        socket.set(libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, &1_i32)?;
        let (source, target) = (address(SocketAddrV4::new(from, 0)), address(to));
        let length = size_of::<libc::sockaddr_in>() as libc::socklen_t;
        // SAFETY: `source` is alive, and its size is passed.
        check(unsafe { libc::bind(number, (&raw const source).cast(), length) })?;
        // SAFETY: `target` is alive, and its size is passed.
        match check(unsafe { libc::connect(number, (&raw const target).cast(), length) }) {
            Err(e) if e.raw_os_error() != Some(libc::EINPROGRESS) => Err(e),
            _ => Ok(socket),
        }
    }

    /// Bounds the time that a receive or a send may take while the socket blocks.
    pub(crate) fn set_timeout(&self, timeout: Duration) -> io::Result<()> {
        let time = libc::timeval {
            tv_sec: timeout.as_secs() as libc::time_t,
            tv_usec: libc::suseconds_t::from(timeout.subsec_micros()),
        };
        self.set(libc::SOL_SOCKET, libc::SO_RCVTIMEO, &time)?;
        self.set(libc::SOL_SOCKET, libc::SO_SNDTIMEO, &time)
    }

    pub(crate) fn set_nonblocking(&self) -> io::Result<()> {
        // SAFETY: the call takes no pointer.
        check(unsafe { libc::fcntl(self.as_raw_fd(), libc::F_SETFL, libc::O_NONBLOCK) }).map(drop)
    }

    fn set<T>(&self, level: c_int, option: c_int, value: &T) -> io::Result<()> {
        let (start, length) = ((&raw const *value).cast(), size_of::<T>() as libc::socklen_t);
        // SAFETY: `start` and `length` are those of `value`.
        let code = unsafe { libc::setsockopt(self.as_raw_fd(), level, option, start, length) };
        check(code).map(drop)
    }

    pub(crate) fn receive(&self, bytes: &mut [u8]) -> io::Result<usize> {
        let (start, length) = (bytes.as_mut_ptr().cast(), bytes.len());
        // SAFETY: `start` and `length` are those of `bytes`.
        count(unsafe { libc::recv(self.as_raw_fd(), start, length, 0) })
    }

    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<usize> {
        let (start, length) = (bytes.as_ptr().cast(), bytes.len());
        // SAFETY: `start` and `length` are those of `bytes`.
        count(unsafe { libc::send(self.as_raw_fd(), start, length, libc::MSG_NOSIGNAL) })
    }
}

fn count(result: isize) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::last_os_error())
}

fn address(address: SocketAddrV4) -> libc::sockaddr_in {
    // SAFETY: a `sockaddr_in` is plain numbers; zero is one.
    let mut raw: libc::sockaddr_in = unsafe { zeroed() };
    raw.sin_family = libc::AF_INET as libc::sa_family_t;
    raw.sin_port = address.port().to_be();
    raw.sin_addr.s_addr = u32::from_ne_bytes(address.ip().octets());
    raw
}

/// How many events one wait brings at most.
const BATCH: usize = 512;

/// An epoll instance and the events of its last wait.
pub(crate) struct Epoll {
    descriptor: OwnedFd,
    events: Vec<libc::epoll_event>,
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Epoll> {
        // SAFETY: the call takes no pointer.
        let number = check(unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) })?;
        // SAFETY: the kernel has just made this descriptor.
        let descriptor = unsafe { OwnedFd::from_raw_fd(number) };
        Ok(Epoll { descriptor, events: Vec::with_capacity(BATCH) })
    }

    /// Has `key` reported whenever the socket becomes readable or writable anew.
    pub(crate) fn add(&self, socket: &Socket, key: usize) -> io::Result<()> {
        let events = (libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET) as u32;
        let mut event = libc::epoll_event { events, u64: key as u64 };
        let (epoll, number) = (self.descriptor.as_raw_fd(), socket.as_raw_fd());
        // SAFETY: `event` is alive for the call, which copies it.
        check(unsafe { libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, number, &raw mut event) })
            .map(drop)
    }

    /// Waits at most so long and returns the number of events; [`key`](Epoll::key) tells them.
    pub(crate) fn wait(&mut self, timeout_ms: c_int) -> io::Result<usize> {
        let (epoll, space) = (self.descriptor.as_raw_fd(), self.events.as_mut_ptr());
        // SAFETY: there is room for `BATCH` events at `space`.
        let code = unsafe { libc::epoll_wait(epoll, space, BATCH as c_int, timeout_ms) };
        let count = match check(code) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => 0,
            result => result? as usize,
        };
        // SAFETY: the kernel has written `count` events.
        unsafe { self.events.set_len(count) };
        Ok(count)
    }

    pub(crate) fn key(&self, index: usize) -> usize {
        self.events[index].u64 as usize
    }
}

//! Names that `/etc/hosts` has, as glibc finds them there.
//!
//! A name is answered from here only where this is certain to be what glibc would say; all else is left to
//! glibc. A name is certain if
//!
//! - `/etc/nsswitch.conf` says `files` first for hosts, with no condition behind it,
//! - it is a plain one, in lower case, and the file has one address for it, or nothing but loopback
//!   addresses: what else has several is sorted by the state of the network,
//! - and glibc has said the same in this process, not longer than 100 ms ago: the same addresses, and in this
//!   order. So what glibc goes by and this does not see is in force after that time.
//!
//! The file stays open, and what was read of it is in force while it has the same times, the same size and as
//! many links: one system call for each look-up, which takes less than half as long as one that follows the
//! path. A file that was written to, replaced, renamed or removed has another time. Whether the path still
//! leads to it is asked whenever glibc has said something, so every 100 ms at least. A file that has changed
//! in the last seconds may change once more without that showing, so it is left to glibc.
//!
//! Before 2.34 glibc read `nsswitch.conf` once in a process; so if it changes all is left to glibc from then
//! on.
//!
//! No lock is waited for: who does not get it at once leaves the name to glibc. So a child of a fork may
//! have them in any state.

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, RwLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{FileType, Mode, OFlags, Stat};
use rustix::path::Arg;
use sylvan::contract::io::Hidden;

use super::Family;

const HOSTS: &CStr = c"/etc/hosts";
const SWITCH: &CStr = c"/etc/nsswitch.conf";

/// A file that is longer is left to glibc.
const LONGEST: usize = 256 << 10;

/// How old a change has to be: some file systems know no time below two seconds.
const SETTLED: Duration = Duration::from_secs(3);

/// For how long what glibc has said is in force.
const PERIOD: Duration = Duration::from_millis(100);

/// What was read of `/etc/hosts`.
static KEPT: RwLock<Option<Kept>> = RwLock::new(None);

struct Kept {
    file: Hidden,
    /// What it was as it was read.
    read: Identity,
    names: Names,
}

/// The `nsswitch.conf` that says `files`.
static SAYS_FILES: Mutex<Option<Identity>> = Mutex::new(None);

/// It does not say so, or has changed.
static IS_OFF: AtomicBool = AtomicBool::new(false);

/// What `take` makes of the addresses of a host, if they are certain.
pub(super) fn known<T>(
    host: &[u8],
    family: Family,
    take: impl FnOnce(&[IpAddr]) -> T,
) -> Option<T> {
    if !is_plain(host) || IS_OFF.load(Ordering::Relaxed) {
        return None;
    }
    let kept = KEPT.try_read().ok()?;
    let kept = kept.as_ref()?;
    let (until, ips) = kept.names.0.get(host)?.agreed[family as usize].as_ref()?;
    let is_certain = Instant::now() < *until && kept.is_as_read();
    is_certain.then(|| take(ips))
}

/// What glibc has said of a host.
pub(super) fn heard(host: &[u8], family: Family, found: impl Iterator<Item = IpAddr>) {
    if is_plain(host) && says_files().unwrap_or(false) {
        note(host, family, found.collect());
    }
}

fn note(host: &[u8], family: Family, found: Vec<IpAddr>) -> Option<()> {
    let mut kept = KEPT.try_write().ok()?;
    match &mut *kept {
        Some(kept) if kept.is_as_read() && kept.is_at(HOSTS) => {
            kept.names.note(host, family, found);
        }
        // What glibc has said may be of before the change.
        _ => {
            // The old one goes first: a child of a fork that has closed it may get the same number.
            *kept = None;
            *kept = Kept::read(HOSTS);
        }
    }
    Some(())
}

impl Kept {
    fn read(path: impl Arg) -> Option<Self> {
        let (file, read, text) = read(path).ok()?;
        Some(Self { file: Hidden::kept(file.as_fd())?, read, names: Names::parse(&text) })
    }

    fn is_as_read(&self) -> bool {
        Identity::of(self.file.as_fd()) == Some(self.read)
    }

    fn is_at(&self, path: impl Arg) -> bool {
        Identity::at(path) == Some(self.read)
    }
}

/// Whether `nsswitch.conf` says `files` first.
fn says_files() -> Option<bool> {
    if IS_OFF.load(Ordering::Relaxed) {
        return None;
    }
    let mut said = SAYS_FILES.try_lock().ok()?;
    let is_said = match *said {
        Some(file) => file == Identity::at(SWITCH)?,
        None => {
            let (_, file, text) = read(SWITCH).ok()?;
            *said = Some(file);
            has_files_first(&text)
        }
    };
    // Orders nothing: who has not seen it yet answers as if it had asked before.
    IS_OFF.store(!is_said, Ordering::Relaxed);
    Some(is_said)
}

/// Whether this `nsswitch.conf` says `files` first for hosts, and to go by that.
fn has_files_first(text: &[u8]) -> bool {
    let Ok(text) = str::from_utf8(text) else { return false };
    let mut lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap_or_default().trim())
        .filter(|line| line.starts_with("hosts"));
    let (Some(line), None) = (lines.next(), lines.next()) else { return false };
    let Some((name, services)) = line.split_once(':') else { return false };
    let mut services = services.split_ascii_whitespace();
    let is_first = name.trim_end() == "hosts" && services.next() == Some("files");
    is_first && services.next().is_none_or(|next| !next.starts_with('['))
}

/// Which file it was, and which state of it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Identity {
    file: (u64, u64),
    n_links: u64,
    len: i64,
    modified: (i64, u64),
    changed: (i64, u64),
}

#[allow(clippy::unnecessary_cast, reason = "the types differ from one architecture to another")]
impl Identity {
    fn said_by(stat: &Stat) -> Self {
        Self {
            file: (stat.st_dev as u64, stat.st_ino as u64),
            n_links: stat.st_nlink as u64,
            len: stat.st_size as i64,
            modified: (stat.st_mtime as i64, stat.st_mtime_nsec as u64),
            changed: (stat.st_ctime as i64, stat.st_ctime_nsec as u64),
        }
    }

    fn at(path: impl Arg) -> Option<Self> {
        Some(Self::said_by(&rustix::fs::stat(path).ok()?))
    }

    fn of(fd: BorrowedFd<'_>) -> Option<Self> {
        Some(Self::said_by(&rustix::fs::fstat(fd).ok()?))
    }

    /// Whether a further change would show.
    fn is_settled(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let last = self.modified.0.max(self.changed.0);
        u64::try_from(last).is_ok_and(|last| last + SETTLED.as_secs() < now.as_secs())
    }
}

/// A file that has not changed lately, nor while it was read.
fn read(path: impl Arg) -> io::Result<(OwnedFd, Identity, Vec<u8>)> {
    let fd = rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let stat = rustix::fs::fstat(&fd)?;
    let file = Identity::said_by(&stat);
    if !FileType::from_raw_mode(stat.st_mode).is_file() || !file.is_settled() {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let mut text = vec![0; LONGEST + 1];
    let mut len = 0;
    while len < text.len() {
        match rustix::io::retry_on_intr(|| rustix::io::read(&fd, &mut text[len..]))? {
            0 => break,
            n => len += n,
        }
    }
    let is_whole = len <= LONGEST && len as i64 == file.len;
    if !is_whole || Identity::of(fd.as_fd()) != Some(file) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    text.truncate(len);
    Ok((fd, file, text))
}

/// A name that is no number in any notation, and is compared byte for byte.
fn is_plain(name: &[u8]) -> bool {
    let is_in_one = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_');
    name.first().is_some_and(u8::is_ascii_lowercase) && name.iter().all(is_in_one)
}

/// The names of a hosts file.
struct Names(BTreeMap<Vec<u8>, Name>);

#[derive(Default)]
struct Name {
    /// All that the file has; none if there is anything to be uncertain of.
    ips: Vec<IpAddr>,
    /// What glibc has said for each family, and until when that is in force.
    agreed: [Option<(Instant, Vec<IpAddr>)>; 3],
}

impl Names {
    /// As glibc reads a hosts file: an address and names in each line, comments from `#` on.
    fn parse(text: &[u8]) -> Self {
        let mut names = BTreeMap::<Vec<u8>, Name>::new();
        let mut uncertain = Vec::new();
        if !text.iter().all(|byte| matches!(byte, b'\n' | b'\t' | b' '..=b'~')) {
            return Self(names);
        }
        for line in text.split(|byte| *byte == b'\n') {
            let line = line.split(|byte| *byte == b'#').next().unwrap_or_default();
            let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            let address = words.next().and_then(|word| str::from_utf8(word).ok()?.parse().ok());
            // A line that begins with a space is left to glibc.
            let address = address.filter(|_| !line.starts_with(b" ") && !line.starts_with(b"\t"));
            let address = address.filter(|ip: &IpAddr| match ip {
                IpAddr::V4(_) => true,
                IpAddr::V6(ip) => ip.to_ipv4_mapped().is_none(),
            });
            for name in words {
                let key = name.to_ascii_lowercase();
                match address {
                    Some(ip) if key == name => names.entry(key).or_default().ips.push(ip),
                    _ => uncertain.push(key),
                }
            }
        }
        for key in uncertain {
            names.remove(&key);
        }
        names.retain(|_, name| name.ips.len() == 1 || name.ips.iter().all(IpAddr::is_loopback));
        Self(names)
    }

    /// What the file has of that family; none if there is anything to be uncertain of.
    fn of(&self, host: &[u8], family: Family) -> Vec<IpAddr> {
        let ips = self.0.get(host).map(|name| &name.ips[..]).unwrap_or_default();
        let is_wanted = |ip: &&IpAddr| match family {
            Family::Any => true,
            Family::V4 => ip.is_ipv4(),
            Family::V6 => ip.is_ipv6(),
        };
        ips.iter().filter(is_wanted).copied().collect()
    }

    /// Glibc has said that.
    fn note(&mut self, host: &[u8], family: Family, found: Vec<IpAddr>) {
        let (mut said, mut read) = (found.clone(), self.of(host, family));
        said.sort_unstable();
        read.sort_unstable();
        if let Some(name) = self.0.get_mut(host) {
            let agrees = !said.is_empty() && said == read;
            name.agreed[family as usize] = agrees.then(|| (Instant::now() + PERIOD, found));
        }
    }
}

#[cfg(test)]
#[allow(unsafe_code, reason = "asks libc about files of the test's")]
mod tests {
    use std::ffi::CString;
    use std::fs;
    use std::net::ToSocketAddrs;
    use std::path::Path;
    use std::sync::atomic::AtomicUsize;
    use std::{process, ptr, thread};

    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;
    use proptest::test_runner::{Config, TestRunner};

    use super::*;

    const LOOPBACK: &str = "127.0.0.1 localhost\n::1 localhost ip6-localhost # both\n";

    fn ips(all: &[&str]) -> Vec<IpAddr> {
        all.iter().map(|ip| ip.parse().unwrap()).collect()
    }

    #[test]
    fn nsswitch_has_to_say_files_first_and_nothing_of_it() {
        for text in
            ["hosts: files\n", "passwd: db\nhosts:\tfiles dns # [x]", "hosts :files [X=y] dns"]
        {
            let is_plain = !text.contains("files [");
            assert_eq!(has_files_first(text.as_bytes()), is_plain, "{text}");
        }
        for text in [
            "",
            "# hosts: files",
            "hosts: dns files",
            "hosts: files[NOTFOUND=return] dns",
            "hosts: files\nhosts: dns",
            "hostsfiles: files",
            "hosts:\n",
            "HOSTS: files",
        ] {
            assert!(!has_files_first(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn one_address_is_certain_and_so_are_loopbacks() {
        let text = "10.0.0.1 one  alias\n10.0.0.2 two\n10.0.0.3 two\n1.2.3 none\nfe80::1%lo scoped\n\
                    ::ffff:1.2.3.4 mapped\n10.0.0.4 Case other\n10.0.0.5 case\n#10.0.0.6 off\n10.0.0.7 1st\n";
        let names = Names::parse((text.to_owned() + LOOPBACK).as_bytes());
        let any = |name: &str| names.of(name.as_bytes(), Family::Any);
        assert_eq!(any("one"), ips(&["10.0.0.1"]));
        assert_eq!(any("alias"), ips(&["10.0.0.1"]));
        assert_eq!(any("other"), ips(&["10.0.0.4"]));
        assert_eq!(any("localhost"), ips(&["127.0.0.1", "::1"]));
        assert_eq!(names.of(b"localhost", Family::V4), ips(&["127.0.0.1"]));
        assert_eq!(names.of(b"localhost", Family::V6), ips(&["::1"]));
        for name in ["two", "none", "scoped", "mapped", "case", "Case", "off", "both", "nobody"] {
            assert!(any(name).is_empty(), "{name}");
        }
        assert!(!is_plain(b"1st") && !is_plain(b"") && !is_plain(b"One") && is_plain(b"a-1.b_c"));
        assert!(Names::parse(b"10.0.0.1 one\r\n").0.is_empty());
    }

    #[test]
    fn a_name_is_in_force_once_glibc_has_said_the_same() {
        let mut names = Names::parse(LOOPBACK.as_bytes());
        let agreed =
            |names: &Names, family| names.0[&b"localhost"[..]].agreed[family as usize].clone();
        names.note(b"localhost", Family::Any, ips(&["::1", "127.0.0.1"]));
        // In the order that glibc has.
        assert_eq!(agreed(&names, Family::Any).unwrap().1, ips(&["::1", "127.0.0.1"]));
        assert!(agreed(&names, Family::V4).is_none());
        for other in [&["127.0.0.1", "127.0.0.1"][..], &["127.0.0.2"], &[]] {
            names.note(b"localhost", Family::V4, ips(&["127.0.0.1"]));
            assert!(agreed(&names, Family::V4).is_some());
            names.note(b"localhost", Family::V4, ips(other));
            assert!(agreed(&names, Family::V4).is_none());
        }
    }

    #[test]
    fn a_file_that_has_just_changed_is_not_kept() {
        let path = std::env::temp_dir().join(format!("hosts-{}", process::id()));
        fs::write(&path, LOOPBACK).unwrap();
        let text = path.to_str().unwrap();
        assert!(read(text).is_err());
        let open = fs::File::open(&path).unwrap();
        let file = Identity::at(text).unwrap();
        assert!(Identity::of(open.as_fd()) == Some(file));
        let long_ago = |at: (i64, u64)| (at.0 - 10, at.1);
        let old =
            Identity { modified: long_ago(file.modified), changed: long_ago(file.changed), ..file };
        assert!(old.is_settled() && !Identity { changed: file.changed, ..old }.is_settled());
        fs::write(&path, &LOOPBACK[1..]).unwrap();
        assert!(Identity::at(text) != Some(file));
        fs::remove_file(&path).unwrap();
        assert!(Identity::at(text).is_none());
    }

    #[test]
    fn each_change_of_the_file_shows_at_once_in_the_open_one() {
        let folder = std::env::temp_dir().join(format!("hosts-kept-{}", process::id()));
        fs::create_dir(&folder).unwrap();
        type Change = fn(&Path, &Path);
        let changes: [(&str, Change); 5] = [
            ("written", |path, _| fs::write(path, &LOOPBACK[1..]).unwrap()),
            ("as long", |path, _| fs::write(path, LOOPBACK.replace("::1", "::2")).unwrap()),
            ("replaced", |path, other| {
                fs::write(other, LOOPBACK).unwrap();
                fs::rename(other, path).unwrap();
            }),
            ("renamed", |path, other| fs::rename(path, other).unwrap()),
            ("removed", |path, _| fs::remove_file(path).unwrap()),
        ];
        let paths = changes.map(|(name, _)| folder.join(name));
        paths.iter().for_each(|path| fs::write(path, LOOPBACK).unwrap());
        thread::sleep(SETTLED + Duration::from_secs(1));
        for ((name, change), path) in changes.iter().zip(&paths) {
            let kept = Kept::read(path).expect("a file that has settled");
            assert!(kept.is_as_read() && kept.is_at(path), "{name}");
            change(path, &folder.join("other"));
            assert!(!kept.is_as_read(), "{name}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }

    /// What glibc says of a host, for one kind of socket.
    fn glibc(host: &str, family: Family) -> Vec<IpAddr> {
        if family == Family::Any {
            return (host, 0)
                .to_socket_addrs()
                .map_or(Vec::new(), |all| all.map(|a| a.ip()).collect());
        }
        let host = CString::new(host).unwrap();
        // SAFETY: zeros are valid, and a list that was made is freed.
        unsafe {
            let mut hints: libc::addrinfo = std::mem::zeroed();
            hints.ai_family = if family == Family::V4 { libc::AF_INET } else { libc::AF_INET6 };
            hints.ai_socktype = libc::SOCK_STREAM;
            let mut list = ptr::null_mut();
            if libc::getaddrinfo(host.as_ptr(), ptr::null(), &raw const hints, &raw mut list) != 0 {
                return Vec::new();
            }
            let (mut found, mut next) = (Vec::new(), list);
            while let Some(one) = next.as_ref() {
                found.push(match family {
                    Family::V4 => {
                        let address = one.ai_addr.cast::<libc::sockaddr_in>().read_unaligned();
                        IpAddr::from(address.sin_addr.s_addr.to_ne_bytes())
                    }
                    _ => {
                        let address = one.ai_addr.cast::<libc::sockaddr_in6>().read_unaligned();
                        IpAddr::from(address.sin6_addr.s6_addr)
                    }
                });
                next = one.ai_next;
            }
            libc::freeaddrinfo(list);
            found
        }
    }

    /// Has `/etc/hosts` be another file, for this OS thread alone.
    fn stand_in(file: &Path) -> io::Result<()> {
        let check = |result| if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
        let file = CString::new(file.to_str().unwrap()).unwrap();
        let (no, flags) = (ptr::null(), libc::MS_REC | libc::MS_PRIVATE);
        // SAFETY: texts with an end.
        unsafe {
            check(libc::unshare(libc::CLONE_NEWNS))?;
            check(libc::mount(no, c"/".as_ptr(), no, flags, no.cast()))?;
            check(libc::mount(file.as_ptr(), c"/etc/hosts".as_ptr(), no, libc::MS_BIND, no.cast()))
        }
    }

    #[test]
    fn glibc_finds_the_same_in_any_file() {
        const NAMES: &[&str] =
            &["a", "b.test", "c-1", "localhost", "LocalHost", "B.test", "1a", "d_x"];
        let address = select(vec![
            "10.0.0.1",
            "10.0.0.2",
            "127.0.0.1",
            "127.0.0.2",
            "::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "010.0.0.1",
            "10.1",
            "fe80::1%1",
            "fe80::1",
            "x",
            "1::2::3",
            "",
        ]);
        let space = || select(vec![" ", "\t", "  \t "]);
        let before = select(vec!["", "", "", "", " ", "\t", "#", "# ", "x#"]);
        let after = select(vec!["", "", "", " ", " # a", "#a", "\t#", "\n", "\n\n"]);
        let line = (before, address, vec((space(), select(NAMES)), 0..4), after).prop_map(|line| {
            let (before, address, names, after) = line;
            let names: String =
                names.into_iter().map(|(space, name)| space.to_owned() + name).collect();
            format!("{before}{address}{names}{after}")
        });
        let n_certain = AtomicUsize::new(0);
        let file = std::env::temp_dir().join(format!("hosts-of-{}", process::id()));
        fs::write(&file, "").unwrap();
        let is_tried = thread::scope(|scope| {
            let tried = scope.spawn(|| {
                if let Some(why) = stand_in(&file).err() {
                    println!("no other hosts file can be had here: {why}");
                    return false;
                }
                if !has_files_first(&fs::read("/etc/nsswitch.conf").unwrap_or_default()) {
                    println!("{SWITCH:?} does not say `files` first");
                    return false;
                }
                let config = Config { cases: 256, failure_persistence: None, ..Config::default() };
                let result = TestRunner::new(config).run(
                    &(vec(line, 0..8), select(vec!["", "\n"])),
                    |(lines, end)| {
                        let text = lines.join("\n") + end;
                        fs::write(&file, &text).unwrap();
                        let names = Names::parse(text.as_bytes());
                        for host in NAMES.iter().filter(|host| is_plain(host.as_bytes())) {
                            for family in [Family::Any, Family::V4, Family::V6] {
                                let mut certain = names.of(host.as_bytes(), family);
                                let is_alone = names
                                    .0
                                    .get(host.as_bytes())
                                    .is_some_and(|name| name.ips.len() == 1);
                                // For one family glibc maps some loopbacks: then it does not agree.
                                if certain.is_empty() || !is_alone && family != Family::Any {
                                    continue;
                                }
                                n_certain.fetch_add(1, Ordering::Relaxed);
                                let mut found = glibc(host, family);
                                // The same one may be there twice.
                                if !is_alone {
                                    certain.sort_unstable();
                                    certain.dedup();
                                    found.sort_unstable();
                                    found.dedup();
                                }
                                prop_assert_eq!(found, certain, "{} {:?}", host, family);
                            }
                        }
                        Ok(())
                    },
                );
                result.unwrap();
                true
            });
            tried.join().unwrap()
        });
        fs::remove_file(&file).unwrap();
        let n_certain = n_certain.into_inner();
        println!("{n_certain} are certain");
        assert!(!is_tried || n_certain > 50, "{n_certain} are certain");
    }
}

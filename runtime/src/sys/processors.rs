//! How many processors the process can use.
//!
//! Those that its affinity names, and no more than the quotas of its control groups pay for. Part of a
//! processor counts as one: with a quota of 1.5 OS threads that compute use all of it, and one of them would
//! not. std's `available_parallelism` rounds down, since it is asked for how many threads there should be;
//! workers wait as well.
//!
//! A group's quota is in `cpu.max` (version 2) or in `cpu.cfs_quota_us` (version 1), and that of each group
//! around it counts, too. `/proc/self/cgroup` says which groups the process is in, and
//! `/proc/self/mountinfo` where their files are: a container has some of them, or knows them by other paths.

use std::io;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::io::Read;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::thread::CpuSet;

#[cfg(any(target_os = "linux", target_os = "android"))]
use crate::sys::file::File;

/// Whether a quota pays for fewer processors than there are, as far as anybody has asked.
#[cfg(any(target_os = "linux", target_os = "android"))]
static HAS_QUOTA: AtomicBool = AtomicBool::new(false);

/// How many processors the process can use, at least one.
///
/// # Errors
///
/// Where nobody can tell.
pub(crate) fn usable() -> io::Result<usize> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Ok(set) = rustix::thread::sched_getaffinity(None) {
        let quota = groups::quota("/".as_ref()).unwrap_or(usize::MAX);
        HAS_QUOTA.store(quota < set.count() as usize, Ordering::Relaxed);
        return Ok(quota.min(set.count() as usize).max(1));
    }
    Ok(available_parallelism()?.get())
}

/// How many processors are told apart: one with a higher number is like one that nobody can tell.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(crate) const N_MAX: usize = CpuSet::MAX_CPU;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(crate) const N_MAX: usize = 0;

/// For how long the processors that the process may use have idled, all of them together, in hundredths of a second;
/// `None` where nobody can tell.
pub(crate) fn idled() -> Option<Duration> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Ok(set) = rustix::thread::sched_getaffinity(None) {
        // Where a quota pays for fewer, others idle that the process cannot use.
        if HAS_QUOTA.load(Ordering::Relaxed) {
            return None;
        }
        // The monitor asks, which takes nothing of the heap. Of more than some two hundred processors the first count.
        let mut stat = [0; 16 << 10];
        let len = File::open("/proc/stat").ok()?.read(&mut stat).ok()?;
        let is_usable = |processor| processor < CpuSet::MAX_CPU && set.is_set(processor);
        return idled_by(&stat[..len], is_usable);
    }
    None
}

/// The same by `/proc/stat`, as proc(5) has it.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn idled_by(stat: &[u8], is_usable: impl Fn(usize) -> bool) -> Option<Duration> {
    /// What a processor idles is the fourth of its times, in these; the kernel tells programs of no other unit.
    const TICK_MS: u64 = 10;
    let number = |word: &[u8]| str::from_utf8(word).ok()?.parse::<u64>().ok();
    let whole = &stat[..stat.iter().rposition(|byte| *byte == b'\n')?];
    let mut ticks = 0_u64;
    // First stands the sum of all.
    for line in whole.split(|byte| *byte == b'\n').skip(1) {
        let Some(rest) = line.strip_prefix(b"cpu") else { break };
        let mut words = rest.split(|byte| *byte == b' ');
        if is_usable(usize::try_from(number(words.next()?)?).ok()?) {
            ticks = ticks.wrapping_add(number(words.nth(3)?)?);
        }
    }
    Some(Duration::from_millis(ticks.checked_mul(TICK_MS)?))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod groups {
    use std::ffi::OsStr;
    use std::io::Read;
    use std::os::unix::ffi::OsStrExt;
    use std::path::{Component, Path, PathBuf};

    use crate::sys::file::File;

    /// For how many processors the quotas pay, rounded up; `None` if there are none. All files are below
    /// `root`.
    pub(super) fn quota(root: &Path) -> Option<usize> {
        let groups = read(&root.join("proc/self/cgroup"))?;
        let mounts = read(&root.join("proc/self/mountinfo"))?;
        let groups = || groups.split(|byte| *byte == b'\n').filter_map(Group::parse);
        mounts
            .split(|byte| *byte == b'\n')
            .filter_map(Mount::parse)
            .flat_map(|mount| groups().filter_map(move |group| mount.quota(root, &group)))
            .min()
    }

    #[derive(Clone, Copy, PartialEq, Eq)]
    enum Version {
        One,
        Two,
    }

    /// A group that the process is in, in the hierarchy that has to do with processors.
    struct Group<'a> {
        version: Version,
        path: &'a Path,
    }

    impl<'a> Group<'a> {
        /// A line such as `4:cpu,cpuacct:/user` or `0::/user`.
        fn parse(line: &'a [u8]) -> Option<Self> {
            let mut fields = line.splitn(3, |byte| *byte == b':');
            let (_, controllers, path) = (fields.next()?, fields.next()?, fields.next()?);
            let version = match controllers {
                b"" => Version::Two,
                names if has_cpu(names) => Version::One,
                _ => return None,
            };
            Some(Self { version, path: Path::new(OsStr::from_bytes(path)) })
        }
    }

    /// Where the files of a hierarchy are, or of what is below one of its groups.
    struct Mount {
        version: Version,
        group: PathBuf,
        point: PathBuf,
    }

    impl Mount {
        /// A line such as `32 31 0:29 /group /point rw - cgroup cgroup rw,cpu`, as proc(5) has it.
        fn parse(line: &[u8]) -> Option<Self> {
            let mut fields = line.split(|byte| *byte == b' ');
            let (group, point) = (fields.nth(3)?, fields.next()?);
            let mut fields = fields.skip_while(|field| *field != b"-").skip(1);
            let (kind, options) = (fields.next()?, fields.nth(1)?);
            let version = match kind {
                b"cgroup2" => Version::Two,
                b"cgroup" if has_cpu(options) => Version::One,
                _ => return None,
            };
            Some(Self { version, group: unescaped(group), point: unescaped(point) })
        }

        /// For how many processors the quotas of `group`, and of those around it, pay.
        fn quota(&self, root: &Path, group: &Group<'_>) -> Option<usize> {
            if self.version != group.version {
                return None;
            }
            let inner = group.path.strip_prefix(&self.group).ok()?;
            if !inner.components().all(|part| matches!(part, Component::Normal(_))) {
                return None; // above what is mounted
            }
            let folder = root.join(self.point.strip_prefix("/").ok()?);
            inner.ancestors().filter_map(|inner| self.version.quota(&folder.join(inner))).min()
        }
    }

    impl Version {
        /// The quota of one group.
        fn quota(self, folder: &Path) -> Option<usize> {
            let number = |text: &[u8]| str::from_utf8(text).ok()?.trim().parse::<usize>().ok();
            let file = |name| read(&folder.join(name));
            // Where there is none, the first number is `max` or `-1`.
            let (quota, period) = match self {
                Self::One => {
                    (number(&file("cpu.cfs_quota_us")?)?, number(&file("cpu.cfs_period_us")?)?)
                }
                Self::Two => {
                    let both = file("cpu.max")?;
                    let (quota, period) = both.split_at(both.iter().position(|b| *b == b' ')?);
                    (number(quota)?, number(period)?)
                }
            };
            (period > 0).then(|| quota.div_ceil(period))
        }
    }

    /// Whether `cpu` is one of these, with commas in between.
    fn has_cpu(names: &[u8]) -> bool {
        names.split(|byte| *byte == b',').any(|name| name == b"cpu")
    }

    /// A path in which the kernel has written bytes such as a space as `\040`.
    fn unescaped(field: &[u8]) -> PathBuf {
        let mut bytes = Vec::with_capacity(field.len());
        let mut rest = field;
        while let Some((first, behind)) = rest.split_first() {
            let code = || u8::from_str_radix(str::from_utf8(behind.get(..3)?).ok()?, 8).ok();
            match code().filter(|_| *first == b'\\') {
                Some(byte) => {
                    bytes.push(byte);
                    rest = &behind[3..];
                }
                None => {
                    bytes.push(*first);
                    rest = behind;
                }
            }
        }
        OsStr::from_bytes(&bytes).into()
    }

    fn read(path: &Path) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        File::open(path).ok()?.read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    #[cfg(test)]
    mod tests {
        use std::fs;
        use std::process;
        use std::sync::atomic::{AtomicU32, Ordering};

        use super::*;

        const V2: &str = "31 23 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
        const V1: &str = "\
            31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
            32 31 0:29 / /sys/fs/cgroup/cpuset rw shared:7 - cgroup cgroup rw,cpuset\n\
            33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:8 - cgroup cgroup rw,cpu,cpuacct\n";

        /// What [`quota`] says where `/proc/self` has these, and the groups these files.
        fn found(cgroup: &str, mountinfo: &str, files: &[(&str, &str)]) -> Option<usize> {
            static N: AtomicU32 = AtomicU32::new(0);
            let n = N.fetch_add(1, Ordering::Relaxed);
            let root = std::env::temp_dir().join(format!("processors-{}-{n}", process::id()));
            let of_process = [("proc/self/cgroup", cgroup), ("proc/self/mountinfo", mountinfo)];
            for (path, text) in of_process.iter().chain(files) {
                let path = root.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            let found = quota(&root);
            fs::remove_dir_all(root).unwrap();
            found
        }

        #[test]
        fn part_of_a_processor_counts_as_one() {
            let quotas = [("50000", 1), ("100000", 1), ("100001", 2), ("150000", 2), ("400000", 4)];
            for (quota, processors) in quotas {
                let max = [("sys/fs/cgroup/a/cpu.max", &*format!("{quota} 100000\n"))];
                assert_eq!(found("0::/a\n", V2, &max), Some(processors));
                let cfs = [
                    ("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", &*format!("{quota}\n")),
                    ("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"),
                ];
                assert_eq!(
                    found("5:cpuset:/b\n4:cpu,cpuacct:/a\n0::/\n", V1, &cfs),
                    Some(processors)
                );
            }
        }

        #[test]
        fn groups_without_a_quota_set_none() {
            assert_eq!(found("0::/a\n", V2, &[("sys/fs/cgroup/a/cpu.max", "max 100000\n")]), None);
            let cfs = [
                ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n"),
                ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
            ];
            assert_eq!(found("4:cpu,cpuacct:/\n", V1, &cfs), None);
            assert_eq!(found("0::/a\n", V2, &[]), None);
            assert_eq!(found("", "", &[]), None);
        }

        #[test]
        fn the_least_quota_of_the_groups_around_counts() {
            let files = [
                ("sys/fs/cgroup/a/cpu.max", "150000 100000\n"),
                ("sys/fs/cgroup/a/b/cpu.max", "500000 100000\n"),
                ("sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n"),
                ("sys/fs/cgroup/a/d/cpu.max", "10000 100000\n"),
            ];
            assert_eq!(found("0::/a/b/c\n", V2, &files), Some(2));
            assert_eq!(found("0::/\n", V2, &files), None);
        }

        #[test]
        fn a_container_has_its_own_groups_where_they_are_mounted() {
            let mount = "32 31 0:29 /box/1 /mnt/own\\040groups ro - cgroup cgroup rw,cpu\n";
            let files = [
                ("mnt/own groups/cpu.cfs_quota_us", "250000\n"),
                ("mnt/own groups/cpu.cfs_period_us", "100000\n"),
            ];
            assert_eq!(found("1:cpu:/box/1\n", mount, &files), Some(3));
            assert_eq!(found("1:cpu:/box/1/inner\n", mount, &files), Some(3));
            // Not what is mounted there.
            assert_eq!(found("1:cpu:/box/2\n", mount, &files), None);
            assert_eq!(found("1:cpu:/box/1/../2\n", mount, &files), None);
        }

        #[test]
        fn both_versions_count_where_a_machine_has_both() {
            let mounts =
                V1.to_owned() + "34 31 0:31 / /sys/fs/cgroup/unified rw - cgroup2 none rw\n";
            let files = [
                ("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "300000\n"),
                ("sys/fs/cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n"),
                ("sys/fs/cgroup/unified/b/cpu.max", "400000 200000\n"),
            ];
            assert_eq!(found("4:cpu,cpuacct:/a\n0::/b\n", &mounts, &files), Some(2));
            assert_eq!(found("4:cpu,cpuacct:/a\n0::/\n", &mounts, &files), Some(3));
        }

        #[test]
        fn what_makes_no_sense_sets_no_quota() {
            for max in ["", "\n", "1", "a b", "100000 0\n", "-5 100000\n", "\u{fffd} \u{fffd}"] {
                assert_eq!(found("0::/\n", V2, &[("sys/fs/cgroup/cpu.max", max)]), None, "{max:?}");
            }
            let line = "32 31 0:29 /\\04 /a\\ rw -";
            assert_eq!(found("::\n0:\nx\n", &format!("{line}\n{line} cgroup2\n-\n \n"), &[]), None);
        }
    }
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;

    #[test]
    fn what_other_processors_idle_does_not_count() {
        let stat = b"cpu  9 9 9 9000 9\ncpu0 1 2 3 400 5 6\ncpu1 1 2 3 30 5 6\ncpu10 1 2 3 7 5 6\nintr 1 2\n";
        let idled = |usable: &[usize]| idled_by(stat, |processor| usable.contains(&processor));
        assert_eq!(idled(&[0, 1, 10]), Some(Duration::from_millis(4_370)));
        assert_eq!(idled(&[10]), Some(Duration::from_millis(70)));
        assert_eq!(idled_by(b"cpu  1 2 3 4\ncpu0 1 2\n", |_| true), None);
    }

    #[test]
    fn this_machine_tells() {
        assert!(idled().is_some_and(|idled| !idled.is_zero()));
    }
}

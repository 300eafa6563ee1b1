//! How many workers there are where a control group limits the processors.
#![cfg(target_os = "linux")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process;

use tests::process::Process;

tests::in_each_mode!(workers_use_all_of_a_quota);

/// A group for this process alone, inside the one that it is in.
struct Group {
    folder: PathBuf,
    parent: PathBuf,
}

impl Group {
    /// One with a quota of so many µs in each 100 ms.
    fn with_quota(quota: u32) -> io::Result<Self> {
        let groups = fs::read_to_string("/proc/self/cgroup")?;
        let path_of = |controllers| {
            groups.lines().find_map(|line| {
                let (names, path) = line.split_once(':')?.1.split_once(':')?;
                (names == controllers).then(|| path.trim_start_matches('/'))
            })
        };
        let (parent, file, text) = match path_of("cpu").or(path_of("cpu,cpuacct")) {
            Some(path) => {
                let parent = Path::new("/sys/fs/cgroup/cpu").join(path);
                (parent, "cpu.cfs_quota_us", quota.to_string())
            }
            None => {
                let parent = Path::new("/sys/fs/cgroup").join(path_of("").unwrap_or_default());
                (parent, "cpu.max", format!("{quota} 100000"))
            }
        };
        let folder = parent.join(format!("sylvan-quota-{}", process::id()));
        fs::create_dir(&folder)?;
        let group = Self { folder, parent };
        fs::write(group.folder.join(file), text)?;
        fs::write(group.folder.join("cgroup.procs"), process::id().to_string())?;
        Ok(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Nothing depends on it: an empty group takes nothing.
        let _ = fs::write(self.parent.join("cgroup.procs"), process::id().to_string());
        let _ = fs::remove_dir(&self.folder);
    }
}

fn workers_use_all_of_a_quota(process: &Process) {
    for quota in [50_000, 150_000] {
        process.passes(|| {
            let processors = rustix::thread::sched_getaffinity(None).unwrap().count() as usize;
            match Group::with_quota(quota) {
                Ok(_group) => {
                    let wanted = quota.div_ceil(100_000) as usize;
                    assert_eq!(sylvan::workers().unwrap(), processors.min(wanted));
                    // As std says, which rounds down.
                    assert_eq!(std_shim::thread::available_parallelism().unwrap().get(), 1);
                }
                Err(error) => println!("no group with a quota can be made here: {error}"),
            }
        });
    }
}

//! Names that the hosts file has are found there, as libc finds them.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::ffi::CString;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::ptr;
use std::time::Duration;

use std_shim::net::ToSocketAddrs;
use std_shim::thread;

use tests::process::Process;

tests::in_each_mode!(a_name_in_the_hosts_file_is_found_without_reading_it_until_it_is_another);

/// How many calls of the kernel's this process has made that read.
fn n_reads() -> usize {
    let io = fs::read_to_string("/proc/self/io").expect("what the kernel counts");
    let count = io.lines().find_map(|line| line.strip_prefix("syscr: "));
    count.and_then(|count| count.parse().ok()).expect("a number")
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// This thread, and those that are started from here on, have mounts of their own.
fn leave_mounts() -> io::Result<()> {
    let (no, flags) = (ptr::null(), libc::MS_REC | libc::MS_PRIVATE);
    // SAFETY: texts with an end.
    unsafe {
        check(libc::unshare(libc::CLONE_NEWNS))?;
        check(libc::mount(no, c"/".as_ptr(), no, flags, no.cast()))
    }
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name)
}

/// Has a file of `tests/data` stand in for one of `/etc`.
fn stand_in(name: &str, for_it: &str) -> io::Result<()> {
    let file = CString::new(data(name).to_str().expect("a plain path"))?;
    let for_it = CString::new(for_it)?;
    let no = ptr::null();
    // SAFETY: texts with an end.
    unsafe { check(libc::mount(file.as_ptr(), for_it.as_ptr(), no, libc::MS_BIND, no.cast())) }
}

fn look_up(name: &str) -> Vec<IpAddr> {
    let found = (name, 80).to_socket_addrs().expect("a name of the file");
    found.map(|address| address.ip()).collect()
}

fn a_name_in_the_hosts_file_is_found_without_reading_it_until_it_is_another(process: &Process) {
    process.env("SYLVAN_WORKERS", "1").passes(|| {
        // One that has just changed is left to libc.
        for file in ["nsswitch.conf", "hosts"] {
            let modified = data(file).metadata().and_then(|file| file.modified()).expect("a time");
            let age = modified.elapsed().unwrap_or_default();
            std::thread::sleep(Duration::from_secs(5).saturating_sub(age));
        }
        let own_files = leave_mounts()
            .and_then(|()| stand_in("nsswitch.conf", "/etc/nsswitch.conf"))
            .and_then(|()| stand_in("hosts", "/etc/hosts"));
        if let Err(why) = own_files {
            println!("no hosts file of its own can be had here: {why}");
            return;
        }
        let looks_up = || {
            for name in ["one.test", "alias.test", "both.test"] {
                let (first, before) = (look_up(name), n_reads());
                for _ in 0..1_000 {
                    assert_eq!(look_up(name), first);
                }
                let n_reads = n_reads() - before;
                println!("{name} is {first:?}: {n_reads} reads");
                // libc's own take two or three each.
                assert!(n_reads < 1_000, "{n_reads} reads");
            }
            assert_eq!(look_up("one.test"), [IpAddr::from([10, 0, 0, 1])]);
            stand_in("other-hosts", "/etc/hosts").expect("another file");
            assert_eq!(look_up("one.test"), [IpAddr::from([10, 0, 0, 2])]);
        };
        thread::spawn(looks_up).join().unwrap();
    });
}

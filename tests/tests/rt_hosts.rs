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

/// Has a file or a folder be seen in place of another one.
fn stand_in(this: &Path, for_it: &str) -> io::Result<()> {
    let this = CString::new(this.to_str().expect("a plain path"))?;
    let for_it = CString::new(for_it)?;
    let no = ptr::null();
    // SAFETY: texts with an end.
    unsafe { check(libc::mount(this.as_ptr(), for_it.as_ptr(), no, libc::MS_BIND, no.cast())) }
}

fn look_up(name: &str) -> Vec<IpAddr> {
    let found = (name, 80).to_socket_addrs().expect("a name of the file");
    found.map(|address| address.ip()).collect()
}

fn is_found_without_reading(name: &str) {
    let (first, before) = (look_up(name), n_reads());
    for _ in 0..1_000 {
        assert_eq!(look_up(name), first);
    }
    let n_reads = n_reads() - before;
    println!("{name} is {first:?}: {n_reads} reads");
    // libc's own take two or three each.
    assert!(n_reads < 1_000, "{n_reads} reads");
}

fn a_name_in_the_hosts_file_is_found_without_reading_it_until_it_is_another(process: &Process) {
    process.env("SYLVAN_WORKERS", "1").passes(|| {
        let folder = std::env::temp_dir().join(format!("etc-{}", std::process::id()));
        fs::create_dir(&folder).expect("a folder");
        for file in ["nsswitch.conf", "hosts", "other-hosts"] {
            fs::copy(data(file), folder.join(file)).expect("a copy");
        }
        fs::copy(data("hosts"), folder.join("third-hosts")).expect("a copy");
        // Or libc takes one address of several.
        fs::write(folder.join("host.conf"), "multi on\n").expect("a file");
        // One that has just changed is left to libc.
        std::thread::sleep(Duration::from_secs(5));
        if let Err(why) = leave_mounts().and_then(|()| stand_in(&folder, "/etc")) {
            println!("no hosts file of its own can be had here: {why}");
            fs::remove_dir_all(&folder).expect("a folder of the test's");
            return;
        }
        let third = folder.join("third-hosts");
        let looks_up = move || {
            for name in ["one.test", "alias.test", "both.test"] {
                is_found_without_reading(name);
            }
            assert_eq!(look_up("one.test"), [IpAddr::from([10, 0, 0, 1])]);
            fs::rename("/etc/other-hosts", "/etc/hosts").expect("another file");
            assert_eq!(look_up("one.test"), [IpAddr::from([10, 0, 0, 2])]);
            // What leaves the old file as it was is seen once libc was asked again.
            std::thread::sleep(Duration::from_secs(4));
            is_found_without_reading("one.test");
            stand_in(&third, "/etc/hosts").expect("a third file");
            std::thread::sleep(Duration::from_millis(101));
            assert_eq!(look_up("one.test"), [IpAddr::from([10, 0, 0, 1])]);
            is_found_without_reading("one.test");
            // The file is kept open.
            let flags = libc::MNT_DETACH;
            // SAFETY: a text with an end.
            unsafe { check(libc::umount2(c"/etc/hosts".as_ptr(), flags)) }.expect("its mount");
        };
        thread::spawn(looks_up).join().unwrap();
        fs::remove_dir_all(&folder).expect("a folder of the test's");
    });
}

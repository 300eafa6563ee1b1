//! `sylvan run`: what it becomes, and what it refuses. The programs are made here, by the C compiler.

#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{self, Command, Output, Stdio};
use std::sync::OnceLock;
use std::{env, str};

use rustix::fs::{XattrFlags, setxattr};
use rustix::process::geteuid;

/// Somebody who is not root.
const NOBODY: u32 = 65534;

/// A folder for one test, which anybody may read, with this program and the library in it; removed after it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = env::temp_dir().join(format!("sylvan-run-{}-{name}", process::id()));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        let this = Path::new(env!("CARGO_BIN_EXE_sylvan"));
        fs::copy(this, path.join("sylvan")).unwrap();
        fs::copy(library(), path.join("libsylvan_preload.so")).unwrap();
        Self(path)
    }

    fn sylvan(&self) -> Command {
        let mut command = Command::new(self.0.join("sylvan"));
        command.env_remove("LD_PRELOAD").env_remove("SYLVAN_TLS").arg("run");
        command
    }

    /// Compiles a program.
    fn cc(&self, name: &str, source: &str, flags: &[&str]) -> PathBuf {
        let (c, program) = (self.0.join(name).with_extension("c"), self.0.join(name));
        fs::write(&c, source).unwrap();
        let status =
            Command::new("cc").arg(&c).arg("-o").arg(&program).args(flags).status().unwrap();
        assert!(status.success(), "{name} does not compile");
        program
    }

    fn script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// The exit status where `program` is to run, and what is said.
    fn refused(&self, program: &Path) -> (Option<i32>, String) {
        said(self.sylvan().arg(program))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Builds the library, as a user would; it is beside this program then.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "sylvan-preload"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .unwrap();
        assert!(status.success());
        Path::new(env!("CARGO_BIN_EXE_sylvan")).with_file_name("libsylvan_preload.so")
    })
}

fn text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).unwrap()
}

/// How it ended, and what it said on standard error.
fn said(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert_eq!(text(&stdout), "", "the program has started");
    (status.code(), text(&stderr).to_owned())
}

/// What it printed, and nothing on standard error.
fn printed(command: &mut Command) -> String {
    let Output { status, stdout, stderr } = command.output().unwrap();
    assert_eq!((status.code(), text(&stderr)), (Some(0), ""));
    text(&stdout).to_owned()
}

const HELLO: &str = "#include <stdio.h>\nint main(void) { puts(\"hello\"); return 0; }\n";

/// Threads that wait for a lock which `main` has, and how many OS threads there are then.
const THREADS: &str = r#"
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void *waits(void *arg) { pthread_mutex_lock(&lock); pthread_mutex_unlock(&lock); return arg; }
int main(void) {
    pthread_t threads[100];
    pthread_mutex_lock(&lock);
    for (int i = 0; i < 100; i++) if (pthread_create(&threads[i], 0, waits, 0)) return 1;
    DIR *tasks = opendir("/proc/self/task");
    int n = 0;
    while (readdir(tasks)) n++;
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < 100; i++) pthread_join(threads[i], 0);
    puts(n < 100 ? "green" : "OS threads");
    return 0;
}
"#;

#[test]
fn threads_are_green_and_without_it_they_are_not() {
    let folder = Folder::new("green");
    let program = folder.cc("threads", THREADS, &["-pthread"]);
    assert_eq!(printed(&mut Command::new(&program)), "OS threads\n");
    assert_eq!(printed(folder.sylvan().arg(&program)), "green\n");
    assert_eq!(printed(folder.sylvan().args(["--workers", "1"]).arg(&program)), "green\n");
    let off = &mut folder.sylvan();
    assert_eq!(printed(off.env("SYLVAN_PRELOAD", "off").arg(&program)), "OS threads\n");
}

#[test]
fn the_program_alone_leaves_files() {
    let folder = Folder::new("files");
    let program = folder.cc("threads", THREADS, &["-pthread"]);
    let file = |name: &str| folder.0.join(name).into_os_string();
    let mut command = folder.sylvan();
    command.env("SYLVAN_TRACE", file("left-%p.trace"));
    command.env("SYLVAN_DUMP", "SIGQUIT").env("SYLVAN_DUMP_FILE", file("left-%p.dump"));
    let child = command.arg(&program).stdout(Stdio::null()).spawn().unwrap();
    let wanted = ["dump", "trace"].map(|it| format!("left-{}.{it}", child.id()));
    assert!(child.wait_with_output().unwrap().status.success());
    let names = fs::read_dir(&folder.0).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut left: Vec<_> = names.filter(|name| name.starts_with("left-")).collect();
    left.sort();
    assert_eq!(left, wanted);
}

#[test]
fn it_becomes_the_program() {
    let folder = Folder::new("becomes");
    let child = folder.sylvan().args(["sh", "-c", "echo $$"]).stdout(Stdio::piped()).spawn();
    let child = child.unwrap();
    let id = child.id();
    let output = child.wait_with_output().unwrap();
    assert_eq!(text(&output.stdout), format!("{id}\n"));
    let status = folder.sylvan().args(["sh", "-c", "exit 7"]).status().unwrap();
    assert_eq!(status.code(), Some(7));
    let status = folder.sylvan().args(["sh", "-c", "kill -TERM $$"]).status().unwrap();
    assert_eq!(status.signal(), Some(15));
    // Its name is as it was given.
    let out = printed(folder.sylvan().args(["sh", "-c", "read -r c </proc/$$/comm; echo $0 $c"]));
    assert_eq!(out, "sh sh\n");
}

#[test]
fn the_library_comes_before_those_that_there_are() {
    let folder = Folder::new("before");
    let show = ["sh", "-c", "echo $LD_PRELOAD $SYLVAN_WORKERS"];
    let library = folder.0.join("libsylvan_preload.so");
    let out = printed(folder.sylvan().args(["--workers", "3"]).args(show));
    assert_eq!(out, format!("{} 3\n", library.display()));
    let out = printed(folder.sylvan().env("LD_PRELOAD", "libm.so.6").args(show));
    assert_eq!(out, format!("{}:libm.so.6\n", library.display()));
}

#[test]
fn a_folder_whose_name_the_loader_would_split_is_no_hindrance() {
    let folder = Folder::new("odd: $ORIGIN name");
    assert_eq!(printed(folder.sylvan().args(["sh", "-c", "echo here"])), "here\n");
    let odd = folder.cc("threads", THREADS, &["-pthread"]);
    assert_eq!(printed(folder.sylvan().arg(odd)), "green\n");
}

#[test]
fn the_library_may_be_where_libraries_are() {
    let folder = Folder::new("installed");
    for name in ["bin", "lib"] {
        fs::create_dir(folder.0.join(name)).unwrap();
    }
    for (name, place) in
        [("sylvan", "bin/sylvan"), ("libsylvan_preload.so", "lib/libsylvan_preload.so")]
    {
        fs::rename(folder.0.join(name), folder.0.join(place)).unwrap();
    }
    let mut command = Command::new(folder.0.join("bin/sylvan"));
    let out = printed(command.args(["run", "sh", "-c", "basename $LD_PRELOAD"]));
    assert_eq!(out, "libsylvan_preload.so\n");
}

#[test]
fn scripts_run_as_what_their_first_line_names() {
    let folder = Folder::new("scripts");
    let script = folder.script("a", "#!/usr/bin/env -S sh -e\nbasename \"$LD_PRELOAD\"\n");
    assert_eq!(printed(folder.sylvan().arg(script)), "libsylvan_preload.so\n");
    // A script that runs a script.
    let inner = folder.script("inner", "#!/bin/sh\necho inner\n");
    let outer = folder.script("outer", &format!("#!{}\n", inner.display()));
    assert_eq!(printed(folder.sylvan().arg(outer)), "inner\n");
    let by_nobody = folder.script("by_nobody", "#!/no/such/thing\n");
    assert_eq!(folder.refused(&by_nobody).0, Some(127));
    let fixed = folder.cc("static", HELLO, &["-static"]);
    for line in
        [format!("#!{}\n", fixed.display()), format!("#!/usr/bin/env {}\n", fixed.display())]
    {
        let script = folder.script("by_static", &line);
        assert_eq!(folder.refused(&script).0, Some(110), "{line}");
    }
}

#[test]
fn what_is_not_there_or_not_executable_ends_as_in_a_shell() {
    let folder = Folder::new("shell");
    let (code, said) = folder.refused(Path::new("no-such-program"));
    assert_eq!(code, Some(127));
    assert_eq!(said, "sylvan: no-such-program: there is no such program in PATH\n");
    assert_eq!(folder.refused(&folder.0.join("none")).0, Some(127));
    let file = folder.script("file", "");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(folder.refused(&file).0, Some(126));
    assert_eq!(folder.refused(&folder.0).0, Some(126));
    // Programs of a loader that is not there: found, read, and not started.
    let flag = "-Wl,--dynamic-linker=/nowhere/ld-linux-x86-64.so.2";
    assert_eq!(folder.refused(&folder.cc("unloadable", HELLO, &[flag])).0, Some(127));
}

#[test]
fn what_no_library_can_come_before_is_refused() {
    let folder = Folder::new("refused");
    let refused = |program: &Path, status: i32, why: &str| {
        let (code, said) = folder.refused(program);
        assert_eq!(code, Some(status), "{said}");
        assert!(said.starts_with(&format!("sylvan: {}: ", program.display())), "{said}");
        assert!(said.contains(why), "{said}");
    };
    refused(&folder.cc("static", HELLO, &["-static"]), 110, "statically");
    refused(&folder.cc("static_pie", HELLO, &["-static-pie"]), 110, "statically");
    let musl = "-Wl,--dynamic-linker=/lib/ld-musl-x86_64.so.1";
    refused(&folder.cc("musl", HELLO, &[musl]), 112, "musl");
    let go = "__asm__(\".section .go.buildinfo,\\\"a\\\"\\n.long 1\\n.text\\n\");\n";
    refused(&folder.cc("go", &format!("{go}{HELLO}"), &[]), 113, "Go");
    // Without sections, its note is left.
    let note = "__asm__(\".section .note.go.buildid,\\\"a\\\",@note\\n.long 4, 4, 4\\n\
                .asciz \\\"Go\\\\0\\\"\\n.long 1\\n.text\\n\");\n";
    refused(&folder.cc("go_stripped", &format!("{note}{HELLO}"), &["-s"]), 113, "Go");

    // Bytes of the header: 64 bits, which machine, which kind of file.
    let hello = fs::read(folder.cc("hello", HELLO, &[])).unwrap();
    for (at, value, status, why) in [
        (4, 1, 114, "32 bits"),
        (18, 0xf3, 114, "architecture"),
        (16, 1, 115, "no program"),
        (0, b'#', 115, "neither an ELF program nor a script"),
    ] {
        let mut bytes = hello.clone();
        bytes[at] = value;
        let program = folder.script("patched", "");
        fs::write(&program, bytes).unwrap();
        refused(&program, status, why);
    }
    refused(&folder.script("text", "echo no first line\n"), 115, "neither");
}

#[test]
fn what_has_rights_of_its_own_is_refused_unless_they_are_the_callers() {
    if !geteuid().is_root() {
        eprintln!("SKIPPED: only root can make such programs");
        return;
    }
    let folder = Folder::new("rights");
    let hello = folder.cc("hello", HELLO, &[]);
    let mode = |mode| fs::set_permissions(&hello, Permissions::from_mode(mode)).unwrap();
    let mut as_nobody = folder.sylvan();
    as_nobody.uid(NOBODY).gid(NOBODY).arg(&hello);

    mode(0o4755);
    assert_eq!(printed(folder.sylvan().arg(&hello)), "hello\n");
    let (code, said_of_it) = said(&mut as_nobody);
    assert_eq!(code, Some(111));
    assert!(said_of_it.contains("rights of its own"), "{said_of_it}");
    mode(0o2755);
    assert_eq!(said(&mut as_nobody).0, Some(111));
    // The group's mark alone is none for programs.
    mode(0o2745);
    assert_eq!(printed(folder.sylvan().arg(&hello)), "hello\n");

    // Somebody else's. Whoever has given up new rights gets none.
    chown(&hello, Some(NOBODY), Some(NOBODY)).unwrap();
    mode(0o4755);
    assert_eq!(said(folder.sylvan().arg(&hello)).0, Some(111));
    assert_eq!(printed(&mut as_nobody), "hello\n");
    let sylvan = folder.sylvan();
    let mut given_up = Command::new("setpriv");
    given_up
        .arg("--no-new-privs")
        .arg(sylvan.get_program())
        .args(["run".as_ref(), hello.as_os_str()]);
    assert_eq!(printed(&mut given_up), "hello\n");

    mode(0o755);
    // Version 2, effective: to bind low ports.
    let capabilities: Vec<u8> =
        [0x0200_0001, 1 << 10, 0, 0, 0].into_iter().flat_map(u32::to_le_bytes).collect();
    if setxattr(&hello, "security.capability", &capabilities, XattrFlags::empty()).is_err() {
        eprintln!("SKIPPED: files here have no capabilities");
        return;
    }
    assert_eq!(said(&mut as_nobody).0, Some(111));
    assert_eq!(printed(folder.sylvan().arg(&hello)), "hello\n");
}

#[test]
fn where_the_runtime_cannot_start_nothing_does() {
    let folder = Folder::new("filter");
    // Event loops are forbidden, then it becomes what it is told.
    let filter = r#"
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int n, char **args) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_create1, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = { sizeof code / sizeof *code, code };
    if (n < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) return 1;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) return 2;
    execvp(args[1], args + 1);
    return 3;
}
"#;
    let filter = folder.cc("filter", filter, &[]);
    let sylvan = folder.sylvan();
    let (code, said) =
        said(Command::new(filter).arg(sylvan.get_program()).args(["run", "echo", "a"]));
    assert_eq!(code, Some(117), "{said}");
    assert!(said.starts_with("sylvan: the runtime does not start here: "), "{said}");
    assert!(said.contains("not permitted"), "{said}");
}

#[test]
fn a_program_that_has_the_runtime_runs_without_the_library() {
    let folder = Folder::new("twice");
    let source = "#include <stdio.h>\n#include <stdlib.h>\n\
        __asm__(\".section .note.sylvan,\\\"a\\\",@note\\n.long 7, 4, 1\\n.asciz \\\"sylvan\\\"\\n\
        .balign 4\\n.long 0\\n.text\\n\");\n\
        int main(void) { puts(getenv(\"LD_PRELOAD\") ? \"twice\" : \"once\"); return 0; }\n";
    let program = folder.cc("has_it", source, &[]);
    let Output { status, stdout, stderr } = folder.sylvan().arg(&program).output().unwrap();
    assert_eq!((status.code(), text(&stdout)), (Some(0), "once\n"));
    let line = format!(
        "sylvan: {} has the runtime in it already, and starts as it is\n",
        program.display()
    );
    assert_eq!(text(&stderr), line);
}

#[test]
fn help_has_each_status() {
    let folder = Folder::new("help");
    let help = printed(folder.sylvan().arg("--help"));
    for status in (110..=118).chain([126, 127]) {
        assert!(help.contains(&format!("\n  {status}  ")), "{status}: {help}");
    }
}

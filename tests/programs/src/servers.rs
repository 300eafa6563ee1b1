//! How each program is started, until it listens.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::process::geteuid;

use crate::{Folder, Program, Threads, guest};

/// Debian's Python, to which the package with its own tests belongs.
pub const PYTHON: &str = "/usr/bin/python3";

/// A server in Python of `guests/`.
pub fn python(threads: Threads, name: &str) -> Program {
    by_interpreter(threads, PYTHON, name)
}

/// An echo server in Ruby.
pub fn ruby(threads: Threads) -> Program {
    by_interpreter(threads, "ruby", "echo.rb")
}

fn by_interpreter(threads: Threads, interpreter: &str, name: &str) -> Program {
    Program::listening(name, |address, _| {
        let mut command = threads.command(interpreter);
        command.arg(guest(name)).arg(address.port().to_string());
        command
    })
}

/// An echo server in C.
pub fn c(threads: Threads) -> Program {
    Program::listening("c", |address, folder| {
        let program = folder.path().join("echo");
        let mut compile = Command::new("cc");
        succeeds(compile.args(["-O2", "-pthread", "-o"]).arg(&program).arg(guest("echo.c")));
        let mut command = threads.command(program);
        command.arg(address.port().to_string());
        command
    })
}

/// An echo server in Java.
pub fn java(threads: Threads) -> Program {
    Program::listening("java", |address, folder| {
        succeeds(Command::new("javac").arg("-d").arg(folder.path()).arg(guest("Echo.java")));
        let mut command = threads.command("java");
        command.args(["-Xmx256m", "-cp"]).arg(folder.path()).arg("Echo");
        command.arg(address.port().to_string());
        command
    })
}

/// Puma, with sixteen threads.
pub fn puma(threads: Threads) -> Program {
    Program::listening("puma", |address, folder| {
        let mut command = threads.command("puma");
        command.args(["--threads", "16:16", "--environment", "production", "--bind"]);
        command.arg(format!("tcp://{address}")).arg(guest("app.ru")).current_dir(folder.path());
        command
    })
}

/// memcached, with four threads.
pub fn memcached(threads: Threads) -> Program {
    Program::listening("memcached", |address, _| {
        let mut command = threads.command("memcached");
        command.args(["-u", "nobody", "-l", "127.0.0.1", "-c", "4096", "-t", "4", "-p"]);
        command.arg(address.port().to_string());
        command
    })
}

/// Apache's worker, with room for `n` clients.
pub fn apache(threads: Threads, n: usize) -> Program {
    Program::listening("apache", |address, folder| {
        fs::create_dir(folder.path().join("pages")).expect("a folder");
        folder.write("pages/hello", "Hello, World!");
        let root = folder.path().display();
        let user = if geteuid().is_root() { "User www-data\nGroup www-data\n" } else { "" };
        let configuration = format!(
            "ServerRoot {root}\nServerName localhost\nListen {address}\nPidFile {root}/pid\n{user}\
             LoadModule mpm_worker_module /usr/lib/apache2/modules/mod_mpm_worker.so\n\
             LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so\n\
             Mutex default:{root}\nErrorLog {root}/errors\nDocumentRoot {root}/pages\n\
             MaxKeepAliveRequests 0\nKeepAliveTimeout 30\nServerLimit {}\nStartServers 2\n\
             ThreadsPerChild 25\nMaxRequestWorkers {}\n",
            n.div_ceil(25),
            n.next_multiple_of(25),
        );
        let file = folder.write("apache.conf", &configuration);
        let mut command = threads.command("/usr/sbin/apache2");
        command.arg("-f").arg(file).arg("-DFOREGROUND");
        command
    })
}

/// stunnel, which speaks TLS to its clients and passes on to `behind` what they say.
pub fn stunnel(threads: Threads, behind: SocketAddr) -> Program {
    Program::listening("stunnel", |address, folder| {
        let (key, certificate) = (folder.path().join("key"), folder.path().join("certificate"));
        let mut make = Command::new("openssl");
        make.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]);
        make.args(["-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout"]).arg(&key);
        succeeds(make.arg("-out").arg(&certificate).stderr(Stdio::null()));
        let (key, certificate) = (key.display(), certificate.display());
        let more = format!("cert = {certificate}\nkey = {key}\n");
        stunnel_command(threads, folder, address, behind, &more)
    })
}

/// stunnel on OS threads, which passes on to `behind`, by TLS, what its clients say.
pub fn stunnel_client(behind: SocketAddr) -> Program {
    Program::listening("stunnel-client", |address, folder| {
        stunnel_command(Threads::Os, folder, address, behind, "client = yes\n")
    })
}

fn stunnel_command(
    threads: Threads,
    folder: &Folder,
    address: SocketAddr,
    behind: SocketAddr,
    more: &str,
) -> Command {
    let text = format!(
        "foreground = yes\npid =\nsocket = l:TCP_NODELAY=1\nsocket = r:TCP_NODELAY=1\n\
         [echo]\naccept = {address}\nconnect = {behind}\n{more}"
    );
    let mut command = threads.command("stunnel4");
    command.arg(folder.write("stunnel.conf", &text));
    command
}

/// MariaDB, which lets in root, with an empty database `d`; a lock is waited for for a second.
pub fn mariadb(threads: Threads) -> Program {
    let mut program = Program::start("mariadb", |address, folder| {
        let data = folder.path().join("data");
        let mut options = vec!["--no-defaults".to_owned(), format!("--datadir={}", data.display())];
        if geteuid().is_root() {
            options.push("--user=nobody".to_owned());
        }
        let mut install = Command::new("mariadb-install-db");
        install.args(&options).args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
        succeeds(install.env("TMPDIR", folder.path()).stdout(Stdio::null()));
        let mut command = threads.command("/usr/sbin/mariadbd");
        command
            .args(&options)
            .args(["--bind-address=127.0.0.1", "--max-connections=2100", "--table-open-cache=200"])
            .args(["--innodb-lock-wait-timeout=1", "--thread-cache-size=0"])
            .arg(format!("--port={}", address.port()))
            .arg(format!("--socket={}", data.join("socket").display()));
        command
    });
    let made = |it: &Program| sql(it, "CREATE DATABASE IF NOT EXISTS d").status.success();
    program.wait_until("answers", made);
    program
}

/// Has MariaDB's client ask.
///
/// # Panics
///
/// If it is not there.
pub fn sql(program: &Program, statements: &str) -> Output {
    Command::new("mariadb")
        .args(["--no-defaults", "--host=127.0.0.1", "--user=root", "--batch"])
        .args(["--skip-column-names", "--port", &program.address.port().to_string()])
        .args(["--execute", statements])
        .output()
        .expect("the client runs")
}

fn succeeds(command: &mut Command) {
    let status = command.status().expect("it runs");
    assert!(status.success(), "{}: {status}", Path::new(command.get_program()).display());
}

//! Servers of other people's, started for one test and stopped after it.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to answer.
const SOON: Duration = Duration::from_secs(60);

/// The name of a server's Unix socket.
const SOCKET: &str = "socket";

/// The name of the file that holds a server's words.
const LOG: &str = "log";

/// Debian's places for them, which are not in everybody's PATH.
const MARIADBD: &str = "/usr/sbin/mariadbd";
const APACHE: &str = "/usr/sbin/apache2";
const POSTGRESQL: &str = "/usr/lib/postgresql";

/// A folder that is removed with what is in it.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes one below the system's folder for such.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn new(name: &str) -> Self {
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let number = MADE.fetch_add(1, Relaxed);
        let name = format!("sylvan-{}-{number}-{name}", process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).expect("a folder");
        Self { path }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// A server, until it is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    folder: Folder,
    has_socket: bool,
    /// The signal that ends it.
    ends_by: libc::c_int,
    /// Where it listens on the loopback.
    pub address: SocketAddr,
}

impl Server {
    /// Starts `redis-server`; nothing, and a word on standard output, where it is not installed.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    pub fn redis() -> Option<Self> {
        if is_missing("redis-server") {
            return None;
        }
        let folder = Folder::new("redis");
        let address = free_address();
        let mut command = Command::new("redis-server");
        command
            .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(folder.path())
            .arg("--unixsocket")
            .arg(folder.path().join(SOCKET));
        Some(Self::start(command, folder, address, true))
    }

    /// Starts `mariadbd`; nothing, and a word on standard output, where it is not installed. It
    /// lets in everybody.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    pub fn mariadb() -> Option<Self> {
        if is_missing(MARIADBD) {
            return None;
        }
        let folder = Folder::new("mariadb");
        let data = folder.path().join("data");
        // It runs as whoever runs the tests.
        let user = Command::new("id").arg("-un").output().expect("a user's name");
        let user = String::from_utf8(user.stdout).expect("a name");
        let with_options = |program: &str, data: &Path| {
            let mut command = Command::new(program);
            command.arg("--no-defaults").arg(format!("--user={}", user.trim()));
            command.arg(format!("--datadir={}", data.display()));
            // Its own, for two at once would have files of the same name.
            command.env("TMPDIR", folder.path());
            command
        };
        let installed = with_options("mariadb-install-db", &data)
            .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
            .stdout(Stdio::null())
            .status()
            .expect("mariadb-install-db");
        assert!(installed.success(), "mariadb-install-db: {installed}");

        let address = free_address();
        let mut command = with_options(MARIADBD, &data);
        command
            .args(["--bind-address=127.0.0.1", &format!("--port={}", address.port())])
            .args(["--skip-grant-tables", "--skip-networking=0", "--max-connections=200"])
            .arg(format!("--socket={}", folder.path().join(SOCKET).display()));
        Some(Self::start(command, folder, address, true))
    }

    /// Starts `openssl s_server`, which answers each request over TLS with a page about it; nothing,
    /// and a word on standard output, where it is not installed.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    pub fn openssl(certificate: &Path, key: &Path) -> Option<Self> {
        if is_missing("openssl") {
            return None;
        }
        let address = free_address();
        let mut command = Command::new("openssl");
        command
            .args(["s_server", "-www", "-accept", &address.to_string(), "-cert"])
            .arg(certificate)
            .arg("-key")
            .arg(key);
        Some(Self::start(command, Folder::new("openssl"), address, false))
    }

    /// Starts `memcached`; nothing, and a word on standard output, where it is not installed.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    pub fn memcached() -> Option<Self> {
        if is_missing("memcached") {
            return None;
        }
        let address = free_address();
        let mut command = Command::new("memcached");
        command
            .args(["--listen=127.0.0.1", "--udp-port=0", "--user=nobody"])
            .arg(format!("--port={}", address.port()));
        Some(Self::start(command, Folder::new("memcached"), address, false))
    }

    /// Starts `apache2`, whose page `/N` is `page N`, for `n` pages; nothing, and a word on standard
    /// output, where it is not installed.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    pub fn apache(n: usize) -> Option<Self> {
        if is_missing(APACHE) {
            return None;
        }
        let folder = Folder::new("apache");
        let root = folder.path().display().to_string();
        let pages = folder.path().join("pages");
        fs::create_dir(&pages).expect("a folder");
        for number in 0..n {
            fs::write(pages.join(number.to_string()), page(number)).expect("a page");
        }
        let address = free_address();
        // A child whose threads are all busy closes the connections that it keeps, and a child too many ends with
        // those that it has: so there is one, with threads for all.
        let configuration = format!(
            "ServerRoot {root}\nServerName localhost\nListen {address}\nPidFile {root}/pid\n\
             LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so\n\
             LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so\n\
             Mutex default:{root}\nErrorLog {root}/errors\nDocumentRoot {root}/pages\n\
             User nobody\nGroup nogroup\nServerLimit 2\nThreadLimit 250\nStartServers 1\n\
             ThreadsPerChild 250\nMinSpareThreads 1\nMaxSpareThreads 500\n\
             MaxRequestWorkers 500\nMaxKeepAliveRequests 0\nKeepAliveTimeout 60\n"
        );
        let file = folder.path().join("configuration");
        fs::write(&file, configuration).expect("a configuration");
        let mut command = Command::new(APACHE);
        command.arg("-f").arg(file).arg("-DFOREGROUND");
        let mut server = Self::start(command, folder, address, false);
        // It has children, which it ends.
        server.ends_by = libc::SIGTERM;
        Some(server)
    }

    /// Starts PostgreSQL with an empty database; nothing, and a word on standard output, where it is
    /// not installed. It lets in everybody, as `postgres`.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    pub fn postgresql() -> Option<Self> {
        let Some(programs) = postgresqls_programs() else {
            println!("skipped: PostgreSQL is not installed");
            return None;
        };
        let folder = Folder::new("postgresql");
        // It refuses to run as root, so root has the user run it that Debian's package makes.
        let user = (effective_user() == 0).then(|| user_id("postgres"));
        if let Some(user) = user {
            chown(folder.path(), Some(user), None).expect("a folder for another user");
        }
        let data = folder.path().join("data");
        let with_options = |program: &str| {
            let mut command = Command::new(programs.join(program));
            command.arg("-D").arg(&data).current_dir(folder.path()).env("LC_ALL", "C");
            if let Some(user) = user {
                command.uid(user);
            }
            command
        };
        let made = with_options("initdb")
            .args(["--auth=trust", "--username=postgres", "--no-sync"])
            .stdout(Stdio::null())
            .status()
            .expect("initdb");
        assert!(made.success(), "initdb: {made}");

        let address = free_address();
        let mut command = with_options("postgres");
        command
            .args(["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"])
            .args(["-c", "max_connections=120", "-c", "shared_buffers=16MB"])
            .args(["-c", &format!("port={}", address.port())])
            .arg("-c")
            .arg(format!("unix_socket_directories={}", folder.path().display()));
        let mut server = Self::start(command, folder, address, false);
        // It has children and shared memory, which it ends.
        server.ends_by = libc::SIGINT;
        // It listens before it lets anybody in.
        let begin = Instant::now();
        let is_ready = || {
            let mut command = Command::new(programs.join("pg_isready"));
            command.arg("--quiet").arg("--host=127.0.0.1");
            command.arg(format!("--port={}", address.port()));
            command.status().expect("pg_isready").success()
        };
        while !is_ready() {
            assert!(begin.elapsed() < SOON, "PostgreSQL is not ready:\n{}", server.said());
            thread::sleep(Duration::from_millis(20));
        }
        Some(server)
    }

    /// Starts Python's SMTP server, which says each mail that it gets; nothing, and a word on
    /// standard output, where it is not installed.
    ///
    /// # Panics
    ///
    /// If it does not come up.
    pub fn smtp() -> Option<Self> {
        if is_missing("python3") {
            return None;
        }
        let address = free_address();
        let mut command = Command::new("python3");
        command
            .args(["-u", "-W", "ignore", "-m", "smtpd", "-n", "-c", "DebuggingServer"])
            .arg(address.to_string());
        Some(Self::start(command, Folder::new("smtp"), address, false))
    }

    /// What it has said until now.
    ///
    /// # Panics
    ///
    /// If that cannot be read.
    pub fn said(&self) -> String {
        let said = fs::read(self.folder.path().join(LOG)).expect("the server's words");
        String::from_utf8_lossy(&said).into_owned()
    }

    /// The folder that is its own.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its Unix socket, if it is one of those that have one.
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join(SOCKET)
    }

    fn start(mut command: Command, folder: Folder, address: SocketAddr, has_socket: bool) -> Self {
        let file =
            fs::File::create(folder.path().join(LOG)).expect("a file for the server's words");
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone().expect("a descriptor"))
            .stderr(file)
            .spawn()
            .expect("a server");
        let mut server = Self { child, folder, has_socket, ends_by: libc::SIGKILL, address };
        let begin = Instant::now();
        while let Err(error) = server.is_up() {
            let is_gone = server.child.try_wait().expect("the state of a child").is_some();
            if is_gone || begin.elapsed() > SOON {
                panic!("{command:?} does not answer: {error}\n{}", server.said());
            }
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Whether it answers in all places.
    fn is_up(&self) -> io::Result<()> {
        TcpStream::connect(self.address)?;
        if self.has_socket {
            UnixStream::connect(self.socket())?;
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SAFETY: a system call that takes numbers; the child has not been waited for.
        unsafe { libc::kill(self.child.id() as libc::pid_t, self.ends_by) };
        let _ = self.child.wait();
    }
}

/// What is on page `number` of [`Server::apache`].
pub fn page(number: usize) -> String {
    format!("page {number}")
}

/// Where the newest PostgreSQL has its programs; none where it is not installed.
fn postgresqls_programs() -> Option<PathBuf> {
    let versions = fs::read_dir(POSTGRESQL).ok()?;
    let mut folders: Vec<PathBuf> =
        versions.flatten().map(|version| version.path().join("bin")).collect();
    folders.retain(|folder| folder.join("postgres").is_file());
    folders.sort();
    folders.pop()
}

fn effective_user() -> u32 {
    // SAFETY: a system call without arguments.
    unsafe { libc::geteuid() }
}

/// The number of the user of this name.
fn user_id(name: &str) -> u32 {
    let id = Command::new("id").args(["-u", name]).output().expect("a user's number");
    let id = String::from_utf8(id.stdout).expect("a number");
    id.trim().parse().unwrap_or_else(|_| panic!("there is no user {name}"))
}

/// Whether there is no such program, which ends the test that says so.
pub fn is_missing(program: impl AsRef<OsStr>) -> bool {
    let program = program.as_ref();
    let tried = Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .stdin(Stdio::null())
        .spawn();
    match tried {
        Ok(mut child) => {
            let _ = child.wait();
            false
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            println!("skipped: {} is not installed", program.display());
            true
        }
        Err(error) => panic!("{}: {error}", program.display()),
    }
}

/// An address of the loopback where nobody listens. The kernel gives such ports to nobody by itself,
/// each process begins at another one, and none is handed out twice.
fn free_address() -> SocketAddr {
    static HANDED_OUT: AtomicUsize = AtomicUsize::new(0);
    const FIRST: usize = 20_000;
    const N_PORTS: usize = 12_000;
    let begin = process::id() as usize * 16;
    loop {
        let nth = HANDED_OUT.fetch_add(1, Relaxed);
        assert!(nth < N_PORTS, "no port is free");
        let port = FIRST + (begin + nth) % N_PORTS;
        if let Ok(listener) = TcpListener::bind(("127.0.0.1", port as u16)) {
            return listener.local_addr().expect("an address");
        }
    }
}

//! What a newcomer meets first, in the compiler's own words, and that each remedy of
//! `docs/troubleshooting.md` is one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A dependency that knows real std alone: it takes std's types, and adds methods to them.
const DEPENDENCY: &str = r#"
use std::io::{self, Write};

pub fn greet(mut client: std::net::TcpStream) -> io::Result<()> {
    client.write_all(b"hello")
}

pub trait FileExt {
    fn is_a_terminal(&self) -> bool;
}

pub use std::thread;

impl FileExt for std::fs::File {
    fn is_a_terminal(&self) -> bool {
        io::IsTerminal::is_terminal(self)
    }
}

pub trait Describe {
    fn describe(&self) -> String;
}

impl<T: std::fmt::Debug> Describe for std::sync::Mutex<T> {
    fn describe(&self) -> String {
        format!("{:?}", self.lock().unwrap())
    }
}
"#;

/// A program that gives it a stream, and uses its methods.
const PROGRAM: &str = r#"
use std::fs::File;
use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::thread;

use dependency::{FileExt, Describe};

fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    thread::spawn(move || {
        let (server, _) = listener.accept().unwrap();
        dependency::greet(server).unwrap();
    });
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    let is_a_terminal = File::open("/dev/null").unwrap().is_a_terminal();
    println!("{text} {is_a_terminal} {}", Mutex::new(7).describe());
}
"#;

/// What it prints.
const ANSWER: &str = "hello false 7\n";

/// Runs a command of cargo on a package with such a program, whose `std` line this is; more may follow it.
fn cargo(command: &str, name: &str, std: &str, program: &str) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned();
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("first-hour").join(name);
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    };
    let package = |name: &str, rest: &str| {
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n{rest}")
    };
    let std = std.replace("ROOT", root.to_str().expect("text"));
    let dependencies = format!("dependency = {{ path = \"dependency\" }}\n{std}\n");
    write("Cargo.toml", &package(name, &format!("[workspace]\n\n[dependencies]\n{dependencies}")));
    write("src/main.rs", program);
    write("dependency/Cargo.toml", &package("dependency", ""));
    write("dependency/src/lib.rs", DEPENDENCY);
    // The versions that have been fetched for the workspace are the ones that are there.
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).expect("the lock file");
    Command::new(env!("CARGO"))
        .args(command.split(' '))
        .args(["--offline", "--color=never"])
        .current_dir(&folder)
        // One for all, so that the mirror is built once.
        .env("CARGO_TARGET_DIR", folder.with_file_name("target"))
        .env_remove("RUSTFLAGS")
        .output()
        .expect("cargo")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn assert_answers(output: &Output) {
    assert_eq!((text(&output.stdout).as_str(), text(&output.stderr).as_str()), (ANSWER, ""));
}

const MIRROR: &str = r#"std = { package = "std-shim", path = "ROOT/std-shim" }"#;

/// The lines for `Cargo.toml` that a page has, of the block that has this in it.
fn lines_of(page: &str, has: &str) -> String {
    let text = fs::read_to_string(page).expect("the page");
    let blocks = text.split("```toml\n").skip(1).filter_map(|block| block.split("```").next());
    blocks.into_iter().find(|block| block.contains(has)).expect("a block").to_owned()
}

#[test]
fn the_profile_of_the_readme_names_packages_that_there_are() {
    let lines = format!("{MIRROR}\n\n{}", lines_of("../README.md", "[profile"));
    let output = cargo("check", "optimized", &lines, "fn main() {}");
    assert!(output.status.success());
    let warnings = text(&output.stderr);
    assert!(!warnings.contains("did not match any packages"), "{warnings}");
}

#[test]
fn the_line_may_be_optional() {
    let lines = lines_of("../docs/troubleshooting.md", "optional = true");
    let lines = lines.replace("[dependencies]", "").replace("../sylvan/", "ROOT/");
    let program = "fn main() { print!(\"{}\", std::any::type_name::<std::net::TcpStream>()) }";
    let name_by = |command| text(&cargo(command, "optional", &lines, program).stdout);
    assert_eq!(name_by("run --quiet"), "std::net::tcp::TcpStream");
    assert!(name_by("run --quiet --features green").starts_with("std_shim::net::"));
}

#[test]
fn the_compiler_says_what_the_page_says() {
    let output = cargo("check --quiet", "met", MIRROR, PROGRAM);
    assert!(!output.status.success());
    let errors = text(&output.stderr);
    let page = fs::read_to_string("../docs/troubleshooting.md").expect("the page");
    for error in [
        "expected `std::net::tcp::TcpStream`, found `TcpStream`",
        "call `Into::into` on this expression",
        "no method named `is_a_terminal` found for struct `File` in the current scope",
        "no method named `describe` found for struct `Mutex<T>` in the current scope",
    ] {
        assert!(errors.contains(error), "{error}\nis not in\n{errors}");
        assert!(page.contains(error), "{error}\nis not on the page");
    }
}

#[test]
fn what_is_converted_may_be_given_to_a_dependency() {
    let program = PROGRAM
        .replace("use dependency::{FileExt, Describe};", "")
        .replace("greet(server)", "greet(server.into())")
        .replace(".is_a_terminal()", ".metadata().unwrap().is_file()")
        .replace(".describe()", ".lock().unwrap()");
    assert_answers(&cargo("run --quiet", "converted", MIRROR, &program));
}

#[test]
fn real_std_beside_the_mirror_has_the_methods() {
    let line = r#"std-shim = { path = "ROOT/std-shim" }"#;
    let program = PROGRAM
        .replace("use std::net", "use std_shim::net")
        .replace("use std::thread", "use std_shim::thread")
        .replace("greet(server)", "greet(server.into())");
    assert_answers(&cargo("run --quiet", "beside", line, &program));
}

/// A test of a program's that prints from two threads, and asks what a logger would call them.
const PRINTS: &str = r#"
#[test]
fn passes() {
    let called = |name: Option<&str>| assert_eq!(dependency::thread::current().name(), name);
    let nameless = move || {
        println!("by a thread without a name");
        called(None);
    };
    let named = move || {
        println!("by a thread with a name");
        called(Some("named"));
    };
    std::thread::spawn(nameless).join().unwrap();
    let builder = std::thread::Builder::new().name("named".to_owned());
    builder.spawn(named).unwrap().join().unwrap();
}
"#;

#[test]
fn what_a_thread_with_a_name_prints_is_captured_and_a_logger_knows_the_name() {
    if tests::are_thread_locals_shared() {
        return;
    }
    let shown = text(&cargo("test --quiet", "prints", MIRROR, PRINTS).stdout);
    assert!(shown.contains("1 passed"), "{shown}");
    assert!(shown.contains("by a thread without a name"), "{shown}");
    assert!(!shown.contains("by a thread with a name"), "{shown}");
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn what_is_linked_in_leaves_std_its_types() {
    let line = r#"std = { package = "sylvan-libc", path = "ROOT/posix/linked" }"#;
    assert_answers(&cargo("run --quiet", "linked", line, PROGRAM));
}

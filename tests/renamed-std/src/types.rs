//! What std's names mean here, for those who can compare.

/// The modules whose types are the mirror's own.
pub const MIRRORED: &[&str] = &["fs", "io", "net", "process", "sync", "thread"];

/// `std::net::TcpStream`.
pub type TcpStream = std::net::TcpStream;
/// `std::sync::Mutex`.
pub type Mutex = std::sync::Mutex<u8>;
/// `std::thread::JoinHandle`.
pub type JoinHandle = std::thread::JoinHandle<u8>;
/// `std::sync::Arc`.
pub type Arc = std::sync::Arc<u8>;
/// `std::io::Error`.
pub type Error = std::io::Error;

#[cfg(test)]
mod tests {
    use std::any::type_name;

    use super::MIRRORED;

    #[test]
    fn the_types_are_the_mirrors() {
        let types = [
            ("fs", type_name::<std::fs::File>()),
            ("fs", type_name::<std::fs::OpenOptions>()),
            ("fs", type_name::<std::fs::ReadDir>()),
            ("io", type_name::<std::io::PipeReader>()),
            ("io", type_name::<std::io::Stdin>()),
            ("io", type_name::<std::io::StdoutLock<'_>>()),
            ("net", type_name::<std::net::TcpListener>()),
            ("net", type_name::<std::net::TcpStream>()),
            ("net", type_name::<std::net::UdpSocket>()),
            ("process", type_name::<std::process::Child>()),
            ("process", type_name::<std::process::Command>()),
            ("process", type_name::<std::process::Stdio>()),
            ("sync", type_name::<std::sync::Barrier>()),
            ("sync", type_name::<std::sync::Condvar>()),
            ("sync", type_name::<std::sync::LazyLock<()>>()),
            ("sync", type_name::<std::sync::Mutex<()>>()),
            ("sync", type_name::<std::sync::Once>()),
            ("sync", type_name::<std::sync::OnceLock<()>>()),
            ("sync", type_name::<std::sync::RwLock<()>>()),
            ("sync", type_name::<std::sync::mpsc::Receiver<()>>()),
            ("sync", type_name::<std::sync::mpsc::Sender<()>>()),
            ("thread", type_name::<std::thread::Builder>()),
            ("thread", type_name::<std::thread::JoinHandle<()>>()),
            ("thread", type_name::<std::thread::Scope<'_, '_>>()),
            ("thread", type_name::<std::thread::ScopedJoinHandle<'_, ()>>()),
            ("thread", type_name::<std::thread::Thread>()),
            ("thread", type_name::<std::thread::ThreadId>()),
        ];
        for (module, name) in types {
            let crate_name = if MIRRORED.contains(&module) { "std_shim::" } else { "std::" };
            assert!(name.starts_with(&format!("{crate_name}{module}::")), "{name}");
        }
    }
}

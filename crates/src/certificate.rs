//! A certificate for `localhost`, made for one run.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::server::{Folder, is_missing};

/// A self-signed certificate and its key, in files as OpenSSL writes them.
#[derive(Debug)]
pub struct Certificate {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    _folder: Folder,
}

impl Certificate {
    /// Makes one; nothing, and a word on standard output, where `openssl` is not installed.
    ///
    /// # Panics
    ///
    /// If `openssl` fails.
    pub fn make() -> Option<Self> {
        if is_missing("openssl") {
            return None;
        }
        let folder = Folder::new("certificate");
        let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
            .args(["-nodes", "-days", "2", "-subj", "/CN=localhost"])
            .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
            .args(["-addext", "basicConstraints=critical,CA:FALSE"])
            .arg("-out")
            .arg(&certificate)
            .arg("-keyout")
            .arg(&key)
            .stderr(Stdio::null())
            .status()
            .expect("openssl");
        assert!(made.success(), "openssl: {made}");
        Some(Self { certificate, key, _folder: folder })
    }
}

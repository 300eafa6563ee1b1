//! `rustls` over TCP streams: a server whose clients are `openssl s_client`.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use crates::certificate::Certificate;
use crates::{crowd, green};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, Stream,
};

fn server_config(made: &Certificate) -> Arc<ServerConfig> {
    let certificate = CertificateDer::from_pem_file(&made.certificate).unwrap();
    let key = PrivateKeyDer::from_pem_file(&made.key).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key);
    Arc::new(config.unwrap())
}

/// Sends each line back over TLS, until the client has no more.
fn echo_lines(config: Arc<ServerConfig>, mut stream: TcpStream) {
    let mut connection = ServerConnection::new(config).unwrap();
    let mut tls = BufReader::new(Stream::new(&mut connection, &mut stream));
    let mut line = String::new();
    while tls.read_line(&mut line).is_ok_and(|n| n > 0) {
        tls.get_mut().write_all(line.as_bytes()).unwrap();
        line.clear();
    }
}

/// Serves one connection a thread, as long as anybody connects.
fn serve(config: Arc<ServerConfig>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (config, stream) = (Arc::clone(&config), stream.unwrap());
            thread::spawn(move || echo_lines(config, stream));
        }
    });
    port
}

#[test]
fn openssl_verifies_the_server_and_has_its_lines_back() {
    green(|| {
        let Some(made) = Certificate::make() else { return };
        let port = serve(server_config(&made));
        let root: PathBuf = made.certificate.clone();
        crowd(8, move |i| {
            let mut client = Command::new("openssl")
                .args(["s_client", "-quiet", "-verify_return_error", "-servername", "localhost"])
                .args(["-connect", &format!("127.0.0.1:{port}"), "-CAfile"])
                .arg(&root)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut to = client.stdin.take().unwrap();
            let mut from = BufReader::new(client.stdout.take().unwrap());
            for n in 0..5 {
                let line = format!("line {n} of client {i}\n");
                to.write_all(line.as_bytes()).unwrap();
                let mut back = String::new();
                from.read_line(&mut back).unwrap();
                assert_eq!(back, line);
            }
            client.kill().unwrap();
            client.wait().unwrap();
        });
    });
}

#[test]
fn both_sides_in_one_process() {
    green(|| {
        let Some(made) = Certificate::make() else { return };
        let port = serve(server_config(&made));
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&made.certificate).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let config = Arc::new(config);
        crowd(50, move |i| {
            let name = ServerName::try_from("localhost").unwrap();
            let mut connection = ClientConnection::new(Arc::clone(&config), name).unwrap();
            let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let mut tls = BufReader::new(Stream::new(&mut connection, &mut stream));
            let line = format!("client {i}\n");
            tls.get_mut().write_all(line.as_bytes()).unwrap();
            let mut back = String::new();
            tls.read_line(&mut back).unwrap();
            assert_eq!(back, line);
        });
    });
}

//! OpenSSL, a shared library of the system's, over real std's sockets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Barrier};
use std::thread;

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::ssl::{SslAcceptor, SslConnector, SslMethod, SslVerifyMode};
use openssl::x509::{X509, X509Name};

use crate::{THREADS, say_os_threads};

fn certificate() -> (X509, PKey<Private>) {
    let key = PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key");
    let mut name = X509Name::builder().expect("a name");
    name.append_entry_by_text("CN", "localhost").expect("a name");
    let name = name.build();
    let mut builder = X509::builder().expect("a certificate");
    builder.set_subject_name(&name).expect("a name");
    builder.set_issuer_name(&name).expect("a name");
    builder.set_pubkey(&key).expect("a key");
    builder.set_not_before(&Asn1Time::days_from_now(0).expect("a day")).expect("a day");
    builder.set_not_after(&Asn1Time::days_from_now(1).expect("a day")).expect("a day");
    builder.sign(&key, MessageDigest::sha256()).expect("a signature");
    (builder.build(), key)
}

pub(crate) fn run() {
    let (certificate, key) = certificate();
    let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls()).expect("OpenSSL");
    acceptor.set_certificate(&certificate).expect("a certificate");
    acceptor.set_private_key(&key).expect("a key");
    let acceptor = Arc::new(acceptor.build());
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let all_wait = Arc::new(Barrier::new(THREADS + 1));
    let go = Arc::new(Barrier::new(THREADS + 1));

    let server = thread::spawn(move || {
        let clients = listener.incoming().take(THREADS);
        let threads: Vec<_> = clients
            .map(|client| {
                let (client, acceptor) = (client.expect("a client"), Arc::clone(&acceptor));
                thread::spawn(move || {
                    let mut client = acceptor.accept(client).expect("a handshake");
                    let mut word = [0; 4];
                    client.read_exact(&mut word).expect("a word");
                    word.reverse();
                    client.write_all(&word).expect("a client that listens");
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
    });
    // One for all: to read the certificates of the system's takes 50 ms of a processor's time, and threads that compute
    // for so long are OS threads meanwhile.
    let mut connector = SslConnector::builder(SslMethod::tls()).expect("OpenSSL");
    connector.set_verify(SslVerifyMode::NONE);
    let connector = connector.build();
    let clients: Vec<_> = (0..THREADS)
        .map(|_| {
            let (all_wait, go) = (Arc::clone(&all_wait), Arc::clone(&go));
            let connector = connector.clone();
            thread::spawn(move || {
                let stream = TcpStream::connect(address).expect("a server");
                let mut stream = connector.connect("localhost", stream).expect("a handshake");
                all_wait.wait();
                go.wait();
                stream.write_all(b"word").expect("a server that listens");
                let mut answer = [0; 4];
                stream.read_exact(&mut answer).expect("an answer");
                usize::from(&answer == b"drow")
            })
        })
        .collect();
    all_wait.wait();
    say_os_threads();
    go.wait();
    let answers: usize = clients.into_iter().map(|thread| thread.join().expect("no panic")).sum();
    server.join().expect("no panic");
    println!("{answers}");
}

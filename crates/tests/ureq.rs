//! `ureq`, a client: over TCP from a server of threads, over TLS from OpenSSL's.

use std::fs;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crates::certificate::Certificate;
use crates::server::Server;
use crates::{Watch, crowd, green};
use ureq::Agent;
use ureq::tls::{Certificate as Root, RootCerts, TlsConfig};

const CLIENTS: usize = 100;

#[test]
fn a_hundred_clients_at_once_each_get_their_page() {
    green(|| {
        let server = Arc::new(tiny_http::Server::http("127.0.0.1:0").unwrap());
        let address = server.server_addr().to_ip().unwrap();
        let serving = Arc::clone(&server);
        let handler = thread::spawn(move || {
            for request in serving.incoming_requests() {
                let path = tiny_http::Response::from_string(request.url());
                request.respond(path).unwrap();
            }
        });
        let watch = Watch::begin();
        crowd(CLIENTS, move |i| {
            let agent = Agent::new_with_defaults();
            for n in 0..5 {
                let path = format!("/{i}/{n}");
                let mut answer = agent.get(format!("http://{address}{path}")).call().unwrap();
                assert_eq!(answer.body_mut().read_to_string().unwrap(), path);
            }
        });
        watch.at_most(CLIENTS / 2, "a hundred of ureq's agents and their server");
        server.unblock();
        handler.join().unwrap();
    });
}

#[test]
fn a_server_that_says_nothing_is_a_timeout() {
    green(|| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let config = Agent::config_builder().timeout_global(Some(Duration::from_millis(100)));
        let agent: Agent = config.build().into();
        let address = listener.local_addr().unwrap();
        let error = agent.get(format!("http://{address}/")).call().unwrap_err();
        assert!(matches!(error, ureq::Error::Timeout(_)), "{error}");
    });
}

#[test]
fn a_page_comes_over_tls_from_openssl() {
    green(|| {
        let Some(made) = Certificate::make() else { return };
        let Some(server) = Server::openssl(&made.certificate, &made.key) else { return };
        let root = Root::from_pem(&fs::read(&made.certificate).unwrap()).unwrap();
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::new_with_certs(&[root]))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        let agent: Agent = Agent::config_builder().tls_config(tls).build().into();
        let url = format!("https://localhost:{}/", server.address.port());
        let pages =
            crowd(8, move |_| agent.get(&url).call().unwrap().body_mut().read_to_string().unwrap());
        for page in pages {
            assert!(page.contains("TLSv1.3"), "{page}");
        }
    });
}

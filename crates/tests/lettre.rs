//! `lettre`, which sends mail, with Python's SMTP server.

use crates::server::Server;
use crates::{Watch, crowd, green};
use lettre::{Message, SmtpTransport, Transport};

const CLIENTS: usize = 50;

#[test]
fn fifty_mails_arrive() {
    green(|| {
        let Some(server) = Server::smtp() else { return };
        let address = server.address;
        let watch = Watch::begin();
        crowd(CLIENTS, move |i| {
            let transport = SmtpTransport::builder_dangerous(address.ip().to_string())
                .port(address.port())
                .build();
            let mail = Message::builder()
                .from("here@localhost".parse().unwrap())
                .to(format!("client-{i}@localhost").parse().unwrap())
                .subject(format!("mail {i}"))
                .body(format!("It is number {i}."))
                .unwrap();
            assert!(transport.send(&mail).unwrap().is_positive());
        });
        watch.at_most(CLIENTS / 2, "fifty who send mail by lettre");
        let said = server.said();
        for i in 0..CLIENTS {
            let times = said.matches(&format!("It is number {i}.")).count();
            assert_eq!(times, 1, "mail {i} in\n{said}");
        }
    });
}

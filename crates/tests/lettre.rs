//! `lettre`, which sends mail, with Python's SMTP server.

use std::time::Duration;

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
                .timeout(Some(Duration::from_secs(8)))
                .build();
            let mail = Message::builder()
                .from("here@localhost".parse().unwrap())
                .to(format!("client-{i}@localhost").parse().unwrap())
                .subject(format!("mail {i}"))
                .body(format!("It is number {i}."))
                .unwrap();
            // The server has room for five that it has not accepted. Beyond that the kernel answers with cookies, and
            // forgets a client whose turn does not come: that one hears nothing, and tries again.
            let sent = (0..5).find_map(|_| transport.send(&mail).ok());
            assert!(sent.expect("a server that answers").is_positive());
        });
        watch.at_most(CLIENTS / 2, "fifty who send mail by lettre");
        let said = server.said();
        for i in 0..CLIENTS {
            let times = said.matches(&format!("It is number {i}.")).count();
            assert_eq!(times, 1, "mail {i} in\n{said}");
        }
    });
}

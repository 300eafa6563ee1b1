//! A chat room: fan-out from every speaker to every member.

use crate::bench::Bench;
use crate::case::{Case, EVERY, Run, Scene};
use crate::column::{Column, aside, cost, gain};
use crate::load::chat;
use crate::peer::Peer;
use crate::turns::served;

pub(super) const CHAT: Scene = Scene {
    name: "chat",
    about: "chat room: what 8 speakers say goes to 64 members, over a channel each",
    quick: true,
    needs: None,
    cases: |bench| vec![room(bench)],
};

const COLUMNS: &[Column] = &[
    cost("CPU/delivery µs"),
    gain("deliveries/s"),
    aside("p50 µs"),
    aside("p99 µs"),
    aside("max ms"),
    aside("server %"),
];

fn room(bench: &Bench) -> Case {
    let (members, speakers) = (64, 8);
    let title = format!("{members} members, {speakers} speakers, 64 B, {}", bench.placement(1));
    let run = move |bench: &Bench, peer: &Peer| {
        bench
            .start(peer, "chat", 1, Vec::new())?
            .serve(|server| served(&chat::run(server, members, speakers, bench.span)?))
    };
    Case { scene: "chat", title, columns: COLUMNS, rounds: EVERY, run: Run::alone(run) }
}

//! A chat room: fan-out from every speaker to every member.

use super::{Bench, Case, Column, EVERY, Run, Scene, aside, cost, gain, served};
use crate::load::chat;
use crate::peer::Peer;

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

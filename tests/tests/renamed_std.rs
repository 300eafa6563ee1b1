//! A package that renames its dependency, seen from one that knows std and the mirror apart.

use std::any::TypeId;

use renamed_std::types::{self, MIRRORED};

fn same<A: 'static, B: 'static>() -> bool {
    TypeId::of::<A>() == TypeId::of::<B>()
}

#[test]
fn its_std_is_the_mirror() {
    assert!(same::<types::JoinHandle, std_shim::thread::JoinHandle<u8>>());
    assert!(same::<types::Mutex, std_shim::sync::Mutex<u8>>());
    assert!(same::<types::TcpStream, std_shim::net::TcpStream>());
}

#[test]
fn mirrored_types_are_others_than_stds() {
    let others = [
        ("net", same::<types::TcpStream, std::net::TcpStream>()),
        ("sync", same::<types::Mutex, std::sync::Mutex<u8>>()),
        ("thread", same::<types::JoinHandle, std::thread::JoinHandle<u8>>()),
    ];
    for (module, is_stds) in others {
        assert_eq!(is_stds, !MIRRORED.contains(&module), "{module}");
    }
}

#[test]
fn what_has_nothing_to_wait_for_is_stds_own() {
    assert!(same::<types::Arc, std::sync::Arc<u8>>());
    assert!(same::<types::Error, std::io::Error>());
}

//! A program that has an allocator of its own.

#![cfg(all(target_os = "linux", target_env = "gnu", target_arch = "x86_64"))]

use tests::whole;

#[test]
fn an_allocator_may_wait_and_sleep() {
    assert_eq!(whole::same("own_malloc", &[]), "60000\n");
}

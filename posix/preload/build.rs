//! The library begins before all others: none of them may start a thread before it is said whether
//! threads are green.

fn main() {
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,initfirst");
}

//! A thread that panics: `panics green` or `panics os`. For builds in which a panic aborts.
#![deny(unsafe_code)]

fn main() {
    let name = || "the one".to_owned();
    let body = || panic!("as it should");
    match &*std::env::args().nth(1).expect("`green` or `os`") {
        "green" => {
            let thread = std_shim::thread::Builder::new().name(name()).spawn(body);
            let _ = thread.expect("a thread").join();
        }
        _ => {
            let thread = std::thread::Builder::new().name(name()).spawn(body);
            let _ = thread.expect("a thread").join();
        }
    }
    println!("went on");
}

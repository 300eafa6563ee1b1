//! A library with a runtime of its own: three threads of its own, which park.

#[unsafe(no_mangle)]
pub extern "C" fn library_works() -> i32 {
    let threads: Vec<_> = (1..=3)
        .map(|n| {
            sylvan::spawn(move || {
                sylvan::sleep_until(std::time::Instant::now() + std::time::Duration::from_millis(5));
                n
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).sum()
}

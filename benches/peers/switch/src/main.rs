//! What a yield costs where nobody decides who is next: coroutines of corosensei, resumed in turn.
//!
//! A switch alone, without a queue, a state word, thread-locals of a thread's own and a look at timers and events.
//! One operation is a resume and a suspend.

use corosensei::Coroutine;

fn main() {
    let args = kit::Args::from_env();
    match args.scene() {
        "yield" => yields(&args),
        _ => kit::unsupported(),
    }
}

/// The coroutines never end; they are unwound when they are dropped.
fn yields(args: &kit::Args) {
    let threads = args.number("threads", 2);
    let one = |_| {
        Coroutine::<(), (), ()>::new(|yielder, ()| {
            loop {
                yielder.suspend(());
            }
        })
    };
    let mut all: Vec<_> = (0..threads).map(one).collect();
    kit::measure(args, |count| {
        for _ in 0..count / threads as u64 {
            for coroutine in &mut all {
                let _ = coroutine.resume(());
            }
        }
    });
}

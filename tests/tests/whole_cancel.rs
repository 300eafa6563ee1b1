//! Cancellation of threads in whole programs.

use tests::whole::same;

#[test]
fn it_acts_at_cancellation_points() {
    let said = same("cancel_points", &[]);
    for fact in ["condition: canceled 1, cleaned 1\n", "relocked 1, free 0\n", "still there\n"] {
        assert!(said.contains(fact), "{said}");
    }
}

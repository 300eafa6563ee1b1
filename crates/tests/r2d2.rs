//! `r2d2`, with connections to a `redis-server`. It waits by `parking_lot`: see there.

use crates::server::Server;
use crates::{Watch, are_thread_locals_shared, crowd, green};
use redis::{Client, Commands, ConnectionLike};

#[test]
fn a_pool_of_r2d2s_lends_ten_connections_to_forty_threads() {
    green(|| {
        if are_thread_locals_shared("r2d2 waits by parking_lot, which holds up the worker") {
            return;
        }
        let Some(server) = Server::redis() else { return };
        let client = Client::open(format!("redis://{}/", server.address)).unwrap();
        let pool = r2d2::Pool::builder().max_size(10).build(client).unwrap();
        let watch = Watch::begin();
        let lent = pool.clone();
        crowd(40, move |i| {
            for n in 0..5 {
                let mut connection = lent.get().unwrap();
                assert!(connection.is_open());
                let value = i * 100 + n;
                let _: () = connection.set(format!("key {i}"), value).unwrap();
                assert_eq!(connection.get::<_, usize>(format!("key {i}")).unwrap(), value);
            }
        });
        watch.at_most(100, "forty who want one of ten connections");
        assert!(pool.state().connections <= 10);
    });
}

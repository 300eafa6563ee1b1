//! `memcache`, which keeps its connections in a pool of `r2d2`'s, with a `memcached`.

use std::sync::Arc;

use crates::server::Server;
use crates::{Watch, are_thread_locals_shared, crowd, green};
use memcache::Client;

const WHY: &str = "memcache waits by parking_lot, which holds up the worker";

const CLIENTS: usize = 50;

#[test]
fn fifty_threads_count_by_ten_connections() {
    green(|| {
        if are_thread_locals_shared(WHY) {
            return;
        }
        let Some(server) = Server::memcached() else { return };
        let target = format!("memcache://{}?timeout=20&tcp_nodelay=true", server.address);
        let client = Arc::new(Client::with_pool_size(target, 10).unwrap());
        client.set("count", 0, 0).unwrap();
        let watch = Watch::begin();
        let counting = Arc::clone(&client);
        crowd(CLIENTS, move |i| {
            let key = format!("of client {i}").replace(' ', "-");
            for n in 0..5 {
                counting.increment("count", 1).unwrap();
                counting.set(&key, n, 0).unwrap();
                assert_eq!(counting.get::<u32>(&key).unwrap(), Some(n));
            }
            assert!(counting.delete(&key).unwrap());
            assert_eq!(counting.get::<u32>(&key).unwrap(), None);
        });
        watch.at_most(2 * CLIENTS, "fifty threads with ten connections of memcache's");
        assert_eq!(client.get::<u32>("count").unwrap(), Some(5 * CLIENTS as u32));
    });
}

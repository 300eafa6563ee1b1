//! Maps and sets whose hasher has no thread-local: std's takes 24 bytes of each green thread's block, in all programs
//! with the runtime, and with those a thread that waits may touch one page more.

use std::collections;
use std::hash::{BuildHasherDefault, DefaultHasher};

/// A set.
pub type HashSet<T> = collections::HashSet<T, BuildHasherDefault<DefaultHasher>>;
/// A map.
pub type HashMap<K, V> = collections::HashMap<K, V, BuildHasherDefault<DefaultHasher>>;

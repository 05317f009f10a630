//! The way from a metrics key that was seen before to its counter: the only thing that counting may wait for.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use metrics::Key;
use metrics::atomics::AtomicU64;

/// A series' count; the application and the reporter's thread share it.
pub(crate) type Cell = Arc<AtomicU64>;

/// A power of two, well above the number of threads that count at the same moment.
const SHARDS: usize = 64;

/// Keys and their counters, spread over shards by the keys' hashes.
pub(crate) struct Lookup {
    shards: Box<[Shard]>,
    keys: AtomicUsize,
    most_keys: usize,
}

/// Apart from its neighbours, so that threads on different shards don't share a cache line.
#[derive(Default)]
#[repr(align(128))]
struct Shard(RwLock<HashMap<Key, Cell, BuildHasherDefault<KeyHash>>>);

impl Lookup {
    /// Room for this many keys.
    pub(crate) fn new(most_keys: usize) -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect(), keys: AtomicUsize::new(0), most_keys }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Cell> {
        self.shard(key).0.read().unwrap_or_else(PoisonError::into_inner).get(key).map(Arc::clone)
    }

    /// Remembers a key; one for which there is no room has to be found in another way.
    pub(crate) fn insert(&self, key: &Key, cell: &Cell) {
        if self.keys.load(Ordering::Relaxed) >= self.most_keys {
            return;
        }
        let key = key.to_retained();
        let mut shard = self.shard(&key).0.write().unwrap_or_else(PoisonError::into_inner);
        if shard.insert(key, Arc::clone(cell)).is_none() {
            self.keys.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The map inside a shard goes by the lowest and the highest bits of the hash, so the shard goes by others.
    fn shard(&self, key: &Key) -> &Shard {
        let middle = usize::try_from(key.get_hash() >> 40 & 0xffff).unwrap_or_default();
        &self.shards[middle % SHARDS]
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.read().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }
}

/// A metrics key brings its hash along.
#[derive(Default)]
struct KeyHash(u64);

impl Hasher for KeyHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    /// Not what a key does so far; were it to, this is a hash all the same (FNV-1a).
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

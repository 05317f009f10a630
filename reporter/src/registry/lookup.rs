//! The map from a metrics key that was used before to its counter. Its locks are the only thing that counting may wait
//! for.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use metrics::Key;
use metrics::atomics::AtomicU64;

/// The count of a series, shared by the application and the reporter's thread.
pub(crate) type Cell = Arc<AtomicU64>;

/// The number of shards: a power of two, well above the number of threads that count at the same moment.
const SHARDS: usize = 64;

/// The keys and their counters, spread over shards by the keys' hashes.
pub(crate) struct Lookup {
    shards: Box<[Shard]>,
    keys: AtomicUsize,
    most_keys: usize,
}

/// One shard, aligned so that threads on different shards don't share a cache line.
#[derive(Default)]
#[repr(align(128))]
struct Shard(RwLock<HashMap<Key, Cell, BuildHasherDefault<KeyHash>>>);

impl Lookup {
    /// Creates a map that holds at most this many keys.
    pub(crate) fn new(most_keys: usize) -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect(), keys: AtomicUsize::new(0), most_keys }
    }

    pub(crate) fn get(&self, key: &Key) -> Option<Cell> {
        self.shard(key).0.read().unwrap_or_else(PoisonError::into_inner).get(key).map(Arc::clone)
    }

    /// Remembers a key if there is room; a key without room is looked up in the catalogue each time.
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

    /// The map inside a shard uses the lowest and the highest bits of the hash, so the shard is chosen by the middle
    /// bits.
    fn shard(&self, key: &Key) -> &Shard {
        let middle = usize::try_from(key.get_hash() >> 40 & 0xffff).unwrap_or_default();
        &self.shards[middle % SHARDS]
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.read().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }
}

/// A hasher that returns the hash which a metrics key already contains.
#[derive(Default)]
struct KeyHash(u64);

impl Hasher for KeyHash {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    /// A key does not call this today. If it did, the result would still be a valid hash (FNV-1a).
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}

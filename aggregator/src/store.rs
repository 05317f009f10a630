//! Where rows outlive the process, near it.

mod memory;
#[cfg(feature = "rocksdb")]
mod rocksdb;

use quipu_config::{Config, StoreKind};

use crate::engine::{Checkpoint, Output, Store};
use crate::error::Error;
use memory::MemoryStore;

/// The store that the configuration names.
pub struct AnyStore(Box<dyn Store<Error = Error> + Send>);

impl AnyStore {
    /// The store of `config.state`, which is opened when it is first used.
    ///
    /// # Errors
    /// The build has no such store.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let path = config.state.dir.join(&config.application_id);
        Ok(Self(match config.state.store {
            StoreKind::Memory => Box::new(MemoryStore),
            #[cfg(feature = "rocksdb")]
            StoreKind::Rocksdb => Box::new(rocksdb::RocksStore::new(path)),
            #[cfg(not(feature = "rocksdb"))]
            StoreKind::Rocksdb => {
                let why = "this build has no RocksDB: set state.store = \"memory\", or build with the feature rocksdb";
                return Err(Error::Store { path, why: why.to_owned() });
            }
        }))
    }
}

impl Store for AnyStore {
    type Error = Error;

    fn load(&mut self, row: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<Option<Checkpoint>, Error> {
        self.0.load(row)
    }

    fn clear(&mut self) -> Result<(), Error> {
        self.0.clear()
    }

    fn write(&mut self, rows: &[Output], checkpoint: Option<Checkpoint>) -> Result<(), Error> {
        self.0.write(rows, checkpoint)
    }

    fn close(&mut self) {
        self.0.close();
    }
}

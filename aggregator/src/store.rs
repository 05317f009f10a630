//! The local store: it keeps the rows on disk, so that a start is faster.

mod memory;
#[cfg(feature = "rocksdb")]
mod rocksdb;

use quipu_config::{Config, StoreKind};

use crate::engine::{Checkpoint, Port, RowUpdate, Store};
use crate::error::Error;

use crate::health::Progress;
use memory::MemoryStore;

const LOADING: &str = "loading the store";
/// How many rows are loaded in one step.
const ROWS_PER_STEP: usize = 10_000;

/// The store that the configuration names.
pub struct AnyStore {
    store: Box<dyn Store<Error = Error> + Send>,
    progress: Progress,
}

impl AnyStore {
    /// The store of `config.state`, which is opened when it is first used.
    ///
    /// # Errors
    /// The build has no such store.
    pub fn new(config: &Config) -> Result<Self, Error> {
        let path = config.state.dir.join(&config.application_id);
        let store: Box<dyn Store<Error = Error> + Send> = match config.state.store {
            StoreKind::Memory => Box::new(MemoryStore),
            #[cfg(feature = "rocksdb")]
            StoreKind::Rocksdb => Box::new(rocksdb::RocksStore::new(path)),
            #[cfg(not(feature = "rocksdb"))]
            StoreKind::Rocksdb => {
                let why = "this build has no RocksDB: set state.store = \"memory\", or build with the feature rocksdb";
                return Err(Error::Store { path, why: why.to_owned() });
            }
        };
        Ok(Self { store, progress: Progress::default() })
    }

    /// The same store; its calls are steps of `progress`.
    pub(crate) fn watched(self, progress: Progress) -> Self {
        Self { progress, ..self }
    }
}

impl Port for AnyStore {
    type Error = Error;
}

impl Store for AnyStore {
    fn load(&mut self, row: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<Option<Checkpoint>, Error> {
        self.progress.step(LOADING);
        let mut rows = 0_usize;
        self.store.load(&mut |key, value| {
            rows += 1;
            if rows.is_multiple_of(ROWS_PER_STEP) {
                self.progress.step(LOADING);
            }
            row(key, value)
        })
    }

    fn clear(&mut self) -> Result<(), Error> {
        self.progress.step("clearing the store");
        self.store.clear()
    }

    fn write(&mut self, rows: &[RowUpdate], checkpoint: Option<Checkpoint>) -> Result<(), Error> {
        self.progress.step("writing the store");
        self.store.write(rows, checkpoint)
    }

    fn close(&mut self) {
        self.store.close();
    }
}

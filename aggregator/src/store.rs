//! The local store: it keeps the rows on disk, so that a start is faster.

mod memory;
#[cfg(feature = "rocksdb")]
mod rocksdb;

use std::io;
use std::path::Path;

use quipu_config::{Config, StoreKind};
use rustix::fs::{Access, access};

use crate::engine::{Checkpoint, Port, RowUpdate, Store};
use crate::error::Error;

use crate::health::Progress;
use memory::MemoryStore;

const LOADING: &str = "loading the store";
/// How many rows are loaded in one step.
const ROWS_PER_STEP: usize = 10_000;

/// Checks that the build has the configured store, and that its folder can be written. Nothing is opened or created.
///
/// # Errors
/// [`Error::NoStore`], [`Error::StateFolder`].
pub fn check(config: &Config) -> Result<(), Error> {
    match config.state.store {
        StoreKind::Memory => Ok(()),
        StoreKind::Rocksdb if cfg!(not(feature = "rocksdb")) => Err(Error::NoStore),
        StoreKind::Rocksdb => check_folder(&config.state.dir.join(&config.application_id)),
    }
}

/// Checks the folder, or the nearest one above it, in which it will be created.
fn check_folder(folder: &Path) -> Result<(), Error> {
    let nearest = folder.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    let writable = if nearest.is_dir() {
        access(nearest, Access::WRITE_OK | Access::EXEC_OK).map_err(io::Error::from)
    } else {
        Err(io::Error::from(io::ErrorKind::NotADirectory))
    };
    writable.map_err(|source| Error::StateFolder { path: nearest.to_owned(), source })
}

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
        let store: Box<dyn Store<Error = Error> + Send> = match config.state.store {
            StoreKind::Memory => Box::new(MemoryStore),
            #[cfg(feature = "rocksdb")]
            StoreKind::Rocksdb => Box::new(rocksdb::RocksStore::new(config.state.dir.join(&config.application_id))),
            #[cfg(not(feature = "rocksdb"))]
            StoreKind::Rocksdb => return Err(Error::NoStore),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn on(folder: &Path) -> Config {
        let mut config = Config::default();
        config.state.dir = folder.to_owned();
        config
    }

    #[cfg(not(feature = "rocksdb"))]
    #[test]
    fn a_build_without_rocksdb_has_only_the_store_in_memory() {
        let mut config = on(Path::new("."));
        assert!(check(&config).expect_err("no RocksDB").to_string().contains("feature rocksdb"));
        config.state.store = StoreKind::Memory;
        assert!(check(&config).is_ok());
    }

    #[cfg(feature = "rocksdb")]
    #[test]
    fn a_folder_that_does_not_exist_is_writable_and_a_file_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(check(&on(&folder.path().join("to/create"))).is_ok());
        assert!(!folder.path().join("to").exists());
        let file = folder.path().join("file");
        std::fs::write(&file, "").expect("a file");
        let error = check(&on(&file)).expect_err("a file").to_string();
        assert!(error.contains(file.to_str().expect("UTF-8")) && error.contains("state.dir"), "{error}");
        let mut config = on(&file);
        config.state.store = StoreKind::Memory;
        assert!(check(&config).is_ok(), "the store in memory has no folder");
    }
}

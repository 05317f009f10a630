use crate::engine::{Checkpoint, Port, RowUpdate, Store};
use crate::error::Error;

/// A store that keeps nothing. Every start reads the changelog.
#[derive(Debug)]
pub(crate) struct MemoryStore;

impl Port for MemoryStore {
    type Error = Error;
}

impl Store for MemoryStore {
    fn load(&mut self, _: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<Option<Checkpoint>, Error> {
        Ok(None)
    }

    fn clear(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn write(&mut self, _: &[RowUpdate], _: Option<Checkpoint>) -> Result<(), Error> {
        Ok(())
    }

    fn close(&mut self) {}
}

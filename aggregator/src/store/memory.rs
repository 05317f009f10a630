use crate::engine::{Checkpoint, Output, Store};
use crate::error::Error;

/// A store that keeps nothing. Every start reads the changelog.
#[derive(Debug)]
pub(crate) struct MemoryStore;

impl Store for MemoryStore {
    type Error = Error;

    fn load(&mut self, _: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<Option<Checkpoint>, Error> {
        Ok(None)
    }

    fn clear(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn write(&mut self, _: &[Output], _: Option<Checkpoint>) -> Result<(), Error> {
        Ok(())
    }

    fn close(&mut self) {}
}

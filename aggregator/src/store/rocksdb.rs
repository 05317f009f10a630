//! Rows on disk.
//!
//! Every write is one atomic batch with the write-ahead log on and without fsync: Kafka is the record, and what a
//! power failure takes from the log's end is read from the changelog again.

use std::fs;
use std::path::PathBuf;
use std::time::SystemTime;

use rocksdb::{DB, ErrorKind, IteratorMode, Options, WriteBatch};
use tracing::{info, warn};

use crate::engine::{Checkpoint, Output, Store};
use crate::error::Error;

/// Changes when rows or the checkpoint are written in another way.
const FORMAT: &[u8] = b"1";
/// Keys begin with what they are the key of.
const META: u8 = 0;
const ROW: u8 = 1;
const FORMAT_KEY: &[u8] = &[META, 0];
const CHECKPOINT_KEY: &[u8] = &[META, 1];

/// Rows in RocksDB, in a folder that only one process can have open.
pub(crate) struct RocksStore {
    path: PathBuf,
    db: Option<DB>,
}

impl RocksStore {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, db: None }
    }

    fn error(&self, error: &rocksdb::Error) -> Error {
        let text = error.to_string();
        let remedy = if text.contains("lock") {
            "another process uses this folder: give each its own state.dir"
        } else if ["No space left", "Disk quota exceeded", "File too large"].iter().any(|full| text.contains(full)) {
            "the disk is full: make room and start again; nothing is lost, what the store lacks is in the changelog"
        } else {
            "check the folder and its rights; if it is damaged, delete it: the changelog has the rows"
        };
        Error::Store { path: self.path.clone(), why: format!("{text}: {remedy}") }
    }

    fn io_error(&self, error: &std::io::Error) -> Error {
        Error::Store { path: self.path.clone(), why: format!("{error}: set state.dir to a folder that can be written") }
    }

    fn open(&mut self) -> Result<&DB, Error> {
        if self.db.is_none() {
            if let Some(parent) = self.path.parent() {
                fs::create_dir_all(parent).map_err(|error| self.io_error(&error))?;
            }
            let db = match DB::open(&options(), &self.path) {
                Err(error) if matches!(error.kind(), ErrorKind::Corruption | ErrorKind::InvalidArgument) => {
                    self.move_aside(&format!("it is damaged ({error})"))?;
                    DB::open(&options(), &self.path)
                }
                opened => opened,
            };
            self.db = Some(db.map_err(|error| self.error(&error))?);
        }
        self.db.as_ref().ok_or_else(|| Error::Store { path: self.path.clone(), why: "it is not open".to_owned() })
    }

    fn move_aside(&mut self, why: &str) -> Result<(), Error> {
        self.db = None;
        let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let aside = self.path.with_extension(format!("aside-{seconds}"));
        warn!(store = %self.path.display(), aside = %aside.display(), why, "the state store is moved aside; the changelog has its rows");
        fs::rename(&self.path, &aside).map_err(|error| self.io_error(&error))
    }

    /// Reads everything, or says why it can't be trusted.
    fn read(&mut self, row: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<Result<Option<Checkpoint>, String>, Error> {
        let db = self.open()?;
        let untrusted = |error: rocksdb::Error| Ok(Err(error.to_string()));
        match db.get_pinned(FORMAT_KEY) {
            Ok(None) => return Ok(Ok(None)),
            Ok(Some(format)) if &*format == FORMAT => {}
            Ok(Some(_)) => return Ok(Err("another version of Quipu wrote it".to_owned())),
            Err(error) => return untrusted(error),
        }
        let checkpoint = match db.get_pinned(CHECKPOINT_KEY) {
            Ok(None) => return Ok(Ok(None)),
            Ok(Some(bytes)) => match decode(&bytes) {
                Some(checkpoint) => checkpoint,
                None => return Ok(Err("its checkpoint is damaged".to_owned())),
            },
            Err(error) => return untrusted(error),
        };
        for entry in db.iterator(IteratorMode::From(&[ROW], rocksdb::Direction::Forward)) {
            match entry {
                Ok((key, value)) if row(&key[1..], &value) => {}
                Ok(_) => return Ok(Err("one of its rows is damaged".to_owned())),
                Err(error) => return untrusted(error),
            }
        }
        Ok(Ok(Some(checkpoint)))
    }
}

impl Store for RocksStore {
    type Error = Error;

    fn load(&mut self, row: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<Option<Checkpoint>, Error> {
        let mut rows = 0_usize;
        let loaded = self.read(&mut |key, value| {
            rows += 1;
            if rows.is_multiple_of(1_000_000) {
                info!(rows, "loading rows from the state store");
            }
            row(key, value)
        })?;
        match loaded {
            Ok(checkpoint) => Ok(checkpoint),
            Err(why) => {
                self.move_aside(&why)?;
                Ok(None)
            }
        }
    }

    fn clear(&mut self) -> Result<(), Error> {
        let mut batch = WriteBatch::default();
        // The checkpoint first: without one, no row counts.
        batch.delete(CHECKPOINT_KEY);
        batch.put(FORMAT_KEY, FORMAT);
        batch.delete_range(&[ROW][..], &[ROW + 1][..]);
        let written = self.open()?.write(batch);
        written.map_err(|error| self.error(&error))
    }

    fn write(&mut self, rows: &[Output], checkpoint: Option<Checkpoint>) -> Result<(), Error> {
        let mut batch = WriteBatch::default();
        let mut key = vec![ROW];
        for row in rows {
            key.truncate(1);
            key.extend_from_slice(row.key.as_deref().unwrap_or_default());
            match &row.value {
                Some(value) => batch.put(&key, value),
                None => batch.delete(&key),
            }
        }
        if let Some(checkpoint) = checkpoint {
            batch.put(CHECKPOINT_KEY, encode(checkpoint));
        }
        let written = self.open()?.write(batch);
        written.map_err(|error| self.error(&error))
    }

    fn close(&mut self) {
        self.db = None;
    }
}

fn options() -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    // One writer, small values that are overwritten often.
    options.set_write_buffer_size(32 << 20);
    options.set_max_write_buffer_number(2);
    options.set_keep_log_file_num(2);
    options
}

fn encode(checkpoint: Checkpoint) -> Vec<u8> {
    let Checkpoint { position, changelog, written_at } = checkpoint;
    [position, changelog, written_at].into_iter().flat_map(i64::to_be_bytes).collect()
}

fn decode(bytes: &[u8]) -> Option<Checkpoint> {
    let (numbers, []) = bytes.as_chunks::<8>() else { return None };
    let [position, changelog, written_at] = <[[u8; 8]; 3]>::try_from(numbers).ok()?.map(i64::from_be_bytes);
    Some(Checkpoint { position, changelog, written_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECKPOINT: Checkpoint = Checkpoint { position: 7, changelog: 9, written_at: 11 };

    fn row(key: &str, value: Option<&str>) -> Output {
        Output { key: Some(key.into()), value: value.map(Into::into), headers: Vec::new() }
    }

    fn load(store: &mut RocksStore) -> (Option<Checkpoint>, Vec<(String, String)>) {
        let mut rows = Vec::new();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let checkpoint = store.load(&mut |key, value| {
            rows.push((text(key), text(value)));
            value != b"damaged"
        });
        (checkpoint.expect("it opens"), rows)
    }

    fn kept(dir: &tempfile::TempDir) -> Vec<String> {
        let entries = std::fs::read_dir(dir.path()).expect("the folder");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn rows_and_checkpoint_come_back() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut store = RocksStore::new(dir.path().join("app"));
        assert_eq!(load(&mut store), (None, vec![]));
        store.clear().expect("cleared");
        store.write(&[row("a", Some("1")), row("b", Some("2"))], Some(CHECKPOINT)).expect("written");
        store.write(&[row("a", None)], None).expect("written");
        drop(store);
        let mut store = RocksStore::new(dir.path().join("app"));
        assert_eq!(load(&mut store), (Some(CHECKPOINT), vec![("b".into(), "2".into())]));
        store.clear().expect("cleared");
        assert_eq!(load(&mut store), (None, vec![]));
    }

    #[test]
    fn what_cannot_be_trusted_is_moved_aside() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut store = RocksStore::new(dir.path().join("app"));
        store.clear().expect("cleared");
        store.write(&[row("a", Some("damaged"))], Some(CHECKPOINT)).expect("written");
        assert_eq!(load(&mut store).0, None);
        assert!(kept(&dir).iter().any(|name| name.starts_with("app.aside-")), "{:?}", kept(&dir));
        assert_eq!(load(&mut store), (None, vec![]));
        store.close();
        // A database whose files are rubbish.
        std::fs::write(dir.path().join("app/CURRENT"), "rubbish").expect("damaged");
        std::fs::remove_dir_all(
            dir.path().join(kept(&dir).into_iter().find(|name| name.contains("aside")).expect("one")),
        )
        .expect("removed");
        assert_eq!(load(&mut store), (None, vec![]));
        assert!(kept(&dir).iter().any(|name| name.starts_with("app.aside-")), "{:?}", kept(&dir));
    }

    #[test]
    fn a_folder_in_use_is_an_error_that_says_so() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut first = RocksStore::new(dir.path().join("app"));
        first.clear().expect("opened");
        let error = RocksStore::new(dir.path().join("app")).clear().expect_err("in use");
        assert!(error.to_string().contains("another process uses this folder"), "{error}");
    }
}

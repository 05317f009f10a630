//! Rows on disk.
//!
//! Every write is one atomic batch with the write-ahead log on and without fsync. The changelog in Kafka has every row, so
//! rows that a power failure removes from the end of the write-ahead log are read from there again.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use quipu_record::{Millis, Offset};
use rocksdb::{DB, ErrorKind, IteratorMode, Options, WriteBatch};
use tracing::{info, warn};

use crate::engine::{Checkpoint, Port, RowUpdate, Store};
use crate::error::Error;

/// The version of the format. It changes when rows or the checkpoint are written in another way.
const FORMAT: &[u8] = b"1";
/// The first byte of a key: what the key belongs to.
const META: u8 = 0;
const ROW: u8 = 1;
const FORMAT_KEY: &[u8] = &[META, 0];
const CHECKPOINT_KEY: &[u8] = &[META, 1];

// `rocksdb::Error::kind` gives RocksDB's status code without its subcode. So a full disk, a lock that another process holds
// and a missing permission all have the kind `IOError`, or `Corruption` if RocksDB met them while it checked its files. Only
// the text distinguishes them.

/// The texts of RocksDB if this process or another one has the folder open.
const IN_USE: [&str; 2] = ["IO error: While lock file: ", "IO error: lock hold by current process"];
/// The texts of the operating system if there is no space.
const FULL: [&str; 3] = ["No space left on device", "Disk quota exceeded", "File too large"];
/// The texts of the operating system if the files can't be accessed but may be intact.
const NO_ACCESS: [&str; 6] = [
    "Permission denied",
    "Operation not permitted",
    "Read-only file system",
    "Too many open files",
    "Cannot allocate memory",
    "Input/output error",
];
/// The text of the operating system if a file is missing.
const MISSING: &str = "No such file or directory";

/// Rows in RocksDB, in a folder that only one process can have open.
pub(crate) struct RocksStore {
    path: PathBuf,
    db: Option<DB>,
}

impl RocksStore {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, db: None }
    }

    fn io_error(&self, error: &std::io::Error) -> Error {
        Error::Store { path: self.path.clone(), why: format!("{error}: set state.dir to a writable folder") }
    }

    fn open(&mut self) -> Result<&DB, Error> {
        if self.db.is_none() {
            if let Some(parent) = self.path.parent() {
                fs::create_dir_all(parent).map_err(|error| self.io_error(&error))?;
            }
            let mut options = options();
            // If a database has lost the file that lists the others, RocksDB would create a new one without an error.
            options.create_if_missing(!self.path.join("IDENTITY").exists());
            let db = match DB::open(&options, &self.path) {
                Err(error) if is_damage(&error.kind(), error.as_ref()) => {
                    self.move_aside(&format!("it is damaged ({error})"))?;
                    options.create_if_missing(true);
                    DB::open(&options, &self.path)
                }
                opened => opened,
            };
            self.db = Some(db.map_err(|error| store_error(&self.path, &error))?);
        }
        self.db.as_ref().ok_or_else(|| Error::Store { path: self.path.clone(), why: "it is not open".to_owned() })
    }

    fn move_aside(&mut self, why: &str) -> Result<(), Error> {
        self.db = None;
        let aside = self.aside();
        warn!(store = %self.path.display(), aside = %aside.display(), why, "the state store is moved aside; the changelog has its rows");
        fs::rename(&self.path, &aside).map_err(|error| self.io_error(&error))
    }

    /// A path beside the folder that does not exist yet.
    fn aside(&self) -> PathBuf {
        let mut seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        loop {
            let mut aside = OsString::from(&self.path);
            aside.push(format!(".aside-{seconds}"));
            match PathBuf::from(aside) {
                taken if taken.exists() => seconds += 1,
                free => return free,
            }
        }
    }

    /// Reads everything. The inner error is the reason why the files can't be trusted.
    fn read(&mut self, row: &mut dyn FnMut(&[u8], &[u8]) -> bool) -> Result<Result<Option<Checkpoint>, String>, Error> {
        let path = self.path.clone();
        let db = self.open()?;
        let untrusted = |error: rocksdb::Error| {
            if is_damage(&error.kind(), error.as_ref()) {
                Ok(Err(format!("it is damaged ({error})")))
            } else {
                Err(store_error(&path, &error))
            }
        };
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

impl Port for RocksStore {
    type Error = Error;
}

impl Store for RocksStore {
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
        // The checkpoint is deleted first, because rows without a checkpoint are ignored.
        batch.delete(CHECKPOINT_KEY);
        batch.put(FORMAT_KEY, FORMAT);
        batch.delete_range(&[ROW][..], &[ROW + 1][..]);
        let written = self.open()?.write(batch);
        written.map_err(|error| store_error(&self.path, &error))
    }

    fn write(&mut self, rows: &[RowUpdate], checkpoint: Option<Checkpoint>) -> Result<(), Error> {
        let mut batch = WriteBatch::default();
        let mut key = vec![ROW];
        for row in rows {
            key.truncate(1);
            key.extend_from_slice(&row.key);
            match &row.value {
                Some(value) => batch.put(&key, value),
                None => batch.delete(&key),
            }
        }
        if let Some(checkpoint) = checkpoint {
            batch.put(CHECKPOINT_KEY, encode(checkpoint));
        }
        let written = self.open()?.write(batch);
        written.map_err(|error| store_error(&self.path, &error))
    }

    fn close(&mut self) {
        self.db = None;
    }
}

fn store_error(path: &Path, error: &rocksdb::Error) -> Error {
    Error::Store { path: path.to_owned(), why: format!("{error}: {}", remedy(error.as_ref())) }
}

fn remedy(error: &str) -> &'static str {
    if IN_USE.iter().any(|text| error.starts_with(text)) {
        "another process uses this folder: give each its own state.dir"
    } else if FULL.iter().any(|text| error.contains(text)) {
        "the disk is full: free some space and start again; nothing is lost, the changelog has all rows"
    } else {
        "check the folder and its permissions; if it is damaged, delete it: the changelog has the rows"
    }
}

/// Whether the files are damaged, so that only a new folder helps.
fn is_damage(kind: &ErrorKind, error: &str) -> bool {
    match kind {
        ErrorKind::Corruption | ErrorKind::InvalidArgument => {
            !FULL.iter().chain(&NO_ACCESS).any(|text| error.contains(text))
        }
        // A file that other files refer to is missing.
        ErrorKind::IOError => error.contains(MISSING),
        _ => false,
    }
}

fn options() -> Options {
    let mut options = Options::default();
    // One writer, small values that are overwritten often.
    options.set_write_buffer_size(32 << 20);
    options.set_max_write_buffer_number(2);
    options.set_keep_log_file_num(2);
    options
}

fn encode(checkpoint: Checkpoint) -> Vec<u8> {
    let Checkpoint { position, changelog, written_at } = checkpoint;
    [position.0, changelog.0, written_at.0].into_iter().flat_map(i64::to_be_bytes).collect()
}

fn decode(bytes: &[u8]) -> Option<Checkpoint> {
    let (numbers, []) = bytes.as_chunks::<8>() else { return None };
    let [position, changelog, written_at] = <[[u8; 8]; 3]>::try_from(numbers).ok()?.map(i64::from_be_bytes);
    Some(Checkpoint { position: Offset(position), changelog: Offset(changelog), written_at: Millis(written_at) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHECKPOINT: Checkpoint = Checkpoint { position: Offset(7), changelog: Offset(9), written_at: Millis(11) };

    fn row(key: &str, value: Option<&str>) -> RowUpdate {
        RowUpdate { key: key.into(), value: value.map(Into::into) }
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

    /// How many folders were moved aside. Nothing but these and the folder of the application exists.
    fn aside(dir: &tempfile::TempDir) -> usize {
        let entries = fs::read_dir(dir.path()).expect("the folder").map(|entry| entry.expect("an entry").file_name());
        let names: Vec<_> = entries.map(|name| name.to_string_lossy().into_owned()).collect();
        let aside = names.iter().filter(|name| name.starts_with("my.app.aside-")).count();
        assert_eq!(names.len(), aside + 1, "{names:?}");
        aside
    }

    /// The same, after a new, empty store was loaded.
    fn aside_after_loading(store: &mut RocksStore, dir: &tempfile::TempDir) -> usize {
        assert_eq!(load(store), (None, vec![]));
        store.close();
        aside(dir)
    }

    /// A store with one row; the folder has a dot in its name, as an application ID may.
    fn written(dir: &tempfile::TempDir) -> RocksStore {
        let mut store = RocksStore::new(dir.path().join("my.app"));
        store.clear().expect("cleared");
        store.write(&[row("a", Some("1"))], Some(CHECKPOINT)).expect("written");
        store
    }

    fn files(dir: &tempfile::TempDir, prefix: &str) -> Vec<PathBuf> {
        let entries = fs::read_dir(dir.path().join("my.app")).expect("the folder");
        let files: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
        let is_meant = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix));
        let files: Vec<_> = files.into_iter().filter(is_meant).collect();
        assert!(!files.is_empty(), "{prefix}");
        files
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

    type Spoil = fn(&mut RocksStore);

    #[test]
    fn an_untrusted_store_is_moved_aside_each_time() {
        let dir = tempfile::tempdir().expect("a folder");
        let spoils: [(&str, Spoil); 3] = [
            ("a row", |store| store.write(&[row("a", Some("damaged"))], None).expect("written")),
            ("the checkpoint", |store| store.open().expect("open").put(CHECKPOINT_KEY, b"short").expect("written")),
            ("another format", |store| store.open().expect("open").put(FORMAT_KEY, b"0").expect("written")),
        ];
        for (times, (what, spoil)) in (1..).zip(spoils) {
            let mut store = written(&dir);
            spoil(&mut store);
            assert_eq!(load(&mut store).0, None, "{what}");
            assert_eq!(aside_after_loading(&mut store, &dir), times, "{what}");
        }
    }

    #[test]
    fn damaged_files_are_moved_aside() {
        let dir = tempfile::tempdir().expect("a folder");
        let damages: [fn(&tempfile::TempDir); 4] = [
            |dir| fs::write(&files(dir, "CURRENT")[0], "rubbish").expect("written"),
            |dir| fs::remove_file(&files(dir, "CURRENT")[0]).expect("removed"),
            |dir| files(dir, "MANIFEST").iter().for_each(|path| fs::remove_file(path).expect("removed")),
            |dir| files(dir, "MANIFEST").iter().for_each(|path| fs::write(path, "rubbish").expect("written")),
        ];
        for (times, damage) in (1..).zip(damages) {
            written(&dir).close();
            damage(&dir);
            let mut store = RocksStore::new(dir.path().join("my.app"));
            assert_eq!(aside_after_loading(&mut store, &dir), times);
        }
    }

    #[test]
    fn a_folder_in_use_is_an_error_with_its_remedy() {
        let dir = tempfile::tempdir().expect("a folder");
        let first = written(&dir);
        let mut second = RocksStore::new(dir.path().join("my.app"));
        let error = second.load(&mut |_, _| true).expect_err("in use");
        assert!(error.to_string().contains("another process uses this folder"), "{error}");
        assert_eq!(aside(&dir), 0);
        drop(first);
    }

    #[test]
    fn a_folder_without_access_is_an_error_and_nothing_is_moved() {
        let dir = tempfile::tempdir().expect("a folder");
        written(&dir).close();
        // A folder can't be opened as a file, even by root, whom permissions do not stop.
        let lock = files(&dir, "LOCK").remove(0);
        fs::remove_file(&lock).and_then(|()| fs::create_dir(&lock)).expect("a folder in its place");
        let mut store = RocksStore::new(dir.path().join("my.app"));
        let error = store.load(&mut |_, _| true).expect_err("no lock");
        assert!(error.to_string().contains("check the folder and its permissions"), "{error}");
        assert_eq!(aside(&dir), 0);
        fs::remove_dir(&lock).expect("removed");
        assert_eq!(load(&mut store).0, Some(CHECKPOINT));
    }

    #[test]
    fn each_error_has_its_remedy() {
        for (kind, error, text, damage) in [
            (
                ErrorKind::Corruption,
                "Corruption: block checksum mismatch: stored = 1, computed = 2 in /lock/000008.sst",
                "if it is damaged",
                true,
            ),
            (
                ErrorKind::Corruption,
                "Corruption: Can't access /000008.sst: IO error: Permission denied: while stat a file",
                "its permissions",
                false,
            ),
            (
                ErrorKind::IOError,
                "IO error: No such file or directory: While opening a file: /lock/MANIFEST-000005",
                "its permissions",
                true,
            ),
            (
                ErrorKind::IOError,
                "IO error: While open a file for lock: /app/LOCK: Permission denied",
                "its permissions",
                false,
            ),
            (
                ErrorKind::IOError,
                "IO error: While lock file: /app/LOCK: Resource temporarily unavailable",
                "another process",
                false,
            ),
            (
                ErrorKind::IOError,
                "IO error: lock hold by current process, acquire time 1 acquiring thread 2: /app/LOCK",
                "another",
                false,
            ),
            (
                ErrorKind::IOError,
                "IO error: No space left on device: While appending to file: /lock/000008.log",
                "disk is full",
                false,
            ),
        ] {
            assert!(remedy(error).contains(text), "{error}: {}", remedy(error));
            assert_eq!(is_damage(&kind, error), damage, "{error}");
        }
    }
}

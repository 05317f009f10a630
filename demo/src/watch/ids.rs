//! The files of record ids: 8 bytes per id, little-endian, in the order of processing (`od -A d -t u8` shows a file).

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

const ID_BYTES: usize = size_of::<u64>();

/// The folder of the files.
pub(crate) enum IdFolder {
    /// A folder that is deleted at the end of the experiment.
    Temporary(TempDir),
    /// The folder in which the user keeps the files.
    Kept(PathBuf),
}

impl IdFolder {
    pub(crate) fn open(kept: Option<&Path>) -> Result<Self> {
        let Some(kept) = kept else {
            let folder = tempfile::Builder::new().prefix("quipu-demo-").tempdir();
            return Ok(Self::Temporary(folder.context("no temporary directory for the record ids")?));
        };
        std::fs::create_dir_all(kept).with_context(|| format!("can't create {}", kept.display()))?;
        Ok(Self::Kept(kept.to_owned()))
    }

    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Temporary(folder) => folder.path(),
            Self::Kept(folder) => folder,
        }
    }
}

/// Writes the ids of the records that a consumer processed.
pub(crate) struct IdWriter {
    file: BufWriter<File>,
}

impl IdWriter {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: BufWriter::new(File::create(path)?) })
    }

    pub(crate) fn write(&mut self, id: u64) -> io::Result<()> {
        self.file.write_all(&id.to_le_bytes())
    }

    /// Writes the buffered ids. Without this call, an error while they are written is lost.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Calls `each` with every id of the file. A file that ends within an id is an error.
pub(crate) fn read(path: &Path, mut each: impl FnMut(u64)) -> io::Result<()> {
    let file = File::open(path)?;
    if file.metadata()?.len() % ID_BYTES as u64 != 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the last id is incomplete"));
    }
    let mut file = BufReader::with_capacity(1 << 16, file);
    let mut id = [0; ID_BYTES];
    loop {
        match file.read_exact(&mut id) {
            Ok(()) => each(u64::from_le_bytes(id)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_were_written() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app-1.ids");
        let mut writer = IdWriter::create(&path).unwrap();
        for id in [3, 0, u64::MAX, 3] {
            writer.write(id).unwrap();
        }
        writer.finish().unwrap();

        let mut ids = Vec::new();
        read(&path, |id| ids.push(id)).unwrap();
        assert_eq!(ids, [3, 0, u64::MAX, 3]);
    }

    #[test]
    fn a_truncated_file_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("app-1.ids");
        std::fs::write(&path, [0; 12]).unwrap();
        assert_eq!(read(&path, |_| ()).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}

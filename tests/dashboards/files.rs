//! The files of `dashboards/grafana`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// A dashboard as it is in its file.
pub(crate) struct Dashboard {
    /// The file's name without its extension.
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    pub(crate) json: Value,
}

impl Dashboard {
    /// The kind of its data source.
    pub(crate) fn source(&self) -> &str {
        self.name.rsplit_once('-').unwrap().1
    }

    /// The panels without the row headings.
    pub(crate) fn panels(&self) -> impl Iterator<Item = &Value> {
        self.json["panels"].as_array().unwrap().iter().filter(|panel| panel["type"] != "row")
    }
}

/// The path of a file of the repository.
pub(crate) fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub(crate) fn dashboards() -> Vec<Dashboard> {
    let mut paths: Vec<_> =
        fs::read_dir(repository("dashboards/grafana")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| Dashboard {
        name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
        json: serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap(),
        path,
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn the_files_are_as_generated() {
    let checked = Command::new(repository("dashboards/generate")).arg("--check").output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

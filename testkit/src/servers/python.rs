//! The tests' Python environment, prepared by `tests/servers/python`.

use std::path::Path;
use std::process::Command;

use crate::missing::Missing;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/servers/python");

/// The script's exit status when Python is not available on this machine.
const UNAVAILABLE: i32 = 3;

/// Returns a command for a program of the virtual environment.
pub fn python(program: &str) -> Result<Command, Missing> {
    let fetched = Command::new(SCRIPT).arg("fetch").output().unwrap();
    if !fetched.status.success() {
        let why = String::from_utf8_lossy(&fetched.stderr).trim().to_owned();
        assert_eq!(fetched.status.code(), Some(UNAVAILABLE), "{why}");
        return Err(Missing(why));
    }
    let folder = String::from_utf8(fetched.stdout).unwrap();
    Ok(Command::new(Path::new(folder.trim()).join(program)))
}

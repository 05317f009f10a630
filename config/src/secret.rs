use std::fmt;
use std::path::Path;

/// A token or a password, which is never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) Option<String>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "***" } else { "none" })
    }
}

/// Reads a secret file. One newline at its end is dropped.
pub(crate) fn secret_file(path: &Path) -> Result<String, String> {
    let mut text = std::fs::read_to_string(path).map_err(|error| format!("can't read {}: {error}", path.display()))?;
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

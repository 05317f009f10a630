//! A path, or `off`, for `#[serde(with)]`.

use std::path::PathBuf;

use serde::de::{Deserialize as _, Deserializer};
use serde::ser::{Serialize as _, Serializer};

const OFF: &str = "off";

// serde's `with` calls this signature.
#[allow(clippy::ref_option)]
pub(crate) fn serialize<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => path.serialize(serializer),
        None => serializer.serialize_str(OFF),
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(deserializer)?;
    Ok((text != OFF).then(|| text.into()))
}

//! An address to listen on, or `off`, for `#[serde(with)]`.

use serde::de::{Deserialize as _, Deserializer, Error, Unexpected};
use serde::ser::Serializer;

use crate::listen::ListenAddress;

const OFF: &str = "off";

// serde's `with` calls this signature.
#[allow(clippy::ref_option)]
pub(crate) fn serialize<S: Serializer>(listen: &Option<ListenAddress>, serializer: S) -> Result<S::Ok, S::Error> {
    match listen {
        Some(address) => serializer.collect_str(address),
        None => serializer.serialize_str(OFF),
    }
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ListenAddress>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text == OFF {
        return Ok(None);
    }
    let expected = "a host and a port such as \"127.0.0.1:9464\" or \"localhost:9464\", or \"off\"";
    text.parse().map(Some).map_err(|_| D::Error::invalid_value(Unexpected::Str(&text), &expected))
}

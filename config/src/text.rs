//! Values that are written as text. For `#[serde(with)]`.

pub(crate) mod duration;
pub(crate) mod listen;
pub(crate) mod off;

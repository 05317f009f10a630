//! Types that are written as text, for `#[serde(with)]`.

pub(crate) mod duration;
pub(crate) mod listen;
pub(crate) mod off;

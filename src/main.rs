//! The binary `quipu`.
fn main() {}

//! Warnings that are logged once for each name.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

/// The maximum number of names that are logged; further names are only counted.
const NAMES: usize = 1000;

/// The names that have been logged.
#[derive(Default)]
pub(crate) struct Warned {
    names: RwLock<HashSet<Box<str>>>,
}

impl Warned {
    /// Whether `name` was not seen before and there is room to remember it.
    ///
    /// The caller logs afterwards, with no lock held: a subscriber may itself use metrics.
    pub(crate) fn first(&self, name: &str) -> bool {
        let seen = self.names.read().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= NAMES || seen.contains(name) {
            return false;
        }
        drop(seen);
        let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
        names.len() < NAMES && names.insert(name.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_first_once_and_the_memory_is_bounded() {
        let warned = Warned::default();
        assert!(warned.first("a"));
        assert!(!warned.first("a"));
        let first = (0..2 * NAMES).filter(|n| warned.first(&n.to_string())).count();
        assert_eq!(first, NAMES - 1);
    }
}

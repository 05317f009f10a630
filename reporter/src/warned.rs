//! Warnings that come once for each name.

use std::collections::HashSet;
use std::sync::{PoisonError, RwLock};

/// Names beyond this many are counted like the others, but not warned about.
const NAMES: usize = 1000;

/// The names that have been warned about.
#[derive(Default)]
pub(crate) struct Warned {
    names: RwLock<HashSet<Box<str>>>,
}

impl Warned {
    /// Whether `name` comes for the first time and there is room to remember it.
    ///
    /// The caller warns afterwards, with no lock held: a subscriber may itself use metrics.
    pub(crate) fn first(&self, name: &str) -> bool {
        let known = self.names.read().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= NAMES || known.contains(name) {
            return false;
        }
        drop(known);
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

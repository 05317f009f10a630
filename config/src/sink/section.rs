use std::ops::Range;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::DeTable;

use super::keys;
use crate::error::Problem;
use crate::keys::Keys;
use crate::layers::Layers;

/// A section `[[sink]]` that is being read: each struct takes its keys out of the rest.
pub(super) struct Section<'a, 'l> {
    layers: &'l Layers<'a>,
    problems: &'l mut Vec<Problem>,
    whole: Spanned<DeTable<'a>>,
    /// The keys that no struct was read from yet.
    rest: DeTable<'a>,
}

impl<'a, 'l> Section<'a, 'l> {
    pub(super) fn new(layers: &'l Layers<'a>, whole: Spanned<DeTable<'a>>, problems: &'l mut Vec<Problem>) -> Self {
        let rest = whole.get_ref().clone();
        Self { layers, problems, whole, rest }
    }

    /// Whether the section sets `key`.
    pub(super) fn has(&self, key: &str) -> bool {
        self.whole.get_ref().contains_key(key)
    }

    /// Reads `T` from the keys that it has, and takes them out of the rest.
    pub(super) fn take<T: DeserializeOwned>(&mut self) -> Option<T> {
        let mut part = DeTable::new();
        for key in keys::of::<T>() {
            if let Some((key, value)) = self.rest.remove_entry(*key) {
                part.insert(key, value);
            }
        }
        self.layers.read(&mut Spanned::new(self.whole.span(), part), "sink", &Keys::default(), self.problems)
    }

    /// Takes the keys of `T` out of the rest without reading them. Returns the keys that the section sets.
    pub(super) fn drop_keys<T: DeserializeOwned>(&mut self) -> Vec<&'static str> {
        keys::of::<T>().iter().copied().filter(|key| self.rest.remove(*key).is_some()).collect()
    }

    /// Takes these keys out of the rest without reading them.
    pub(super) fn drop_named(&mut self, keys: &[&str]) {
        for key in keys {
            self.rest.remove(*key);
        }
    }

    /// Takes out the keys that are left, with their places.
    pub(super) fn take_rest(&mut self) -> Vec<(String, Range<usize>)> {
        std::mem::take(&mut self.rest).into_iter().map(|(key, _)| (key.to_string(), key.span())).collect()
    }

    /// Adds a problem of the value of `key`, or of the section if `key` is not set.
    pub(super) fn add(&mut self, key: &str, message: &str) {
        let span = self.whole.get_ref().get(key).map_or(self.whole.span(), Spanned::span);
        self.problems.push(self.layers.problem_at(&span, format!("sink.{key}: {message}")));
    }

    /// Adds a problem of a key.
    pub(super) fn add_at(&mut self, span: &Range<usize>, message: String) {
        self.problems.push(self.layers.problem_at(span, message));
    }
}

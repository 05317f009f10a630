//! File, environment and flags, merged into one document that records where each value came from.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use crate::document::{flatten, get_mut, remove, set};
use crate::error::Problem;
use crate::keys::{Keys, Target, suggestion};

/// The value of a key that a variable or a flag sets.
pub(super) struct Setting {
    pub(super) target: Target,
    pub(super) text: String,
    /// The name of the variable or of the flag.
    pub(super) origin: String,
}

/// The merged document. A span within the length of the file is a place in the file. A larger span is the number of a
/// setting, counted from the end of the file.
pub(super) struct Layers<'a> {
    document: DeTable<'a>,
    file: String,
    text: &'a str,
    settings: &'a [Setting],
}

impl Setting {
    pub(super) fn new(keys: &Keys, key: &str, text: String, origin: String) -> Result<Self, Problem> {
        match keys.by_path(key) {
            Some(target) => Ok(Self { target, text, origin }),
            None => Err(Problem { origin, line: None, message: unknown(key, keys.paths()) }),
        }
    }
}

impl<'a> Layers<'a> {
    /// Merges a file and the settings. A later setting overrides an earlier one.
    pub(super) fn new(
        file: Option<&Path>,
        text: &'a str,
        settings: &'a [Setting],
        keys: &Keys,
        problems: &mut Vec<Problem>,
    ) -> Self {
        let (document, errors) = DeTable::parse_recoverable(text);
        let file = file.map(|path| path.display().to_string()).unwrap_or_default();
        let mut layers = Self { document: document.into_inner(), file, text, settings };
        if !errors.is_empty() {
            // After an error the parser may have misread the rest. Problems of that rest would mislead.
            layers.document = DeTable::new();
            let mut wrong: Vec<_> = errors
                .iter()
                .map(|error| layers.problem_at(&error.span().unwrap_or_default(), error.message()))
                .collect();
            wrong.sort_by_key(|problem| problem.line);
            wrong.dedup_by_key(|problem| problem.line);
            problems.append(&mut wrong);
        }
        for path in keys.open() {
            if let Some(DeValue::Table(table)) = get_mut(&mut layers.document, path) {
                for (name, span) in flatten(table) {
                    problems.push(layers.problem_at(&span, format!("{path}.{name} is set twice")));
                }
            }
        }
        for (index, setting) in settings.iter().enumerate() {
            let at = layers.text.len() + 1 + index;
            set(&mut layers.document, &setting.target.path, Spanned::new(at..at, value(setting)));
        }
        layers
    }

    /// Reads the document. A value that can't be read is a problem, and the result has the default instead.
    pub(super) fn deserialize<T: DeserializeOwned>(&mut self, keys: &Keys, problems: &mut Vec<Problem>) -> Option<T> {
        // No value has this span.
        let mut whole = Spanned::new(usize::MAX..usize::MAX, std::mem::take(&mut self.document));
        let read = self.read(&mut whole, "", keys, problems);
        self.document = whole.into_inner();
        read
    }

    /// Reads the table at `path`. A value that can't be read is a problem and is removed from the table. Returns none if a
    /// required value is missing.
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        table: &mut Spanned<DeTable<'a>>,
        path: &str,
        keys: &Keys,
        problems: &mut Vec<Problem>,
    ) -> Option<T> {
        let mut removed_keys: Vec<String> = Vec::new();
        let mut damaged: Vec<Range<usize>> = Vec::new();
        loop {
            let error = match T::deserialize(Deserializer::from(table.clone())) {
                Ok(value) => return Some(value),
                Err(error) => error,
            };
            let span = error.span().unwrap_or(table.span());
            let Some(removed) = remove(table.get_mut(), &span) else {
                // The table itself lacks a key, perhaps one that was removed.
                if !removed_keys.iter().any(|key| error.message() == format!("missing field `{key}`")) {
                    let path = if path.is_empty() { String::new() } else { format!("{path}: ") };
                    problems.push(self.problem_at(&span, format!("{path}{}", error.message())));
                }
                return None;
            };
            // A table within this one may be wrong only because a value was removed from it.
            let is_consequence = damaged.contains(&span);
            damaged.extend(removed.table);
            if is_consequence {
                continue;
            }
            let path = if path.is_empty() { removed.path.clone() } else { format!("{path}.{}", removed.path) };
            removed_keys.push(removed.path);
            let message = if removed.is_key {
                unknown(&path, keys.paths().chain(siblings(&path, error.message())))
            } else if keys.is_open(&path) {
                // The value that is there instead may be secret.
                format!("{path}: expected a table, a line for each property")
            } else {
                format!("{path}: {}", in_plain_words(error.message()))
            };
            problems.push(self.problem_at(&span, message));
        }
    }

    /// The tables of the list `name`. An element that is not a table is a problem.
    pub(super) fn tables(&self, name: &str, problems: &mut Vec<Problem>) -> Vec<Spanned<DeTable<'a>>> {
        let Some(DeValue::Array(list)) = self.document.get(name).map(Spanned::get_ref) else { return Vec::new() };
        let mut tables = Vec::new();
        for element in list {
            match element.get_ref() {
                DeValue::Table(table) => tables.push(Spanned::new(element.span(), table.clone())),
                _ => problems.push(self.problem_at(&element.span(), format!("{name}: expected a table"))),
            }
        }
        tables
    }

    /// Whether the file or a setting has this key at the top.
    pub(super) fn has(&self, key: &str) -> bool {
        self.document.contains_key(key)
    }

    /// A problem of the value at `path`, or of the table that would hold it. A list's element is named by its number.
    pub(super) fn problem(&self, path: &[&str], message: impl AsRef<str>) -> Problem {
        let mut value: Option<&Spanned<DeValue<'_>>> = None;
        for segment in path {
            let next = match value.map(Spanned::get_ref) {
                None => self.document.get(*segment),
                Some(DeValue::Table(table)) => table.get(*segment),
                Some(DeValue::Array(list)) => segment.parse().ok().and_then(|index: usize| list.get(index)),
                Some(_) => None,
            };
            let Some(next) = next else { break };
            value = Some(next);
        }
        let names: Vec<_> = path.iter().copied().filter(|name| name.parse::<usize>().is_err()).collect();
        let message = format!("{}: {}", names.join("."), message.as_ref());
        match value {
            Some(value) => self.problem_at(&value.span(), message),
            None => Problem { origin: String::new(), line: None, message },
        }
    }

    /// A problem at the place with this span.
    pub(super) fn problem_at(&self, span: &Range<usize>, message: impl Into<String>) -> Problem {
        let message = message.into();
        if let Some(index) = span.start.checked_sub(self.text.len() + 1) {
            let origin = self.settings.get(index).map(|setting| setting.origin.clone()).unwrap_or_default();
            return Problem { origin, line: None, message };
        }
        let before = self.text.get(..span.start).unwrap_or(self.text);
        Problem { origin: self.file.clone(), line: Some(before.matches('\n').count() + 1), message }
    }
}

/// The message of serde without the names of Rust's types.
fn in_plain_words(message: &str) -> String {
    if message.contains(", expected struct ") {
        // The value that is there instead may be secret.
        return "expected a table".to_owned();
    }
    message
        .replace("expected usize", "expected a whole number, 0 or more")
        .replace("expected i32", "expected a whole number")
}

/// The message for an unknown key, with the nearest of the keys that exist.
pub(super) fn unknown(path: &str, existing: impl IntoIterator<Item = String>) -> String {
    format!("unknown key `{}`; {}", path.escape_debug(), suggestion(path, existing))
}

/// The keys beside an unknown one, from the message of serde (``unknown field `x`, expected one of `a`, `b` ``). For the
/// elements of a list there is no other source.
fn siblings(path: &str, message: &str) -> Vec<String> {
    let table = path.rsplit_once('.').map_or_else(String::new, |(table, _)| format!("{table}."));
    let names = message.rsplit_once(", expected ").map_or("", |(_, names)| names);
    names.split('`').skip(1).step_by(2).map(|name| format!("{table}{name}")).collect()
}

fn value(setting: &Setting) -> DeValue<'_> {
    let text = || DeValue::String(Cow::Borrowed(&setting.text));
    if !setting.target.is_literal {
        return text();
    }
    match DeValue::parse(setting.text.trim()).map(Spanned::into_inner) {
        Ok(value @ (DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_))) => value,
        // The error of this text has the type that was expected.
        _ => text(),
    }
}

//! File, environment and flags merged into one document that knows where each value came from.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use crate::document::{flatten, get_mut, remove, set};
use crate::error::Problem;
use crate::keys::{Keys, Target, suggestion};

/// A key's value from outside the file.
pub(super) struct Setting {
    pub(super) target: Target,
    pub(super) text: String,
    /// The variable or the flag.
    pub(super) origin: String,
}

/// The merged document. A span below the length of the file is a place in the file; beyond it, a span stands for the
/// setting of that number.
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
    /// Merges a file and the settings, of which the later win.
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
            // What the parser made of the rest, and of the rest of a wrong line, would be blamed for what it is not.
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

    /// Reads the document. What can't be read is a problem, and is left out of what is returned.
    pub(super) fn deserialize<T: DeserializeOwned>(&mut self, keys: &Keys, problems: &mut Vec<Problem>) -> Option<T> {
        let mut damaged: Vec<Range<usize>> = Vec::new();
        loop {
            // The span of the whole is one that no value has.
            let whole = Spanned::new(usize::MAX..usize::MAX, self.document.clone());
            let error = match T::deserialize(Deserializer::from(whole)) {
                Ok(config) => return Some(config),
                Err(error) => error,
            };
            let span = error.span().unwrap_or_default();
            let Some(removed) = remove(&mut self.document, &span) else {
                problems.push(Problem { origin: String::new(), line: None, message: error.message().to_owned() });
                return None;
            };
            // A table that something was taken out of may only lack that.
            let is_consequence = damaged.contains(&span);
            damaged.extend(removed.table);
            if is_consequence {
                continue;
            }
            let path = removed.path;
            let message = if removed.is_key {
                unknown(&path, keys.paths().chain(siblings(&path, error.message())))
            } else if keys.is_open(&path) {
                // What stands there instead may be secret.
                format!("{path}: expected a table, a line for each property")
            } else {
                format!("{path}: {}", in_plain_words(error.message()))
            };
            problems.push(self.problem_at(&span, message));
        }
    }

    /// A problem of the value at `path` (an element of a list by its number), or of the table that it would be in.
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

    fn problem_at(&self, span: &Range<usize>, message: impl Into<String>) -> Problem {
        let message = message.into();
        if let Some(index) = span.start.checked_sub(self.text.len() + 1) {
            let origin = self.settings.get(index).map(|setting| setting.origin.clone()).unwrap_or_default();
            return Problem { origin, line: None, message };
        }
        let before = self.text.get(..span.start).unwrap_or(self.text);
        Problem { origin: self.file.clone(), line: Some(before.matches('\n').count() + 1), message }
    }
}

/// serde's message without the names of Rust's types.
fn in_plain_words(message: &str) -> String {
    if message.contains(", expected struct ") {
        // What stands there instead may be secret.
        return "expected a table".to_owned();
    }
    message
        .replace("expected usize", "expected a whole number, 0 or more")
        .replace("expected i32", "expected a whole number")
}

fn unknown(path: &str, known: impl IntoIterator<Item = String>) -> String {
    format!("unknown key `{}`; {}", path.escape_debug(), suggestion(path, known))
}

/// The keys beside an unknown one. serde names them in its message (``unknown field `x`, expected one of `a`, `b` ``);
/// for the elements of a list that is the only place where they stand.
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
        // The error that comes of it says what was expected.
        _ => text(),
    }
}

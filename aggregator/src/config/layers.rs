//! File, environment and flags merged into one document that knows where each value came from.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;

use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

use super::error::Problem;
use super::keys::{Keys, Target, suggestion};

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

fn get_mut<'t, 'a>(document: &'t mut DeTable<'a>, path: &str) -> Option<&'t mut DeValue<'a>> {
    match path.split_once('.') {
        None => document.get_mut(path).map(Spanned::get_mut),
        Some((first, rest)) => match document.get_mut(first)?.get_mut() {
            DeValue::Table(table) => get_mut(table, rest),
            _ => None,
        },
    }
}

/// Sets a value. Where the file has something else in the place of a table, that is an error of its own.
fn set<'a>(table: &mut DeTable<'a>, path: &'a [String], value: Spanned<DeValue<'a>>) {
    let [first, rest @ ..] = path else { return };
    // Another span than the value's, so that an error of the value is not taken for one of the key.
    let key = Spanned::new(value.span().start..usize::MAX, Cow::Borrowed(first.as_str()));
    if rest.is_empty() {
        table.insert(key, value);
        return;
    }
    let inner = table.entry(key).or_insert_with(|| Spanned::new(value.span(), DeValue::Table(DeTable::new())));
    if let DeValue::Table(inner) = inner.get_mut() {
        set(inner, rest, value);
    }
}

/// Makes `a.b = 1` the key `"a.b"`: the names of properties have dots, and nobody expects to have to quote them.
/// Returns the names that are there twice, and where.
fn flatten(table: &mut DeTable<'_>) -> Vec<(String, Range<usize>)> {
    let mut twice = Vec::new();
    for (key, value) in std::mem::take(table) {
        let DeValue::Table(mut inner) = value.get_ref().clone() else {
            let (name, span) = (key.to_string(), key.span());
            if table.insert(key, value).is_some() {
                twice.push((name, span));
            }
            continue;
        };
        twice.extend(flatten(&mut inner).into_iter().map(|(name, span)| (format!("{key}.{name}"), span)));
        for (inner_key, value) in inner {
            let name = format!("{key}.{inner_key}");
            let span = inner_key.span();
            if table.insert(Spanned::new(span.clone(), Cow::Owned(name.clone())), value).is_some() {
                twice.push((name, span));
            }
        }
    }
    twice
}

struct Removed {
    path: String,
    /// Whether it was the key that is wrong, not the value.
    is_key: bool,
    /// The span of the table that it was in, unless that is the whole document.
    table: Option<Range<usize>>,
}

/// Removes what has this span, the innermost if several do.
fn remove(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<Removed> {
    for (key, value) in table.iter_mut() {
        if let Some(removed) = remove_within(value, span) {
            let path = if removed.path.is_empty() { key.to_string() } else { format!("{key}.{}", removed.path) };
            return Some(Removed { path, ..removed });
        }
    }
    let (key, is_key) = table.iter().find_map(|(key, value)| {
        let is_key = key.span() == *span;
        (is_key || value.span() == *span).then(|| (key.get_ref().clone(), is_key))
    })?;
    table.remove(&*key);
    Some(Removed { path: key.into_owned(), is_key, table: None })
}

fn remove_within(value: &mut Spanned<DeValue<'_>>, span: &Range<usize>) -> Option<Removed> {
    let own_span = value.span();
    match value.get_mut() {
        DeValue::Table(table) => {
            let removed = remove(table, span)?;
            Some(Removed { table: removed.table.or(Some(own_span)), ..removed })
        }
        DeValue::Array(list) => {
            if let Some(removed) = list.iter_mut().find_map(|element| remove_within(element, span)) {
                return Some(removed);
            }
            let index = list.iter().position(|element| element.span() == *span)?;
            let mut kept = DeArray::new();
            for (_, element) in list.iter().enumerate().filter(|(other, _)| *other != index) {
                kept.push(element.clone());
            }
            *list = kept;
            Some(Removed { path: String::new(), is_key: false, table: None })
        }
        _ => None,
    }
}

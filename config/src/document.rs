//! Changes of a TOML document, for the merge of the layers.

use std::borrow::Cow;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// The value at a path such as `kafka.properties`.
pub(super) fn get_mut<'t, 'a>(document: &'t mut DeTable<'a>, path: &str) -> Option<&'t mut DeValue<'a>> {
    match path.split_once('.') {
        None => document.get_mut(path).map(Spanned::get_mut),
        Some((first, rest)) => match document.get_mut(first)?.get_mut() {
            DeValue::Table(table) => get_mut(table, rest),
            _ => None,
        },
    }
}

/// Sets a value. If the file has another value where a table must be, the document stays as it is: reading reports it.
pub(super) fn set<'a>(table: &mut DeTable<'a>, path: &'a [String], value: Spanned<DeValue<'a>>) {
    let [first, rest @ ..] = path else { return };
    // The key has another span than the value, so that an error of the value is not reported for the key.
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

/// Turns `a.b = 1` into the key `"a.b"`, so that the names of properties, which have dots, need no quotes. Returns the
/// names that occur twice, with their places.
pub(super) fn flatten(table: &mut DeTable<'_>) -> Vec<(String, Range<usize>)> {
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

/// A key or a value that was removed.
pub(super) struct Removed {
    pub(super) path: String,
    /// Whether the span was that of the key, not of the value.
    pub(super) is_key: bool,
    /// The span of the table that had it, unless this is the whole document.
    pub(super) table: Option<Range<usize>>,
}

/// Removes the key or value with this span, the innermost if there are several.
pub(super) fn remove(table: &mut DeTable<'_>, span: &Range<usize>) -> Option<Removed> {
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

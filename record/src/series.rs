mod selector;
mod text;

use std::borrow::Cow;
use std::fmt;

use crate::{BadRecord, limits};

pub use selector::Selector;
pub use text::ParseSeriesError;

/// A label: its name and its value.
pub type Label<'a> = (Cow<'a, str>, Cow<'a, str>);

/// A series: a metric name and its labels, sorted by name, each name once.
///
/// As in Prometheus, a label with an empty value is the same as no label. The text form ([`fmt::Display`], and
/// [`std::str::FromStr`] back) is that of OpenMetrics, with Prometheus' quoted form for names that are not identifiers:
/// `records_processed{topic="auth"}`, `{"my.metric",topic="auth"}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Series {
    name: Box<str>,
    labels: Box<[Label<'static>]>,
}

impl Series {
    /// Makes a series from a name and labels in any order.
    pub fn new<K, V>(name: impl Into<String>, labels: impl IntoIterator<Item = (K, V)>) -> Result<Self, BadRecord>
    where
        K: Into<String>,
        V: Into<String>,
    {
        let name = name.into().into_boxed_str();
        let mut labels =
            labels.into_iter().map(|(name, value)| (Cow::Owned(name.into()), Cow::Owned(value.into()))).collect();
        check_name(&name)?;
        normalize(&mut labels, 0)?;
        Ok(Self { name, labels: labels.into_boxed_slice() })
    }

    /// The borrowed form.
    #[must_use]
    pub fn as_ref(&self) -> SeriesRef<'_> {
        SeriesRef { name: &self.name, labels: &self.labels }
    }

    /// The metric's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The labels, sorted by name.
    #[must_use]
    pub fn labels(&self) -> &[Label<'static>] {
        &self.labels
    }

    /// The value of the label `name`.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.as_ref().label(name)
    }
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_ref().fmt(f)
    }
}

/// A series that is borrowed from a record or from a [`Series`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SeriesRef<'a> {
    pub(crate) name: &'a str,
    pub(crate) labels: &'a [Label<'a>],
}

impl<'a> SeriesRef<'a> {
    /// The metric's name.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The labels, sorted by name.
    #[must_use]
    pub fn labels(&self) -> &'a [Label<'a>] {
        self.labels
    }

    /// The value of the label `name`.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&'a str> {
        let at = self.labels.binary_search_by(|(label, _)| label.as_ref().cmp(name)).ok()?;
        Some(self.labels[at].1.as_ref())
    }

    /// An owned copy.
    #[must_use]
    pub fn to_series(&self) -> Series {
        let owned = |text: &Cow<'a, str>| Cow::Owned(text.clone().into_owned());
        let labels = self.labels.iter().map(|(name, value)| (owned(name), owned(value))).collect();
        Series { name: self.name.into(), labels }
    }
}

pub(crate) fn check_name(name: &str) -> Result<(), BadRecord> {
    match name.len() {
        0 => Err(BadRecord::EmptyName),
        bytes if bytes > limits::NAME_BYTES => Err(BadRecord::NameTooLong { bytes }),
        _ => Ok(()),
    }
}

/// Checks and sorts the labels from `start` on, and drops those with an empty value.
pub(crate) fn normalize(labels: &mut Vec<Label<'_>>, start: usize) -> Result<(), BadRecord> {
    let own = &mut labels[start..];
    if own.len() > limits::LABELS {
        return Err(BadRecord::TooManyLabels { labels: own.len() });
    }
    for (name, value) in &*own {
        match (name.len(), value.len()) {
            (0, _) => return Err(BadRecord::EmptyLabelName),
            (bytes, _) if bytes > limits::LABEL_NAME_BYTES => return Err(BadRecord::LabelNameTooLong { bytes }),
            (_, bytes) if bytes > limits::LABEL_VALUE_BYTES => return Err(BadRecord::LabelValueTooLong { bytes }),
            _ => {}
        }
    }
    if !own.is_sorted_by(|a, b| a.0 < b.0) {
        own.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        if let Some(pair) = own.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(BadRecord::DuplicateLabel(pair[0].0.to_string()));
        }
    }
    if own.iter().any(|(_, value)| value.is_empty()) {
        let mut index = 0;
        labels.retain(|(_, value)| {
            index += 1;
            index <= start || !value.is_empty()
        });
    }
    Ok(())
}

//! The counters of one report, read into two vectors: one for all counters, one for the labels of all of them.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::BadRecord;
use crate::number::Count;
use crate::series::{Label, SeriesRef, check_name, normalize};

/// The field `counters` as it was read; [`Self::check`] turns it into [`Counters`].
#[derive(Debug, Default)]
pub(crate) struct RawCounters<'a> {
    counters: Vec<RawCounter<'a>>,
    labels: Vec<Label<'a>>,
}

#[derive(Debug)]
struct RawCounter<'a> {
    name: Cow<'a, str>,
    labels: Range<usize>,
    value: Count,
}

/// The checked counters of one report.
#[derive(Debug)]
pub(crate) struct Counters<'a> {
    counters: Vec<(Cow<'a, str>, Range<usize>, u64)>,
    labels: Vec<Label<'a>>,
}

impl<'a> RawCounters<'a> {
    pub(crate) fn check(self) -> Result<Counters<'a>, BadRecord> {
        let mut counters = Vec::with_capacity(self.counters.len());
        let mut labels = Vec::with_capacity(self.labels.len());
        let mut unchecked = self.labels.into_iter();
        for counter in self.counters {
            let value = counter.value.check()?;
            check_name(&counter.name)?;
            let start = labels.len();
            if !counter.labels.is_empty() {
                labels.extend(unchecked.by_ref().take(counter.labels.len()));
                normalize(&mut labels, start)?;
            }
            counters.push((counter.name, start..labels.len(), value));
        }
        Ok(Counters { counters, labels })
    }
}

impl Counters<'_> {
    pub(crate) fn len(&self) -> usize {
        self.counters.len()
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (SeriesRef<'_>, u64)> {
        self.counters
            .iter()
            .map(|(name, labels, value)| (SeriesRef { name, labels: &self.labels[labels.clone()] }, *value))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawCounters<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut raw = RawCounters::default();
        deserializer.deserialize_seq(CountersVisitor(&mut raw))?;
        Ok(raw)
    }
}

struct CountersVisitor<'x, 'a>(&'x mut RawCounters<'a>);

impl<'de: 'a, 'a> Visitor<'de> for CountersVisitor<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of counters")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(counter) = seq.next_element_seed(CounterSeed(&mut self.0.labels))? {
            self.0.counters.push(counter);
        }
        Ok(())
    }
}

struct CounterSeed<'x, 'a>(&'x mut Vec<Label<'a>>);

impl<'de: 'a, 'a> DeserializeSeed<'de> for CounterSeed<'_, 'a> {
    type Value = RawCounter<'a>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawCounter<'a>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de: 'a, 'a> Visitor<'de> for CounterSeed<'_, 'a> {
    type Value = RawCounter<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a counter with name, labels and value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawCounter<'a>, A::Error> {
        let (mut name, mut value, mut labels) = (None, None, None);
        while let Some(Str(field)) = map.next_key()? {
            let again = match field.as_ref() {
                "name" => name.replace(map.next_value::<Str>()?.0).map(|_| "name"),
                "value" => value.replace(map.next_value()?).map(|_| "value"),
                "labels" => {
                    let start = self.0.len();
                    map.next_value_seed(LabelsSeed(self.0))?;
                    labels.replace(start..self.0.len()).map(|_| "labels")
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    None
                }
            };
            if let Some(field) = again {
                return Err(A::Error::duplicate_field(field));
            }
        }
        Ok(RawCounter {
            name: name.ok_or_else(|| A::Error::missing_field("name"))?,
            labels: labels.unwrap_or_default(),
            value: value.ok_or_else(|| A::Error::missing_field("value"))?,
        })
    }
}

/// Reads a JSON object of labels, for `#[serde(deserialize_with)]`.
pub(crate) fn labels<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Label<'a>>, D::Error> {
    let mut labels = Vec::new();
    LabelsSeed(&mut labels).deserialize(deserializer)?;
    Ok(labels)
}

/// Reads a JSON object of labels to the end of a vector.
struct LabelsSeed<'x, 'a>(&'x mut Vec<Label<'a>>);

impl<'de: 'a, 'a> DeserializeSeed<'de> for LabelsSeed<'_, 'a> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de: 'a, 'a> Visitor<'de> for LabelsSeed<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of labels")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((Str(name), Str(value))) = map.next_entry()? {
            self.0.push((name, value));
        }
        Ok(())
    }
}

/// A string that borrows from the record unless it has an escape in it.
struct Str<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Str<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StrVisitor;
        impl<'de> Visitor<'de> for StrVisitor {
            type Value = Str<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Str<'de>, E> {
                Ok(Str(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Str<'de>, E> {
                Ok(Str(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(StrVisitor)
    }
}

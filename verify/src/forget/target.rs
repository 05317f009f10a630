use quipu_record::{ForgetSeries, Key, Record, Series};
use uuid::Uuid;

use crate::fold::Fold;
use crate::row::Row;

/// What to remove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// All runs of an instance.
    Instance(String),
    /// One run, `instance/run`, with all its parts.
    Run(String),
    /// The row of one key, such as a plain counter's.
    Key(String),
    /// All that was counted for a series until now, by whichever program, including expired rows.
    Series(Series),
}

impl Target {
    /// Whether the row of a key belongs to it.
    pub(super) fn has_row(&self, key: &[u8], row: &Row, fold: &Fold) -> bool {
        match self {
            Self::Series(series) => row.contributions().any(|(id, _)| fold.names.get(id) == series),
            _ => self.has_key(key),
        }
    }

    /// Whether a record shows that its key belongs to it.
    pub(super) fn has_record(&self, key: &[u8], record: Option<&Record<'_>>) -> bool {
        match (self, record) {
            (Self::Series(wanted), Some(Record::Report { report, .. })) => {
                report.values().any(|(series, _)| series == wanted.as_ref())
            }
            (Self::Series(wanted), Some(Record::Plain { plain, .. })) => plain.series() == wanted.as_ref(),
            (Self::Series(_), _) => false,
            _ => self.has_key(key),
        }
    }

    /// Whether an expired run, or an expired plain key, belongs to it. What a series has of expired rows is its retired sum.
    pub(super) fn has_expired(&self, key: &[u8]) -> bool {
        !matches!(self, Self::Series(_)) && self.has_key(key)
    }

    /// The records on `metrics` that remove it: tombstones of its rows, or the request to forget a series.
    pub(super) fn removals(&self, fold: &Fold) -> Vec<Removal> {
        if let Self::Series(series) = self {
            let request = ForgetSeries { series: series.clone() };
            return vec![Removal { key: ForgetSeries::key(Uuid::now_v7()), value: Some(request.to_json()) }];
        }
        let keys = fold.rows().map(|(key, _)| key).filter(|key| self.has_key(key));
        keys.map(|key| Removal { key: key.into(), value: None }).collect()
    }

    fn has_key(&self, key: &[u8]) -> bool {
        match (self, Key::decode(Some(key))) {
            (Self::Key(text), _) => text.as_bytes() == key,
            (Self::Instance(name), Ok(Key::Run(run))) => run.instance == name,
            (Self::Run(text), Ok(Key::Run(run))) => text.as_bytes() == &key[..run.run_bytes()],
            _ => false,
        }
    }
}

/// A record on `metrics` that removes something.
pub(super) struct Removal {
    pub(super) key: Vec<u8>,
    pub(super) value: Option<Vec<u8>>,
}

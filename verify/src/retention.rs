use std::time::Duration;

use quipu_config::{Config, ProcessingGuarantee};
use quipu_record::Millis;

const WEEK: Millis = Millis(7 * 24 * 3_600_000);

/// When rows expire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Retention {
    /// After this long without a record; none if never.
    pub(crate) runs: Option<Millis>,
    /// After this long without a record since the run finished; none if never.
    pub(crate) finished: Option<Millis>,
    /// How many markers of expired runs are kept.
    pub(crate) max_markers: usize,
}

impl Retention {
    pub(crate) fn new(config: &Config) -> Self {
        let max_markers = config.limits.max_rows;
        let millis = |after: Duration| Millis(i64::try_from(after.as_millis()).unwrap_or(i64::MAX));
        match config.processing_guarantee {
            ProcessingGuarantee::ExactlyOnce => {
                let (runs, finished) = (config.retention.runs.map(millis), config.retention.finished.map(millis));
                Self { runs, finished, max_markers }
            }
            ProcessingGuarantee::AtLeastOnce => Self { max_markers, ..Self::default() },
        }
    }

    /// Whether any row can expire. Otherwise log time stands still.
    pub(crate) fn is_on(self) -> bool {
        self.runs.is_some() || self.finished.is_some()
    }

    /// How long a marker is kept.
    pub(crate) fn markers(self) -> Millis {
        self.runs.unwrap_or(WEEK)
    }
}

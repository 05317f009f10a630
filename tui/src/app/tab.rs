/// A tab of the dashboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tab {
    /// The throughput of the selected series, and all series.
    Overview,
    /// The runs.
    Instances,
    /// The audits: sent, processed, and the difference.
    Audit,
    /// Log ends, positions, lag, bad records.
    Pipeline,
}

impl Tab {
    /// All tabs from left to right.
    pub const ALL: [Self; 4] = [Self::Overview, Self::Instances, Self::Audit, Self::Pipeline];

    /// Returns the title of the tab.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Instances => "Instances",
            Self::Audit => "Audit",
            Self::Pipeline => "Pipeline",
        }
    }

    /// Returns the tab that is `places` to the right; the first tab follows the last.
    #[must_use]
    pub(super) fn right(self, places: usize) -> Self {
        let index = Self::ALL.iter().position(|tab| *tab == self).unwrap_or(0);
        Self::ALL[(index + places) % Self::ALL.len()]
    }
}

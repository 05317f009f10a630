use super::App;
use crate::batch::{Topic, TopicState};

/// How many series are named instead of one that does not exist.
const NEAREST: usize = 3;
/// A dashboard that is opened before a program starts waits for the program's series for this time.
const PATIENCE_MS: i64 = 10_000;

impl App {
    /// Selects the preferred series as soon as it was read, unless the user selected another.
    pub(super) fn prefer(&mut self, now: i64) {
        if self.has_read() {
            self.read_at.get_or_insert(now);
        }
        if let Some(preferred) = &self.preferred
            && let Some(series) =
                self.fleet.series().find(|series| series.text() == preferred || series.series().name() == preferred)
        {
            self.shows_own |= series.is_own();
            self.series.selected.get_or_insert(series.id());
            self.preferred = None;
        }
    }

    /// Returns why the preferred series is not selected: both topics were read, and no series has this name. The text ends
    /// with the series whose names are nearest.
    #[must_use]
    pub fn missing_series(&self) -> Option<String> {
        let preferred = self.preferred.as_ref().filter(|_| self.series.selected.is_none())?;
        if !self.has_read() {
            return None;
        }
        let likeness =
            |text: &str, name: &str| strsim::jaro_winkler(preferred, text).max(strsim::jaro_winkler(preferred, name));
        let mut nearest: Vec<(f64, &str)> = self
            .fleet
            .series()
            .map(|series| (likeness(series.text(), series.series().name()), series.text()))
            .collect();
        nearest.sort_by(|(a, a_text), (b, b_text)| b.total_cmp(a).then_with(|| a_text.cmp(b_text)));
        let nearest: Vec<&str> = nearest.into_iter().take(NEAREST).map(|(_, text)| text).collect();
        Some(match nearest.as_slice() {
            [] => format!("no series {preferred}: there are no series yet"),
            nearest => format!("no series {preferred}; the nearest: {}", nearest.join(", ")),
        })
    }

    /// Returns the text of [`missing_series`](Self::missing_series) if the series has been missing for some seconds.
    pub(crate) fn overdue_series(&self, now: i64) -> Option<String> {
        self.read_at.filter(|at| now - at > PATIENCE_MS).and_then(|_| self.missing_series())
    }

    /// Returns whether both topics were read to their ends.
    fn has_read(&self) -> bool {
        let pipeline = self.fleet.pipeline();
        let is_read = |topic: Topic| pipeline.topic(topic).state == TopicState::CaughtUp;
        [Topic::Metrics, Topic::Aggregates].into_iter().all(is_read)
    }
}

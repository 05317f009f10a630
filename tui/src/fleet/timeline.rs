use std::collections::VecDeque;

/// How many events are kept; the oldest are dropped.
const EVENTS: usize = 200;

/// An event that may explain a change of a total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The time of the event, in ms by the brokers' clock.
    pub at: i64,
    /// The instance or the audit. It is not escaped and may hold control characters.
    pub subject: String,
    /// The kind of event.
    pub kind: EventKind,
}

/// The kind of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// The first run of an instance started.
    Joined,
    /// Another run of an instance started.
    Restarted,
    /// A run sent its final report.
    Left,
    /// A run stopped reporting without a final report.
    Silent,
    /// A silent run reports again.
    Resumed,
    /// An audit's delta became positive.
    Duplicates,
}

/// The newest events in the order of their time.
#[derive(Debug, Clone, Default)]
pub(super) struct Timeline(VecDeque<Event>);

impl Timeline {
    /// Adds an event, unless the timeline has it already, because a topic that is read again gives the same events.
    pub(super) fn push(&mut self, at: i64, kind: EventKind, subject: &str) {
        let event = Event { at, subject: subject.to_owned(), kind };
        if self.0.contains(&event) {
            return;
        }
        let place = self.0.partition_point(|event| (event.at, event.subject.as_str()) <= (at, subject));
        if self.0.len() == EVENTS {
            if place == 0 {
                return;
            }
            self.0.pop_front();
            self.0.insert(place - 1, event);
        } else {
            self.0.insert(place, event);
        }
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeline_is_sorted_and_drops_the_oldest_events() {
        let mut timeline = Timeline::default();
        for at in (0..300).rev() {
            timeline.push(at, EventKind::Joined, "app-1");
        }
        let times: Vec<i64> = timeline.iter().map(|event| event.at).collect();
        assert_eq!(times, (100..300).collect::<Vec<_>>());
    }
}

use serde::Serialize;

use crate::app::Scope;
use crate::fleet::EventKind;
use crate::name::Name;

/// A line of the timeline.
#[derive(Debug, Serialize)]
pub struct EventRow {
    /// The time of the event, in ms by the brokers' clock.
    pub at: i64,
    /// The kind of event as a word.
    pub event: &'static str,
    /// The instance or the audit.
    pub subject: Name,
    /// The age of the event in ms.
    #[serde(skip)]
    pub age: i64,
    /// The kind of event.
    #[serde(skip)]
    pub kind: EventKind,
}

/// Returns the timeline, newest first.
#[must_use]
pub fn timeline(scope: Scope<'_>) -> Vec<EventRow> {
    let row = |event: &crate::fleet::Event| EventRow {
        at: event.at,
        event: event.kind.word(),
        subject: Name::new(&event.subject),
        age: (scope.fleet_now - event.at).max(0),
        kind: event.kind,
    };
    scope.fleet.events().rev().map(row).collect()
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 6] =
        [Self::Joined, Self::Restarted, Self::Left, Self::Silent, Self::Resumed, Self::Duplicates];

    /// Returns the meaning of the event.
    pub(crate) fn help(self) -> &'static str {
        match self {
            Self::Joined => "the first run of an instance started",
            Self::Restarted => "another run of an instance started",
            Self::Left => "a run sent its final report",
            Self::Silent => "a run stopped reporting without a final report",
            Self::Resumed => "a silent run reported again",
            Self::Duplicates => "an audit found records that were processed twice",
        }
    }

    /// Returns the kind of event as a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Joined => "joined",
            Self::Restarted => "restarted",
            Self::Left => "left",
            Self::Silent => "silent",
            Self::Resumed => "resumed",
            Self::Duplicates => "duplicates",
        }
    }

    /// Returns the mark of the event under a chart.
    #[must_use]
    pub fn mark(self) -> char {
        match self {
            Self::Joined => '+',
            Self::Restarted => '@',
            Self::Left => '-',
            Self::Silent => '?',
            Self::Resumed => '^',
            Self::Duplicates => '!',
        }
    }
}

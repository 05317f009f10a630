//! The processing guarantees.

/// The processing guarantee with which Quipu and Kafka Streams run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guarantee {
    AtLeastOnce,
    ExactlyOnce,
}

impl Guarantee {
    pub(crate) const ALL: [Self; 2] = [Self::AtLeastOnce, Self::ExactlyOnce];

    /// The guarantee's name in Quipu's configuration.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::AtLeastOnce => "at_least_once",
            Self::ExactlyOnce => "exactly_once",
        }
    }
}

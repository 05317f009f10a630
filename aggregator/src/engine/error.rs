use quipu_record::StateRowError;

/// Why the engine ends.
#[derive(Debug)]
pub enum EngineError<E> {
    /// Kafka or the store failed, and retrying does not help.
    Port(E),
    /// A record of the changelog can't be read.
    Unreadable(StateRowError),
    /// The process is stopping, and Kafka did not accept its last commit in time.
    Uncommitted,
}

impl<E> From<E> for EngineError<E> {
    fn from(error: E) -> Self {
        Self::Port(error)
    }
}

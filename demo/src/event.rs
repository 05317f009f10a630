use crate::child::parent::Status;

/// An event that the experiment reacts to.
#[derive(Debug)]
pub(crate) enum Event {
    /// A child sent a status.
    Status {
        /// The child's instance name.
        instance: String,
        /// The status that it sent.
        status: Status,
    },
    /// The aggregator stopped, which is an error during the experiment.
    AggregatorStopped,
    /// The user interrupted the experiment.
    Interrupted,
}

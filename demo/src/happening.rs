use crate::child::parent::Word;

/// What comes to the experiment from elsewhere.
#[derive(Debug)]
pub(crate) enum Happening {
    /// A child said something.
    Said {
        /// Who.
        instance: String,
        /// What.
        word: Word,
    },
    /// The aggregator ended, which it should not.
    AggregatorEnded,
    /// The user wants it to end.
    Interrupted,
}

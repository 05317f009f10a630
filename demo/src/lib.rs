//! The experiment: a million records, two consumers, and the records processed twice

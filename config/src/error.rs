use std::fmt;
use std::io;
use std::path::PathBuf;

/// Why the configuration can't be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file can't be read, or is not UTF-8.
    #[error("can't read the configuration {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: io::Error,
    },
    /// Everything that is wrong: first in the file, by line, then in the environment, the flags and the secret files.
    #[error("{}", lines(_0))]
    Invalid(Vec<Problem>),
}

/// One mistake in a configuration. It has no value that may be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The source of the value: the file, the variable (`QUIPU_KAFKA_BROKERS`) or the flag (`--brokers`). It is empty if
    /// nothing sets the value.
    pub origin: String,
    /// The line, if the value is in the file.
    pub line: Option<usize>,
    /// What is wrong, and what to do.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.origin.is_empty() {
            f.write_str(&self.origin)?;
            if let Some(line) = self.line {
                write!(f, ":{line}")?;
            }
            f.write_str(": ")?;
        }
        f.write_str(&self.message)
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n")
}

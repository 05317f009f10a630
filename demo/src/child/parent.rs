//! What connects a child with its parent: lines on standard input and output.

use std::io::{BufRead as _, Write as _};
use std::sync::mpsc::{Receiver, sync_channel};
use std::{io, process, thread};

/// More than the parent ever says, so that the end of standard input is seen even if nobody listens to commands.
const COMMANDS: usize = 64;

/// What the parent says, a line each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// `limit N`: up to N records may be sent in all.
    Limit(u64),
    /// `stop`: your part in the experiment is over.
    Stop,
    /// `quit`: the experiment is over; don't wait for anything.
    Quit,
}

/// What a consumer says, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Word {
    /// `assigned N`: it has N partitions from now on.
    Assigned(usize),
    /// `stopping`: it heard that it shall stop, and commits no more unless it commits all at the end.
    Stopping,
    /// `left N`: it leaves with N records processed but not committed.
    Left(u64),
}

impl Command {
    pub(crate) fn to_line(self) -> String {
        match self {
            Self::Limit(records) => format!("limit {records}"),
            Self::Stop => "stop".to_owned(),
            Self::Quit => "quit".to_owned(),
        }
    }

    fn parse(line: &str) -> Option<Self> {
        match line.split_once(' ') {
            Some(("limit", records)) => records.parse().ok().map(Self::Limit),
            None if line == "stop" => Some(Self::Stop),
            None if line == "quit" => Some(Self::Quit),
            _ => None,
        }
    }
}

impl Word {
    /// Tells the parent. If it is gone, standard input says so too, and the process ends there.
    pub(super) fn say(&self) {
        let _ = writeln!(io::stdout().lock(), "{}", self.to_line());
    }

    fn to_line(&self) -> String {
        match self {
            Self::Assigned(partitions) => format!("assigned {partitions}"),
            Self::Stopping => "stopping".to_owned(),
            Self::Left(records) => format!("left {records}"),
        }
    }

    pub(crate) fn parse(line: &str) -> Option<Self> {
        match line.split_once(' ') {
            Some(("assigned", partitions)) => partitions.parse().ok().map(Self::Assigned),
            Some(("left", records)) => records.parse().ok().map(Self::Left),
            None if line == "stopping" => Some(Self::Stopping),
            _ => None,
        }
    }
}

/// The parent's commands. When standard input ends, the parent is gone, in whatever way: then this process ends too,
/// at once, for with the parent the embedded broker is gone that a last report could go to.
pub(super) fn commands() -> Receiver<Command> {
    let (sender, receiver) = sync_channel(COMMANDS);
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            // Nobody listens any more when the program is about to end; its parent still matters.
            Command::parse(&line).map(|command| sender.send(command));
        }
        #[expect(clippy::disallowed_methods, reason = "there is nobody left for whom to end in order")]
        process::exit(2);
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_words_round_trip() {
        for command in [Command::Limit(1_000_000), Command::Stop, Command::Quit] {
            assert_eq!(Command::parse(&command.to_line()), Some(command));
        }
        for word in [Word::Assigned(2), Word::Stopping, Word::Left(31_250)] {
            assert_eq!(Word::parse(&word.to_line()), Some(word));
        }
    }

    #[test]
    fn other_lines_mean_nothing() {
        for line in ["", "stop now", "limit", "limit -1", "left", "assigned x"] {
            assert_eq!((Command::parse(line), Word::parse(line)), (None, None), "{line:?}");
        }
    }
}

//! The protocol between a child process and its parent: lines on standard input and standard output.

use std::io::{BufRead as _, Write as _};
use std::sync::mpsc::{Receiver, sync_channel};
use std::{io, process, thread};

/// More commands than the parent ever sends, so that the reading thread never blocks and sees the end of standard input.
const COMMANDS: usize = 64;

/// A command from the parent: one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    /// `limit N`: up to N records may be sent in all.
    Limit(u64),
    /// `stop`: the program stops as the plan describes.
    Stop,
    /// `quit`: the experiment is over, and the program stops without waiting.
    Quit,
}

/// A status of a consumer: one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Status {
    /// `assigned N`: the consumer has N partitions from now on.
    Assigned(usize),
    /// `stopping`: the consumer received `stop` and commits no more.
    Stopping,
    /// `left N`: the consumer stops with N records that are processed but not committed.
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

impl Status {
    /// Sends the status to the parent. An error is ignored: if the parent is gone, standard input ends too, and that
    /// ends this process.
    pub(super) fn send(&self) {
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

/// Returns the parent's commands. Standard input ends when the parent is gone. Then this process exits at once: the
/// embedded broker, which would take the final report, ran in the parent.
pub(super) fn commands() -> Receiver<Command> {
    let (sender, receiver) = sync_channel(COMMANDS);
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            // The receiver is dropped when the program is about to exit; the end of standard input still matters.
            Command::parse(&line).map(|command| sender.send(command));
        }
        #[expect(clippy::disallowed_methods, reason = "the parent is gone, so a clean shutdown is impossible")]
        process::exit(2);
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_statuses_round_trip() {
        for command in [Command::Limit(1_000_000), Command::Stop, Command::Quit] {
            assert_eq!(Command::parse(&command.to_line()), Some(command));
        }
        for status in [Status::Assigned(2), Status::Stopping, Status::Left(31_250)] {
            assert_eq!(Status::parse(&status.to_line()), Some(status));
        }
    }

    #[test]
    fn other_lines_are_ignored() {
        for line in ["", "stop now", "limit", "limit -1", "left", "assigned x"] {
            assert_eq!((Command::parse(line), Status::parse(line)), (None, None), "{line:?}");
        }
    }
}

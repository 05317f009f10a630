//! Writes results to standard output and errors to standard error.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use anyhow::{Context as _, Error, Result};
use quipu_config::ConfigError;

use crate::log_filter::WrongFilter;
use crate::visible::push_visible;

const FAILED: u8 = 2;
/// The exit code of a process that stopped because a call or a step did not finish in time. It is the `EX_TEMPFAIL` of
/// sysexits(3): a restart may help.
const STALLED: u8 = 75;
/// The exit code of a process whose configuration is wrong: the `EX_CONFIG` of sysexits(3). A restart does not help.
const MISCONFIGURED: u8 = 78;

/// Prints to standard output. A closed pipe (`| head -1`) is no error.
pub(crate) fn print(text: &str) -> Result<ExitCode> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error).context("can't write to standard output"),
        _ => Ok(ExitCode::SUCCESS),
    }
}

/// Prints an error and returns the exit code for it.
pub(crate) fn fail(error: &Error) -> ExitCode {
    // A write error is ignored: the exit code shows the failure, too.
    let _ = io::stderr().write_all(describe(error).as_bytes());
    ExitCode::from(exit_code(error))
}

fn exit_code(error: &Error) -> u8 {
    match error.downcast_ref::<quipu_aggregator::Error>() {
        Some(error) if error.is_stall() => STALLED,
        Some(error) if error.is_configuration() => MISCONFIGURED,
        None if error.is::<ConfigError>() || error.is::<WrongFilter>() => MISCONFIGURED,
        _ => FAILED,
    }
}

/// Prints why a check found bad health. The check itself succeeded, so the exit code is 1 and not 2.
pub(crate) fn unhealthy(why: &str) -> ExitCode {
    let mut text = String::new();
    push_visible(&mut text, why, |c| c == '\t');
    text.push('\n');
    let _ = io::stderr().write_all(text.as_bytes());
    ExitCode::FAILURE
}

/// Writes an error and its causes in one line; a cause of several lines follows indented.
fn describe(error: &Error) -> String {
    let mut text = String::from("error");
    let mut previous = String::new();
    for cause in error.chain().map(ToString::to_string) {
        // Some libraries repeat the cause in the text of the error.
        if previous.contains(&cause) {
            continue;
        }
        let separator = if cause.trim_end().contains('\n') { "\n  " } else { " " };
        text.push(':');
        for line in cause.trim_end().split('\n') {
            text.push_str(separator);
            push_visible(&mut text, line, |c| c == '\t');
        }
        previous = cause;
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn causes_are_on_one_line_and_a_list_is_below() {
        let error = anyhow!("connection refused").context("can't reach Kafka: connection refused").context("no start");
        assert_eq!(describe(&error), "error: no start: can't reach Kafka: connection refused\n");
        let error = anyhow!("a:1: x\na:2: y").context("the configuration is wrong");
        assert_eq!(describe(&error), "error: the configuration is wrong:\n  a:1: x\n  a:2: y\n");
    }

    #[test]
    fn a_hostile_name_can_not_write_to_the_terminal() {
        assert_eq!(describe(&anyhow!("topic \u{1b}]0;x\u{7}")), "error: topic \\u{1b}]0;x\\u{7}\n");
    }
}

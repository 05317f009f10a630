//! Sets up the log, on standard error or in a file.

use std::ffi::OsStr;
use std::fmt::Debug;
use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use quipu_tui::Stderr;
use tracing::Subscriber;
use tracing::field::Field;
use tracing::subscriber::set_global_default;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{self, Writer};

use crate::log_filter;
use crate::visible::push_visible;

#[derive(Debug, Args)]
#[expect(clippy::struct_field_names, reason = "the fields are named after the options")]
pub(crate) struct LogOptions {
    /// What is logged: error, warn, info, debug, trace or off; also by module, such as `info,quipu_aggregator=debug`
    /// [default: info for aggregate, sink and top with --log-file; off for top without; warn for the other commands]
    #[arg(
        long,
        global = true,
        env = "QUIPU_LOG",
        hide_env_values = true,
        value_name = "LEVEL",
        help_heading = "Logging"
    )]
    log_level: Option<String>,
    /// Append the log to this file instead of writing it to standard error, where a dashboard on the terminal delays log
    /// lines until it is closed
    #[arg(long, global = true, value_name = "FILE", help_heading = "Logging")]
    log_file: Option<PathBuf>,
    /// The form of the log
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t, help_heading = "Logging")]
    log_format: LogFormat,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    /// One line per event; in colour on a terminal, unless NO_COLOR is set
    #[default]
    Text,
    /// One JSON object per line
    Json,
}

impl LogOptions {
    /// Starts logging for the whole process. `default_level` returns the level that is used without `--log-level`; its
    /// argument is whether there is a log file.
    pub(crate) fn start(&self, default_level: impl FnOnce(bool) -> &'static str) -> Result<()> {
        let given = self.log_level.as_deref().filter(|level| !level.is_empty());
        let level = given.unwrap_or_else(|| default_level(self.log_file.is_some()));
        let filter = log_filter::parse(level).context("--log-level (or QUIPU_LOG)")?;
        if let Some(path) = &self.log_file {
            let file = File::options().append(true).create(true).open(path);
            let file = file.with_context(|| format!("can't write to --log-file {}", path.display()))?;
            return self.write_to(Arc::new(file), filter, false);
        }
        let colour = use_colour(io::stderr().is_terminal(), std::env::var_os("NO_COLOR").as_deref());
        self.write_to(Stderr::default, filter, colour)
    }

    fn write_to<W>(&self, writer: W, filter: EnvFilter, colour: bool) -> Result<()>
    where
        W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
    {
        match self.log_format {
            LogFormat::Text => set_global_default(text(filter, colour, writer)),
            LogFormat::Json => set_global_default(json(filter, writer)),
        }
        .context("can't start logging")
    }
}

fn use_colour(is_terminal: bool, no_color: Option<&OsStr>) -> bool {
    is_terminal && no_color.is_none_or(OsStr::is_empty)
}

// Internal errors are not logged: if standard error is closed, logging a write error to it would panic.

fn text<W>(filter: EnvFilter, colour: bool, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let fields = format::debug_fn(write_field).delimited(" ");
    let builder = fmt().log_internal_errors(false).with_env_filter(filter).with_ansi(colour).with_writer(writer);
    builder.fmt_fields(fields).finish()
}

fn json<W>(filter: EnvFilter, writer: W) -> impl Subscriber + Send + Sync
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    fmt().log_internal_errors(false).with_env_filter(filter).with_writer(writer).json().flatten_event(true).finish()
}

/// Writes a field of an event with control characters escaped. The default of tracing-subscriber does not escape values
/// logged as `%name`, so they could control the terminal or forge log lines.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> std::fmt::Result {
    let mut text = String::new();
    push_visible(&mut text, &format!("{value:?}"), |c| c == '\t');
    match field.name() {
        "message" => writer.write_str(&text),
        name if writer.has_ansi_escapes() => write!(writer, "\u{1b}[3m{name}\u{1b}[0;2m=\u{1b}[0m{text}"),
        name => write!(writer, "{name}={text}"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    const HOSTILE: &str = "a\n2024-01-01 INFO forged\r\u{1b}[31m\u{202e}b";

    fn logged<S: Subscriber + Send + Sync>(start: impl FnOnce(Captured) -> S) -> String {
        let captured = Captured::default();
        tracing::subscriber::with_default(start(captured.clone()), || {
            tracing::info!(topic = %HOSTILE, key = HOSTILE, "bad record in {HOSTILE}");
            tracing::debug!("below the level");
        });
        let bytes = captured.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn info() -> EnvFilter {
        EnvFilter::new("info")
    }

    #[test]
    fn a_hostile_name_stays_on_the_line_of_its_event() {
        let text = logged(|writer| text(info(), false, writer));
        assert_eq!(text.matches('\n').count(), 1, "{text:?}");
        assert!(text.ends_with('\n') && !text.contains(['\r', '\u{1b}', '\u{202e}']), "{text:?}");
        assert!(text.contains("bad record in a\\n2024"), "{text:?}");

        let json = logged(|writer| json(info(), writer));
        assert_eq!(json.matches('\n').count(), 1, "{json:?}");
        assert!(!json.contains(['\r', '\u{1b}']), "{json:?}");
        assert!(json.contains("\"level\":\"INFO\"") && json.contains("\"topic\":\"a\\n2024"), "{json:?}");
    }

    #[test]
    fn only_the_log_itself_writes_colours() {
        let text = logged(|writer| text(info(), true, writer));
        assert!(text.contains("\u{1b}[3mtopic\u{1b}[0;2m=\u{1b}[0ma\\n") && !text.contains("\u{1b}[31m"), "{text:?}");
        assert!(use_colour(true, None) && use_colour(true, Some(OsStr::new(""))));
        assert!(!use_colour(true, Some(OsStr::new("1"))) && !use_colour(false, None));
    }

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl MakeWriter<'_> for Captured {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    impl Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
}

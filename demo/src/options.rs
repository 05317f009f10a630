//! The command line of `quipu demo`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

/// With fewer records, consumer 2 would have too few to process and too few to leave uncommitted.
const LEAST_RECORDS: u64 = 100;
const LONGEST_COMMIT_INTERVAL: Duration = Duration::from_secs(5);
const SHORTEST_COMMIT_INTERVAL: Duration = Duration::from_millis(200);

/// Options of the experiment.
#[derive(Debug, Clone, Args)]
pub struct DemoOptions {
    /// How many records to send
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(LEAST_RECORDS..))]
    pub records: u64,

    /// How many records to send per second, at most
    #[arg(long, value_name = "N", default_value_t = 25_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub rate: u64,

    /// Run on this Kafka cluster instead of an embedded broker, in topics of its own that are deleted afterwards
    #[arg(long, value_name = "HOST:PORT[,…]")]
    pub brokers: Option<String>,

    /// Run on the Kafka cluster that this configuration of the aggregator connects to, with its `[kafka]` properties
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// The form of the result on standard output; progress is on standard error
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,

    /// Draw a chart of the experiment into this file
    #[arg(long, value_name = "FILE.svg")]
    pub chart: Option<PathBuf>,

    /// Keep the consumers' files of processed record ids in this directory [default: they are deleted]
    #[arg(long, value_name = "DIR")]
    pub ids: Option<PathBuf>,

    /// How often the consumers commit their offsets [default: 5 s; in short runs one eighth of the sending time]
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub commit_interval: Option<Duration>,

    /// How often each instance reports its counters, and the aggregator commits
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "0.25")]
    pub report_interval: Duration,

    /// Show progress below the prompt instead of opening the dashboard on the terminal
    #[arg(long)]
    pub no_screen: bool,

    /// Show no progress
    #[arg(long, short)]
    pub quiet: bool,
}

/// The form in which the result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Output {
    /// A summary for people
    #[default]
    Text,
    /// One JSON object; the summary goes to standard error
    Json,
}

impl DemoOptions {
    /// How long sending takes if nothing delays it.
    #[expect(clippy::cast_precision_loss, reason = "no run has more than 2^53 records")]
    pub(crate) fn sending_time(&self) -> Duration {
        Duration::try_from_secs_f64(self.records as f64 / self.rate as f64).unwrap_or(Duration::MAX)
    }

    /// How often the consumers commit.
    pub(crate) fn commit_interval(&self) -> Duration {
        let default = || (self.sending_time() / 8).clamp(SHORTEST_COMMIT_INTERVAL, LONGEST_COMMIT_INTERVAL);
        self.commit_interval.unwrap_or_else(default)
    }
}

/// Parses a positive number of seconds.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    const RANGE: std::ops::RangeInclusive<f64> = 0.01..=60.0;
    match text.parse::<f64>() {
        Ok(seconds) if RANGE.contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(format!("expected seconds from {} to {}", RANGE.start(), RANGE.end())),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        options: DemoOptions,
    }

    fn options(args: &str) -> Result<DemoOptions, clap::Error> {
        let args = std::iter::once("demo").chain(args.split_whitespace());
        Cli::try_parse_from(args).map(|cli| cli.options)
    }

    #[test]
    fn by_default_a_million_records_take_forty_seconds_and_commits_are_five_apart() {
        let options = options("").unwrap();
        assert_eq!((options.records, options.output), (1_000_000, Output::Text));
        assert_eq!(options.sending_time(), Duration::from_secs(40));
        assert_eq!(options.commit_interval(), Duration::from_secs(5));
        assert_eq!(options.report_interval, Duration::from_millis(250));
    }

    #[test]
    fn a_short_run_commits_more_often_unless_an_interval_is_given() {
        let interval = |args| options(args).unwrap().commit_interval();
        assert_eq!(interval("--records 20000 --rate 20000"), Duration::from_millis(200));
        assert_eq!(interval("--records 400000"), Duration::from_secs(2));
        assert_eq!(interval("--records 20000 --commit-interval 3.5"), Duration::from_millis(3500));
    }

    #[test]
    fn values_out_of_range_are_rejected() {
        for args in ["--records 99", "--rate 0", "--commit-interval 0", "--report-interval NaN"] {
            assert!(options(args).is_err(), "{args}");
        }
    }
}

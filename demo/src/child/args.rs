use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::options::seconds;

/// One of the experiment's programs.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum DemoChild {
    /// Sends the records
    Producer(ProducerArgs),
    /// Processes records
    Consumer(ConsumerArgs),
}

/// The options of both programs: how they connect to Kafka and report.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct Connection {
    /// The name of this instance
    #[arg(long)]
    pub(crate) instance: String,
    /// The brokers' addresses
    #[arg(long)]
    pub(crate) brokers: String,
    /// Connect as the aggregator does, with the `[kafka]` properties of its configuration and environment
    #[arg(long)]
    pub(crate) cluster: bool,
    /// The file of that configuration
    #[arg(long)]
    pub(crate) config: Option<PathBuf>,
    /// The topic of the reports
    #[arg(long)]
    pub(crate) metrics: String,
    /// Seconds between reports
    #[arg(long, value_parser = seconds)]
    pub(crate) report_interval: Duration,
    /// The topic of the records
    #[arg(long)]
    pub(crate) topic: String,
    /// The consumers' group
    #[arg(long)]
    pub(crate) group: String,
}

/// The options of the producer.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ProducerArgs {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// How many records to send
    #[arg(long)]
    pub(crate) records: u64,
    /// How many records to send per second, at most
    #[arg(long)]
    pub(crate) rate: u64,
    /// How many records that the group has not committed may be in each partition
    #[arg(long)]
    pub(crate) window: Option<u64>,
}

/// The options of a consumer.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ConsumerArgs {
    #[command(flatten)]
    pub(crate) connection: Connection,
    /// Seconds between commits
    #[arg(long, value_parser = seconds)]
    pub(crate) commit_interval: Duration,
    /// Stop without committing the records that were processed since the last commit
    #[arg(long)]
    pub(crate) skip_last_commit: bool,
    /// The file for the ids of processed records
    #[arg(long)]
    pub(crate) ids: PathBuf,
    /// Kafka property of the consumer (`key=value`)
    #[arg(long)]
    pub(crate) set: Vec<String>,
}

impl DemoChild {
    /// The options that both programs have.
    pub(crate) fn connection(&self) -> &Connection {
        match self {
            Self::Producer(args) => &args.connection,
            Self::Consumer(args) => &args.connection,
        }
    }

    /// Returns the arguments that clap parses to this value.
    pub(crate) fn to_args(&self) -> Vec<OsString> {
        let (name, own) = match self {
            Self::Producer(args) => ("producer", args.to_args()),
            Self::Consumer(args) => ("consumer", args.to_args()),
        };
        [vec![name.into()], own, self.connection().to_args()].concat()
    }
}

impl Connection {
    fn to_args(&self) -> Vec<OsString> {
        let mut args = vec![
            flag("--instance", &self.instance),
            flag("--brokers", &self.brokers),
            flag("--metrics", &self.metrics),
            flag("--report-interval", self.report_interval.as_secs_f64().to_string()),
            flag("--topic", &self.topic),
            flag("--group", &self.group),
        ];
        args.extend(self.cluster.then(|| "--cluster".into()));
        args.extend(self.config.as_ref().map(|file| flag("--config", file)));
        args
    }
}

impl ProducerArgs {
    fn to_args(&self) -> Vec<OsString> {
        let mut args = vec![flag("--records", self.records.to_string()), flag("--rate", self.rate.to_string())];
        args.extend(self.window.map(|window| flag("--window", window.to_string())));
        args
    }
}

impl ConsumerArgs {
    fn to_args(&self) -> Vec<OsString> {
        let mut args =
            vec![flag("--commit-interval", self.commit_interval.as_secs_f64().to_string()), flag("--ids", &self.ids)];
        args.extend(self.set.iter().map(|property| flag("--set", property)));
        args.extend(self.skip_last_commit.then(|| "--skip-last-commit".into()));
        args
    }
}

fn flag(name: &str, value: impl AsRef<OsStr>) -> OsString {
    let mut flag = OsString::from(format!("{name}="));
    flag.push(value);
    flag
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(subcommand)]
        child: DemoChild,
    }

    fn assert_round_trip(child: &DemoChild) {
        let args = [vec!["demo-child".into()], child.to_args()].concat();
        assert_eq!(Cli::try_parse_from(args).unwrap().child, *child);
    }

    #[test]
    fn the_command_line_round_trips() {
        let connection = Connection {
            instance: "app-2".to_owned(),
            brokers: "127.0.0.1:9092,127.0.0.1:9093".to_owned(),
            cluster: true,
            config: Some("/tmp/a folder/quipu.toml".into()),
            metrics: "metrics".to_owned(),
            report_interval: Duration::from_millis(250),
            topic: "records".to_owned(),
            group: "-group".to_owned(),
        };
        let producer = ProducerArgs { connection: connection.clone(), records: 10, rate: 5, window: Some(3) };
        assert_round_trip(&DemoChild::Producer(ProducerArgs { window: None, ..producer.clone() }));
        assert_round_trip(&DemoChild::Producer(producer));
        let consumer = ConsumerArgs {
            connection: Connection { cluster: false, config: None, ..connection },
            commit_interval: Duration::from_millis(5123),
            skip_last_commit: true,
            ids: "/tmp/app-2.ids".into(),
            set: vec!["fetch.wait.max.ms=20".to_owned(), "session.timeout.ms=2000".to_owned()],
        };
        assert_round_trip(&DemoChild::Consumer(ConsumerArgs { skip_last_commit: false, ..consumer.clone() }));
        assert_round_trip(&DemoChild::Consumer(consumer));
    }
}

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use quipu_record::{BadRecord, ReportWriter, Series, limits};

use crate::instance::default_instance;
use crate::recorder::KafkaRecorder;
use crate::registry::{Bounds, Registry};
use crate::reporter::Prepared;
use crate::settings::Settings;
use crate::{Error, KafkaReporter};

/// Describes a [`KafkaReporter`]; every option has a default.
#[must_use = "nothing is reported before install() or build()"]
pub struct KafkaReporterBuilder {
    brokers: String,
    instance: Option<String>,
    topic: String,
    interval: Duration,
    heartbeat: Duration,
    global_labels: BTreeMap<String, String>,
    properties: Vec<(String, String)>,
    max_record_bytes: usize,
    max_series: usize,
    drop_timeout: Duration,
    pid: fn() -> u32,
}

impl KafkaReporterBuilder {
    pub(crate) fn new(brokers: String) -> Self {
        Self {
            brokers,
            instance: None,
            topic: "metrics".to_owned(),
            interval: Duration::from_secs(1),
            heartbeat: Duration::from_secs(10),
            global_labels: BTreeMap::new(),
            properties: Vec::new(),
            max_record_bytes: 900 << 10,
            max_series: 200_000,
            drop_timeout: Duration::from_secs(2),
            pid: std::process::id,
        }
    }

    /// The instance: the name of this running copy, at most 255 bytes. Two copies that run at the same time should have
    /// different names. If they have the same one, their counts stay apart all the same, because each has a run of its
    /// own.
    ///
    /// Default: `$HOSTNAME`, else the host's name, else a UUID.
    pub fn instance(mut self, name: impl Into<String>) -> Self {
        self.instance = Some(name.into());
        self
    }

    /// The topic that the aggregator reads. Default: `metrics`.
    pub fn topic(mut self, topic: impl Into<String>) -> Self {
        self.topic = topic.into();
        self
    }

    /// How often changes are reported, 1 ms or longer. Default: 1 s.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// How often a report is sent although nothing changed, which shows that the instance is live; not shorter than the
    /// interval. An aggregator counts a run as silent after its `instance_timeout` (30 s by default) without a report.
    /// Default: 10 s.
    pub fn heartbeat(mut self, heartbeat: Duration) -> Self {
        self.heartbeat = heartbeat;
        self
    }

    /// A label for every series. A metric's own label of the same name overrides it, and so does a later call with the
    /// same name. Default: none.
    pub fn global_label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.global_labels.insert(name.into(), value.into());
        self
    }

    /// A property of librdkafka, such as `security.protocol`; it overrides what the builder sets. TLS and SASL/SCRAM need the
    /// feature `tls` or `tls-vendored` of this crate.
    ///
    /// Defaults that differ from librdkafka's: `acks=all`, `enable.idempotence=true`, `compression.type=lz4`,
    /// `linger.ms=0`, `message.timeout.ms=30000` (a report that waited longer is replaced by a newer one),
    /// `topic.metadata.propagation.max.ms=3000` (how long a missing topic may take to appear before the report fails
    /// and is retried), `reconnect.backoff.max.ms=1000`, `log.connection.close=false`, `client.id=quipu-reporter`.
    pub fn property(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.properties.push((name.into(), value.into()));
        self
    }

    /// The maximum size of a record's value, in bytes before compression, at most 1 MiB; a larger report is split into
    /// parts. The topic's `max.message.bytes` and librdkafka's `message.max.bytes` must be somewhat larger. Default:
    /// 900 KiB, which fits their defaults.
    pub fn max_record_bytes(mut self, bytes: usize) -> Self {
        self.max_record_bytes = bytes;
        self
    }

    /// The maximum number of series of this process. A counter beyond it is not reported: its name is logged once, and
    /// what is added to it is counted in [`Stats::refused_counts`](crate::Stats::refused_counts). Default: 200,000.
    pub fn max_series(mut self, series: usize) -> Self {
        self.max_series = series;
        self
    }

    /// How long `Drop` waits for the final report to be acknowledged. Default: 2 s.
    pub fn drop_timeout(mut self, timeout: Duration) -> Self {
        self.drop_timeout = timeout;
        self
    }

    /// Starts reporting and installs the recorder of the process, which the macros of `metrics` use.
    ///
    /// No broker has to be reachable. What was counted before this call is not reported.
    ///
    /// # Errors
    /// An option that can't be used, each with its own [`Error`]; [`Error::RecorderInstalled`].
    pub fn install(self) -> Result<KafkaReporter, Error> {
        let (settings, registry) = self.check()?;
        let prepared = Prepared::new(&settings, &registry)?;
        // The recorder is installed before the thread starts: if that fails, no report of this run reaches Kafka.
        metrics::set_global_recorder(KafkaRecorder::new(Arc::clone(&registry)))
            .map_err(|_| Error::RecorderInstalled)?;
        KafkaReporter::start(settings, registry, prepared)
    }

    /// Starts reporting and returns the recorder, for a fan-out or for [`metrics::with_local_recorder`].
    ///
    /// # Errors
    /// An option that can't be used, each with its own [`Error`].
    pub fn build(self) -> Result<(KafkaRecorder, KafkaReporter), Error> {
        let (settings, registry) = self.check()?;
        let prepared = Prepared::new(&settings, &registry)?;
        let recorder = KafkaRecorder::new(Arc::clone(&registry));
        Ok((recorder, KafkaReporter::start(settings, registry, prepared)?))
    }

    /// Replaces the function that returns the process id.
    #[cfg(test)]
    pub(crate) fn pid(mut self, pid: fn() -> u32) -> Self {
        self.pid = pid;
        self
    }

    fn check(self) -> Result<(Arc<Settings>, Arc<Registry>), Error> {
        if self.brokers.trim().is_empty() {
            return Err(Error::NoBrokers);
        }
        if !is_topic(&self.topic) {
            return Err(Error::Topic { topic: self.topic });
        }
        if self.interval < Duration::from_millis(1) {
            return Err(Error::Interval { interval: self.interval });
        }
        if self.heartbeat < self.interval {
            return Err(Error::Heartbeat { heartbeat: self.heartbeat, interval: self.interval });
        }
        let instance = self.instance.unwrap_or_else(default_instance);
        match instance.len() {
            0 => return Err(Error::Instance(BadRecord::EmptyInstance)),
            bytes if bytes > limits::INSTANCE_BYTES => {
                return Err(Error::Instance(BadRecord::InstanceTooLong { bytes }));
            }
            _ => {}
        }
        let overhead = ReportWriter::overhead_bytes(&instance);
        if self.max_record_bytes <= overhead || self.max_record_bytes > limits::RECORD_BYTES {
            let (given, min, max) = (self.max_record_bytes, overhead + 1, limits::RECORD_BYTES);
            return Err(Error::MaxRecordBytes { given, min, max });
        }
        Series::new("any", self.global_labels.clone()).map_err(Error::GlobalLabels)?;

        let bounds = Bounds { series: self.max_series, counter_bytes: self.max_record_bytes - overhead };
        let settings = Settings {
            brokers: self.brokers,
            instance: instance.into(),
            topic: self.topic,
            interval: self.interval,
            heartbeat: self.heartbeat,
            max_record_bytes: self.max_record_bytes,
            drop_timeout: self.drop_timeout,
            properties: self.properties,
            pid: self.pid,
        };
        Ok((Arc::new(settings), Arc::new(Registry::new(self.global_labels, bounds))))
    }
}

/// Whether Kafka allows a topic of this name.
fn is_topic(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=249).contains(&name.len()) && name.bytes().all(fits) && name != "." && name != ".."
}
